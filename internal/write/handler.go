// Package write handles the events of the write function, requests of API Gateway and batches of
// SQS messages: it decodes the records, obtains the vectors that are missing, appends both to the
// store and responds. It contains no SQL and does not make vectors itself.
package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Config has the dependencies of a write function. All are required except Rejects, Telemetry and
// Now.
type Config struct {
	Store  *postgres.Store
	Models embedding.Models
	Log    *slog.Logger
	// Timeout limits an HTTP request. A batch of messages may use the time of the invocation.
	Timeout time.Duration
	// Rejects receives the bad records of messages whose other records are stored. If nil, such
	// messages are reported as failed.
	Rejects *Rejects
	// Telemetry receives metrics and traces. It may be nil.
	Telemetry *telemetry.Telemetry
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns the function, or an error that names the missing dependency.
func New(config Config) (*Function, error) {
	if config.Store == nil {
		return nil, errors.New("write: Store must be set")
	}
	if err := config.Models.Validate(); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Log = telemetry.Logger(config.Log)
	h := handler{config}
	router, err := api.NewRouter(api.Routes{
		"createRemediation":  h.createRemediation,
		"createRemediations": h.createRemediations,
		"updateRemediation":  h.updateRemediation,
		"createAIAnalysis":   createChild(h, (*api.Request).DecodeAIAnalysis),
		"createWorkflow":     createChild(h, (*api.Request).DecodeWorkflow),
		"createExecution":    createChild(h, (*api.Request).DecodeExecution),
	}, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
	if err != nil {
		return nil, err
	}
	return &Function{router: router, queue: queue{h}}, nil
}

// Function handles both kinds of events. It is a lambda.Handler and safe for concurrent use.
type Function struct {
	router *api.Router
	queue  queue
}

// Invoke handles one event, an API Gateway request or an SQS batch, distinguished by the payload.
// If it returns an error, Lambda redelivers every message of the batch.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if isQueueEvent(payload) {
		return f.queue.handleEvent(ctx, payload)
	}
	return f.router.Invoke(ctx, payload)
}

// isQueueEvent tests the first member of the event without decoding it: the only member of an SQS
// event is Records, and API Gateway's events have no member of that name.
func isQueueEvent(payload []byte) bool {
	const space = " \t\r\n"
	members, isObject := bytes.CutPrefix(bytes.TrimLeft(payload, space), []byte("{"))
	return isObject && bytes.HasPrefix(bytes.TrimLeft(members, space), []byte(`"Records"`))
}

type handler struct{ Config }

func (h handler) createRemediation(ctx context.Context, r *api.Request) (*api.Response, error) {
	remediation, err := r.DecodeRemediation()
	if err != nil {
		return nil, err
	}
	written, err := h.appendRecords(ctx, r.Actor(), remediation)
	if err != nil {
		return nil, err
	}
	return r.RespondCreated(remediation.RemediationID, written[0])
}

func (h handler) createRemediations(ctx context.Context, r *api.Request) (*api.Response, error) {
	batch, err := r.DecodeBatch()
	if err != nil {
		return nil, err
	}
	telemetry.Observe(ctx, telemetry.BatchSize, float64(len(batch)))
	var valid []audit.Record
	var indexes []int
	results := make([]audit.Written, len(batch))
	for i, item := range batch {
		if results[i].Err = item.Err; item.Err == nil {
			valid = append(valid, item.Remediation)
			indexes = append(indexes, i)
		}
	}
	written, err := h.appendRecords(ctx, r.Actor(), valid...)
	if err != nil {
		return nil, err
	}
	for i, index := range indexes {
		results[index] = written[i]
	}
	return r.RespondBatch(batch, results), nil
}

// createChild returns a handler that stores a child of the remediation in the path.
func createChild[R audit.Record](h handler, decode func(*api.Request) (R, error)) api.Handler {
	return func(ctx context.Context, r *api.Request) (*api.Response, error) {
		record, err := decode(r)
		if err != nil {
			return nil, err
		}
		id, err := r.ReadRemediationID()
		if err != nil {
			return nil, err
		}
		written, err := h.appendRecords(ctx, r.Actor(), record)
		if err != nil {
			return nil, err
		}
		return r.RespondCreated(id, written[0])
	}
}

