// Package maintain is the scheduled maintenance run: it fills in missing embeddings, renormalizes
// signatures of older normalizers, brings counts up to date, and creates the journal's
// partitions in advance. Runs are safe at any time, concurrently with each other and with writers.
package maintain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

const (
	// pageSize is the number of signatures that are read and embedded at a time.
	pageSize = 200
	// vectorChunk is the number of vectors per transaction. A writer of one of their signatures
	// waits for it, a few milliseconds per vector.
	vectorChunk = 10
)

// progressInterval is the interval of progress messages in the log.
const progressInterval = time.Minute

// Config holds the dependencies of a maintain function. All except Telemetry are required.
type Config struct {
	Store *postgres.Store
	// Models make the vectors. Registered models without an embedder are left unchanged.
	Models embedding.Models
	Log    *slog.Logger
	// PartitionsAhead is the number of months after the current one for which journal partitions
	// are created.
	PartitionsAhead int32
	// Telemetry receives metrics and traces; nil discards them.
	Telemetry *telemetry.Telemetry
}

// Done is the result of a run, and the function's response.
type Done struct {
	// Embedded counts the missing vectors that were filled in, of all models.
	Embedded int64 `json:"embedded"`
	// Refused counts the signatures that a provider refused, of all models.
	Refused int64 `json:"refused"`
	// Models are all registered models, the active one first.
	Models []ModelReport `json:"models"`
	// Renormalized counts the remediations that were moved from a signature of an older normalizer
	// to one of the current normalizer. ToRenormalize counts those that remain because the vector
	// of their new signature is missing or the run ended first.
	Renormalized  int64 `json:"renormalized"`
	ToRenormalize int64 `json:"to_renormalize"`
	// Dropped counts the older signatures that no remediation referenced and that were deleted.
	Dropped int64 `json:"dropped"`
	// NearDuplicates counts the signatures, in a sample of at most 5,000, that differ from another
	// one in values or in one token only: an incident that recurs without being recognized, or
	// different ones with almost the same words.
	NearDuplicates int64 `json:"near_duplicates"`
	// Analyzed counts the signatures whose terms were missing or made by an older analyzer.
	Analyzed int64 `json:"analyzed"`
	// Partitions counts the journal partitions that were created.
	Partitions int `json:"partitions"`
	// Days counts the days that were recounted.
	Days int `json:"days"`
}

// ModelReport is the state of a model after a run.
type ModelReport struct {
	StoredName string `json:"name"`
	Active     bool   `json:"active"`
	// Stored counts the signatures with a vector of the model, Missing those without.
	Stored  int64 `json:"stored"`
	Missing int64 `json:"missing"`
}

// Handler does maintenance runs.
type Handler struct{ config Config }

// New makes the handler, or returns an error that names a missing dependency.
func New(config Config) (*Handler, error) {
	switch {
	case config.Store == nil:
		return nil, errors.New("maintain: Store must be set")
	case config.Models.Validate() != nil:
		return nil, fmt.Errorf("maintain: %w", config.Models.Validate())
	case config.Log == nil:
		return nil, errors.New("maintain: Log must be set")
	case config.PartitionsAhead < 1:
		return nil, errors.New("maintain: PartitionsAhead must be positive")
	}
	config.Log = telemetry.Logger(config.Log)
	return &Handler{config}, nil
}

// Operation is the name of a run in metrics, log lines and traces.
const Operation = "maintain"

// Invoke does one run. It continues until nothing is missing or the context ends; the next run
// continues from there. If it fails, it returns the work done so far with the error.
func (h *Handler) Invoke(ctx context.Context) (done Done, err error) {
	ctx, invocation := h.config.Telemetry.Begin(ctx, telemetry.Call{Operation: Operation})
	status := telemetry.Failure
	defer func() { invocation.End(status) }()
	done, err = h.runTasks(ctx)
	for _, model := range done.Models {
		if model.Active {
			invocation.Observe(telemetry.EmbeddingsPending, float64(model.Missing))
		}
	}
	invocation.Observe(telemetry.NearDuplicates, float64(done.NearDuplicates))
	status = telemetry.Outcome(err)
	return done, err
}

func (h *Handler) runTasks(ctx context.Context) (Done, error) {
	var done Done
	partitions, partitionsErr := h.config.Store.PartitionsAhead(ctx, h.config.PartitionsAhead)
	done.Partitions = partitions
	r := renormalizer{
		store: h.config.Store, log: h.config.Log, done: &done, refused: map[audit.ID]bool{}, lastProgress: time.Now(),
	}
	// The first pass moves the remediations whose new signatures get a copied vector. The second
	// moves the others, after their vectors are filled in.
	err := errors.Join(
		partitionsErr, r.renormalizeAll(ctx), h.fillInModels(ctx, &done, r.refused), h.analyzeTerms(ctx, &done),
		r.renormalizeAll(ctx), r.dropUnreferenced(ctx), h.rollUpDays(ctx, &done), h.mergeOutcomes(ctx), h.countRemaining(ctx, &done),
		h.countNearDuplicates(ctx, &done),
	)
	h.config.Log.InfoContext(ctx, "maintenance run ended", slog.Int64("embedded", done.Embedded), slog.Int64("refused", done.Refused),
		slog.Any("models", done.Models), slog.Int64("renormalized", done.Renormalized),
		slog.Int64("to_renormalize", done.ToRenormalize), slog.Int64("dropped", done.Dropped), slog.Int64("near_duplicates", done.NearDuplicates), slog.Int64("analyzed", done.Analyzed), slog.Int("partitions", done.Partitions),
		slog.Int("days", done.Days), slog.Any("error", err))
	return done, err
}

