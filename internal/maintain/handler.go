// Package maintain is the scheduled upkeep: it makes the embeddings that are missing, signs anew
// what an older normalizer signed, and makes the counts of the days that changed, and the journal's
// partitions ahead. It is safe to run at any time, twice at once, and while writers write.
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

// pageSize is how many signatures are read and embedded at a time. Of their vectors, chunk are
// stored in a transaction: a writer of one of these signatures waits for it, some milliseconds a
// vector.
const (
	pageSize    = 200
	vectorChunk = 10
)

// progressInterval is how often a long run says how far it has come.
const progressInterval = time.Minute

// Config are the parts of a maintain function. All are required but Telemetry.
type Config struct {
	Store *postgres.Store
	// Models make the vectors. A registered model that is not among them is left as it is.
	Models embedding.Models
	Log    *slog.Logger
	// PartitionsAhead is how many months of journal partitions there shall be after this one.
	PartitionsAhead int32
	// Telemetry gets metrics and traces; nil means that nothing does.
	Telemetry *telemetry.Telemetry
}

// Done is what a run did; it is also the answer of the function.
type Done struct {
	// Embedded counts the vectors that were missing and are there now, of all models.
	Embedded int64 `json:"embedded"`
	// Refused counts the signatures that the providers have no vector for, of all models.
	Refused int64 `json:"refused"`
	// Models are all that are registered, the active one first.
	Models []Model `json:"models"`
	// Renormalized counts the remediations that had a signature of an older normalizer and have one
	// of this, ToRenormalize those that still have an older one: they wait for the vector of their
	// new signature, or the run ended before.
	Renormalized  int64 `json:"renormalized"`
	ToRenormalize int64 `json:"to_renormalize"`
	// Dropped counts the older signatures that no remediation had any more and that are removed.
	Dropped int64 `json:"dropped"`
	// Analyzed counts the signatures whose terms were missing or of an older analyzer.
	Analyzed int64 `json:"analyzed"`
	// Partitions counts the journal partitions that were made.
	Partitions int `json:"partitions"`
	// Days counts the days whose counts were made anew.
	Days int `json:"days"`
}

// Model is how far a model is filled in after a run.
type Model struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	// Stored counts the signatures with a vector of the model, Missing those without.
	Stored  int64 `json:"stored"`
	Missing int64 `json:"missing"`
}

// Handler runs the upkeep.
type Handler struct{ config Config }

// New makes the handler; an error names the part that is missing.
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

// Operation is the operation of a run in metrics, log lines and traces.
const Operation = "maintain"

// Invoke does one run. It goes on until nothing is missing or the context ends; what is left waits
// for the next run. With an error it still answers what was done.
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
	status = telemetry.Outcome(err)
	return done, err
}

func (h *Handler) runTasks(ctx context.Context) (Done, error) {
	var done Done
	partitions, partitionsErr := h.config.Store.PartitionsAhead(ctx, h.config.PartitionsAhead)
	done.Partitions = partitions
	signing := renormalizer{store: h.config.Store, log: h.config.Log, done: &done, refused: map[audit.ID]bool{}, lastProgress: time.Now()}
	// Most have their vector at once, a copy; the others have it when it is made.
	err := errors.Join(partitionsErr, signing.renormalizeAll(ctx), h.fillInModels(ctx, &done, signing.refused), h.analyzeTerms(ctx, &done), signing.renormalizeAll(ctx),
		signing.dropUnreferenced(ctx), h.rollUpDays(ctx, &done), h.countRemaining(ctx, &done))
	h.config.Log.InfoContext(ctx, "maintained", slog.Int64("embedded", done.Embedded), slog.Int64("refused", done.Refused),
		slog.Any("models", done.Models), slog.Int64("renormalized", done.Renormalized), slog.Int64("to_renormalize", done.ToRenormalize),
		slog.Int64("dropped", done.Dropped), slog.Int64("analyzed", done.Analyzed), slog.Int("partitions", done.Partitions),
		slog.Int("days", done.Days), slog.Any("error", err))
	return done, err
}

// countRemaining tells what is left to do.
func (h *Handler) countRemaining(ctx context.Context, done *Done) error {
	registered, modelsErr := h.config.Store.Models(ctx)
	for _, model := range registered {
		done.Models = append(done.Models, Model{Name: model.Name, Active: model.Active, Stored: model.Vectors, Missing: model.Missing()})
	}
	left, err := h.config.Store.ToRenormalize(ctx)
	done.ToRenormalize = left
	return errors.Join(modelsErr, err)
}

// analyzeTerms makes the terms of signatures that have none, or those of an older analyzer, and
// counts what searches weigh them by.
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

// rollUpDays counts the days that changed. One that fails stays marked, and keeps none of the
// others from being counted; the first error is answered.
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

// fillInModels makes the missing vectors of every model that a provider is configured for, those of
// the active one first. A provider that fails does not keep another model from its vectors. The
// signatures that the active one refuses go to refused.
func (h *Handler) fillInModels(ctx context.Context, done *Done, refused map[audit.ID]bool) error {
	registered, err := h.config.Store.Models(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, model := range registered {
		if embedder := h.config.Models.Of(model.Name); embedder != nil {
			b := backfill{
				store: h.config.Store.WithModel(model.Name), embedder: embedder, done: done, lastProgress: time.Now(),
				log: h.config.Log.With(slog.String("model", model.Name), slog.Int64("missing", model.Missing())),
			}
			if model.Active {
				b.refused = refused
			}
			if err := b.fillInModel(ctx); err != nil {
				failures = append(failures, fmt.Errorf("fill in %s: %w", model.Name, err))
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
	refused      map[audit.ID]bool // gets what the provider refuses, if it is not nil
}

// fillInModel walks the signatures without a vector in the order of their ids and makes the
// vectors.
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
			b.log.InfoContext(ctx, "filling in", slog.Int64("embedded", b.done.Embedded-before))
		}
	}
}

func (b *backfill) embedPending(ctx context.Context, pending []audit.Signature) error {
	for _, signature := range pending {
		// The table knows better: the model may have been dropped and registered again since this
		// sandbox stored the vector.
		b.embedder.Forget(signature.ID)
	}
	// Nothing was found in the table a moment ago, so it is not asked again; a vector that a writer
	// adds meanwhile wins.
	vectors, embedErr := b.embedder.Documents(ctx, pending, nil)
	if err := b.storeVectors(ctx, vectors); err != nil {
		return err
	}
	var refused *embedding.RefusedError
	if errors.As(embedErr, &refused) {
		// Texts without a vector must not keep those behind them from having theirs.
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

// storeVectors stores vectors, chunk by chunk: what is stored stays so when a later chunk fails.
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