func (h handler) updateRemediation(ctx context.Context, r *api.Request) (*api.Response, error) {
	update, err := r.DecodeUpdate()
	if err != nil {
		return nil, err
	}
	entry, err := audit.NewEntry(update, r.Actor(), h.Now())
	if err != nil {
		return nil, err
	}
	signatures, err := h.signatureAfterUpdate(ctx, update)
	if err != nil {
		return nil, err
	}
	written, err := h.appendWithVectors(ctx, []audit.Entry{entry}, signatures, postgres.AppendOptions{})
	if err != nil {
		return nil, err
	}
	if written[0].Err != nil {
		return nil, written[0].Err
	}
	return api.RespondUpdated(*written[0].Remediation, written[0].Replayed), nil
}

// signatureAfterUpdate returns the signature that the remediation will have if the update changes
// the text of signatures, so that its vector is made before the store locks the row. If another
// update is committed first, the maintain function makes the vector.
func (h handler) signatureAfterUpdate(ctx context.Context, update *audit.Update) ([]audit.Signature, error) {
	if !update.ErrorMessage.Set && !update.WorkflowYAML.Set {
		return nil, nil
	}
	stored, err := h.Store.Remediation(ctx, update.RemediationID)
	if err != nil {
		return nil, err
	}
	next, changed, err := update.Apply(stored)
	if err != nil || !changed || next.SameSignatureInput(&stored) {
		return nil, nil //nolint:nilerr // the store applies the update again, under the lock
	}
	return []audit.Signature{next.Signature()}, nil
}

func (h handler) appendRecords(ctx context.Context, actor string, records ...audit.Record) ([]audit.Written, error) {
	now := h.Now()
	entries := make([]audit.Entry, len(records))
	for i, record := range records {
		entry, err := audit.NewEntry(record, actor, now)
		if err != nil {
			return nil, err
		}
		entries[i] = entry
	}
	return h.appendWithVectors(ctx, entries, newSignatures(entries), postgres.AppendOptions{})
}

// newSignatures returns the signatures of the remediations among the entries.
func newSignatures(entries []audit.Entry) []audit.Signature {
	var signatures []audit.Signature
	for _, entry := range entries {
		if entry.Kind == audit.KindRemediation {
			signatures = append(signatures, entry.Signature)
		}
	}
	return signatures
}

// appendWithVectors appends entries with the vectors that the signatures lack. The embedder's
// deadline limits the wait for vectors; a record without its vector is stored with its embedding
// pending.
func (h handler) appendWithVectors(
	ctx context.Context, entries []audit.Entry, signatures []audit.Signature, options postgres.AppendOptions,
) ([]audit.Written, error) {
	if len(signatures) == 0 {
		return h.Store.Append(ctx, entries, &options)
	}
	logPending := func(err error) {
		h.Log.WarnContext(ctx, "embedding pending", slog.Int("signatures", len(signatures)), slog.Any("error", err))
	}
	embedder, err := h.Models.Active(ctx, h.Store.ActiveModel)
	if err != nil {
		logPending(err)
		return h.Store.Append(ctx, entries, &options)
	}
	store := h.Store.WithModel(embedder.Model().String())
	if options.Vectors, err = embedder.Documents(ctx, signatures, store.SignaturesStored); err != nil {
		logPending(err)
	}
	written, err := store.Append(ctx, entries, &options)
	if err != nil {
		return nil, err
	}
	noteStoredVectors(embedder, entries, options.Vectors, written)
	return written, nil
}

// noteStoredVectors updates the embedder's cache of signatures that have a vector of its model,
// which are not embedded again. The store separately caches the signatures that exist, whose text
// is not sent again.
func noteStoredVectors(
	embedder *embedding.Embedder, entries []audit.Entry, vectors postgres.Vectors, written []audit.Written,
) {
	for i, w := range written {
		switch id := entries[i].Signature.ID; {
		case w.Err == nil && vectors[id] != nil:
			embedder.Stored(id)
		case w.Receipt.Embedding == audit.EmbeddingPending:
			// The vector may have been dropped together with its model.
			embedder.Forget(id)
		}
	}
}