// countRemaining sets the counts of the remaining work.
func (h *Handler) countRemaining(ctx context.Context, done *Done) error {
	registered, modelsErr := h.config.Store.Models(ctx)
	for _, model := range registered {
		done.Models = append(done.Models, ModelReport{
			StoredName: model.StoredName, Active: model.Active, Stored: model.Vectors, Missing: model.Missing(),
		})
	}
	remaining, err := h.config.Store.ToRenormalize(ctx)
	done.ToRenormalize = remaining
	return errors.Join(modelsErr, err)
}

// analyzeTerms makes the terms of signatures whose terms are missing or from an older analyzer, and
// updates the term statistics of lexical search.
func (h *Handler) analyzeTerms(ctx context.Context, done *Done) error {
	for {
		old, err := h.config.Store.Unanalyzed(ctx, pageSize)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			_, err := h.config.Store.CountTerms(ctx)
			return err
		}
		analyzed, err := h.config.Store.Analyze(ctx, old)
		if err != nil {
			return err
		}
		done.Analyzed += analyzed
	}
}

// mergeOutcomes brings the counts of outcomes up to date, and reports those that were wrong.
func (h *Handler) mergeOutcomes(ctx context.Context) error {
	wrong, err := h.config.Store.MergeOutcomes(ctx)
	if wrong > 0 {
		h.config.Log.WarnContext(ctx, "counts were wrong and are corrected", slog.Int64("counts", wrong))
	}
	return err
}

// rollUpDays recounts the days that are marked. A day that fails stays marked and does not stop the
// others; the first error is returned.
func (h *Handler) rollUpDays(ctx context.Context, done *Done) error {
	days, err := h.config.Store.ChangedDays(ctx)
	if err != nil {
		return err
	}
	var first error
	for _, day := range days {
		counted, err := h.config.Store.RollUp(ctx, day)
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
		if counted {
			done.Days++
		}
	}
	return first
}

// fillInModels makes the missing vectors of every model with a configured provider, the active
// model first. A failing provider does not stop the other model. It adds the signatures that the
// active model's provider refuses to refused.
func (h *Handler) fillInModels(ctx context.Context, done *Done, refused map[audit.ID]bool) error {
	registered, err := h.config.Store.Models(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, model := range registered {
		if embedder := h.config.Models.Of(model.StoredName); embedder != nil {
			b := backfill{
				store: h.config.Store.WithModel(model.StoredName), embedder: embedder, done: done, lastProgress: time.Now(),
				log: h.config.Log.With(slog.String("model", model.StoredName), slog.Int64("missing", model.Missing())),
			}
			if model.Active {
				b.refused = refused
			}
			if err := b.fillInModel(ctx); err != nil {
				failures = append(failures, fmt.Errorf("fill in %s: %w", model.StoredName, err))
			}
		}
	}
	return errors.Join(failures...)
}

// backfill fills in one model.
type backfill struct {
	store        *postgres.Store
	embedder     *embedding.Embedder
	log          *slog.Logger
	done         *Done
	lastProgress time.Time
	refused      map[audit.ID]bool // collects refused signatures, unless nil
}

// fillInModel makes the missing vectors in the order of the signatures' IDs.
func (b *backfill) fillInModel(ctx context.Context) error {
	var after audit.ID
	before := b.done.Embedded
	for {
		pending, err := b.store.SignaturesPending(ctx, after, pageSize)
		if err != nil || len(pending) == 0 {
			return err
		}
		if err := b.embedPending(ctx, pending); err != nil {
			return err
		}
		after = pending[len(pending)-1].ID
		if time.Since(b.lastProgress) > progressInterval {
			b.lastProgress = time.Now()
			b.log.InfoContext(ctx, "embedding", slog.Int64("embedded", b.done.Embedded-before))
		}
	}
}

func (b *backfill) embedPending(ctx context.Context, pending []audit.Signature) error {
	for _, signature := range pending {
		// The model may have been dropped and registered again since this sandbox stored the
		// vector.
		b.embedder.Forget(signature.ID)
	}
	// The table was just checked for these vectors, so no look-up is needed. A vector that a writer
	// adds in the meantime is kept.
	vectors, embedErr := b.embedder.Documents(ctx, pending, nil)
	if err := b.storeVectors(ctx, vectors); err != nil {
		return err
	}
	if refused, ok := errors.AsType[*embedding.RefusedError](embedErr); ok {
		// Refused texts must not stop the signatures after them.
		b.done.Refused += int64(len(refused.IDs))
		if b.refused != nil {
			for _, id := range refused.IDs {
				b.refused[id] = true
			}
		}
		return nil
	}
	return embedErr
}

// storeVectors stores the vectors in chunks. Stored chunks remain if a later one fails.
func (b *backfill) storeVectors(ctx context.Context, vectors postgres.Vectors) error {
	for ids := range slices.Chunk(slices.Collect(maps.Keys(vectors)), vectorChunk) {
		part := make(postgres.Vectors, vectorChunk)
		for _, id := range ids {
			part[id] = vectors[id]
		}
		added, err := b.store.AddVectors(ctx, part)
		if err != nil {
			return fmt.Errorf("store %d vectors: %w", len(part), err)
		}
		b.embedder.Stored(ids...)
		b.done.Embedded += added
	}
	return nil
}
