// Package write answers the write function's events, API Gateway's and SQS's: it decodes, makes the vectors that are missing, appends,
// and answers. It knows neither SQL nor how vectors are made.
package write

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Config are the parts of a write function. All are required but Rejects, Telemetry and Now.
type Config struct {
	Store  *postgres.Store
	Models embedding.Models
	Log    *slog.Logger
	// Timeout bounds a request. What is read from a queue has the function's own time.
	Timeout time.Duration
	// Rejects gets the bad records of messages whose other records are stored; nil means that such messages are reported instead.
	Rejects *Rejects
	// Telemetry gets metrics and traces; nil means that nothing does.
	Telemetry *telemetry.Telemetry
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New makes the function; an error names the part that is missing.
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
	front, err := api.NewRouter(api.Routes{
		"createRemediation":  h.create,
		"createRemediations": h.createBatch,
		"updateRemediation":  h.update,
		"createAIAnalysis":   child(h, (*api.Request).AIAnalysis),
		"createWorkflow":     child(h, (*api.Request).Workflow),
		"createExecution":    child(h, (*api.Request).Execution),
	}, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
	if err != nil {
		return nil, err
	}
	return &Function{front: front, queue: queue{h}}, nil
}

// Function answers both kinds of events. It is a lambda.Handler, safe for concurrent use.
type Function struct {
	front *api.Router
	queue queue
}

// Invoke answers one event, told apart by its shape. An error makes the platform count the invocation as failed: of the queue, every
// message comes again.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if fromQueue(payload) {
		return f.queue.invoke(ctx, payload)
	}
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	response, err := f.front.Invoke(ctx, event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(response)
}

// fromQueue looks at the beginning of the event: Lambda's events of queues have the one member Records, API Gateway's have none of the
// name.
func fromQueue(payload []byte) bool {
	const space = " \t\r\n"
	members, isObject := bytes.CutPrefix(bytes.TrimLeft(payload, space), []byte("{"))
	return isObject && bytes.HasPrefix(bytes.TrimLeft(members, space), []byte(`"Records"`))
}

type handler struct{ Config }

func (h handler) create(ctx context.Context, r *api.Request) (*api.Response, error) {
	remediation, err := r.Remediation()
	if err != nil {
		return nil, err
	}
	written, err := h.appendRecords(ctx, r.Actor(), remediation)
	if err != nil {
		return nil, err
	}
	return api.RespondCreated(remediation.RemediationID, written[0])
}

func (h handler) createBatch(ctx context.Context, r *api.Request) (*api.Response, error) {
	batch, err := r.Batch()
	if err != nil {
		return nil, err
	}
	telemetry.Observe(ctx, telemetry.BatchSize, float64(len(batch)))
	var good []audit.Record
	var places []int
	results := make([]audit.Written, len(batch))
	for i, one := range batch {
		if results[i].Err = one.Err; one.Err == nil {
			good = append(good, one.Remediation)
			places = append(places, i)
		}
	}
	written, err := h.appendRecords(ctx, r.Actor(), good...)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		results[place] = written[i]
	}
	return r.RespondBatch(batch, results), nil
}

// child is the handler of a record that belongs to the path's remediation.
func child[R audit.Record](
	h handler, decode func(*api.Request) (R, error),
) api.Handler {
	return func(ctx context.Context, r *api.Request) (*api.Response, error) {
		record, err := decode(r)
		if err != nil {
			return nil, err
		}
		id, err := r.RemediationID()
		if err != nil {
			return nil, err
		}
		written, err := h.appendRecords(ctx, r.Actor(), record)
		if err != nil {
			return nil, err
		}
		return api.RespondCreated(id, written[0])
	}
}

func (h handler) update(ctx context.Context, r *api.Request) (*api.Response, error) {
	update, err := r.Update()
	if err != nil {
		return nil, err
	}
	entry, err := audit.NewEntry(update, r.Actor(), h.Now())
	if err != nil {
		return nil, err
	}
	signatures, err := h.signatureAfter(ctx, update)
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

// signatureAfter is the signature that the remediation will have, if the update touches what signatures are made of: its vector is
// made before the row is locked. An update that overtakes this one leaves the vector to the maintain function.
func (h handler) signatureAfter(ctx context.Context, update *audit.Update) ([]audit.Signature, error) {
	if !update.ErrorMessage.Set && !update.WorkflowYAML.Set {
		return nil, nil
	}
	stored, err := h.Store.Remediation(ctx, update.RemediationID)
	if err != nil {
		return nil, err
	}
	next, changed, err := update.Apply(stored)
	if err != nil || !changed || next.SameTexts(&stored) {
		return nil, nil //nolint:nilerr // the store judges the update again, under the lock
	}
	return []audit.Signature{next.Signature()}, nil
}

// appendRecords appends records that the actor sent.
func (h handler) appendRecords(ctx context.Context, actor string, records ...audit.Record) ([]audit.Written, error) {
	now := h.Now()
	entries := make([]audit.Entry, len(records))
	var signatures []audit.Signature
	for i, record := range records {
		entry, err := audit.NewEntry(record, actor, now)
		if err != nil {
			return nil, err
		}
		entries[i] = entry
		if entry.Kind == audit.KindRemediation {
			signatures = append(signatures, entry.Signature)
		}
	}
	return h.appendWithVectors(ctx, entries, signatures, postgres.AppendOptions{})
}

// appendWithVectors appends entries with the vectors that their signatures lack. Vectors take no longer than the embedder's deadline, and a
// record is never lost for want of one: it is stored, and its vector is pending.
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
	noteStored(embedder, entries, options.Vectors, written)
	return written, nil
}

// noteStored tells the embedder which vectors are committed. Its memory is not the store's: the store remembers which signatures exist, so
// as not to send their text again; the embedder, which of them have a vector of its model, so as not to make it again.
func noteStored(embedder *embedding.Embedder, entries []audit.Entry, vectors postgres.Vectors, written []audit.Written) {
	for i, w := range written {
		switch id := entries[i].Signature.ID; {
		case w.Err == nil && vectors[id] != nil:
			embedder.Stored(id)
		case w.Receipt.Embedding == audit.EmbeddingPending:
			// A vector that was stored before may have been dropped with its model.
			embedder.Forget(id)
		}
	}
}
