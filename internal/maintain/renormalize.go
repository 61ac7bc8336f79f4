package maintain

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

const (
	// renormalizeChunk is how many remediations get their new signatures in a transaction: a writer
	// that updates one of them waits for it.
	renormalizeChunk = 500
	// dropChunk is how many signatures are removed in a transaction: a writer of older code that
	// writes one of them waits for it.
	dropChunk = 20
	// maxWaiting is from how many signatures on that wait for their vector a walk makes no more of
	// them: these are filled in and given to their remediations before others are begun with, so
	// that every run ends some, however many there are.
	maxWaiting = 10_000
	// maxPasses is how often in a run the remediations of a signature are read again because
	// writers changed some of them meanwhile.
	maxPasses = 3
)

// renormalizer signs anew the remediations that an older normalizer signed (docs/decisions/014). It
// is safe to stop at any time, and beside another: what is done is not done again.
type renormalizer struct {
	store *postgres.Store
	log   *slog.Logger
	done  *Done
	// refused are signatures that the provider of the active model has no vector for.
	refused      map[audit.ID]bool
	lastProgress time.Time
}

// renormalizeAll walks the older signatures and signs their remediations anew, but for those whose
// new signature lacks its vector. An older signature that fails keeps none of the others from being
// replaced, unless the database is away; the first error is answered.
func (r *renormalizer) renormalizeAll(ctx context.Context) error {
	var first error
	waiting := 0
	for old, err := range r.store.OldSignatures(ctx, true) {
		var wait int
		if err == nil {
			wait, err = r.replaceSignature(ctx, old)
		}
		if first == nil {
			first = err
		}
		if waiting += wait; waiting >= maxWaiting || errors.Is(err, audit.ErrUnavailable) {
			break
		}
		if time.Since(r.lastProgress) > progressInterval {
			r.lastProgress = time.Now()
			r.log.InfoContext(ctx, "signing anew", slog.Int64("renormalized", r.done.Renormalized), slog.Int("waiting", waiting))
		}
	}
	return first
}

// replaceSignature makes the new signatures of a signature's remediations beside it, and then gives
// them to the remediations; it answers how many have to wait for their vectors.
func (r *renormalizer) replaceSignature(ctx context.Context, old audit.ID) (waiting int, err error) {
	if err := r.storeNewSignatures(ctx, old); err != nil {
		return 0, err
	}
	for range maxPasses {
		counts, err := r.switchRemediations(ctx, old)
		if err != nil || counts.Overtaken == 0 {
			return counts.Waiting, err
		}
	}
	return 0, nil
}

// storeNewSignatures stores the new signatures of a signature's remediations, and the incident, if
// it is one, with the old signature.
func (r *renormalizer) storeNewSignatures(ctx context.Context, old audit.ID) error {
	seen, incidents := map[audit.ID]bool{}, map[audit.ID]bool{}
	sign := func(remediation audit.Stored) (audit.Signature, bool) {
		signature := remediation.Signature()
		incidents[signature.IncidentID] = true
		again := seen[signature.ID]
		seen[signature.ID] = true
		return signature, !again
	}
	// Each may come with vectors, and a writer of one of these signatures waits for them.
	err := processInChunks(vectorChunk, r.store.RemediationsBySignature(ctx, old), sign, func(signatures []audit.Signature) error {
		return r.store.AddRenormalizedSignatures(ctx, old, signatures)
	})
	if err != nil || len(incidents) != 1 {
		return err
	}
	for incident := range incidents {
		err = r.store.RenormalizeIncident(ctx, old, incident)
	}
	return err
}

// switchRemediations gives a signature's remediations their new ones, as far as these have their
// vectors.
func (r *renormalizer) switchRemediations(ctx context.Context, old audit.ID) (total postgres.RenormalizeCounts, err error) {
	sign := func(remediation audit.Stored) (postgres.Renormalized, bool) {
		return postgres.Renormalized{ID: remediation.ID, UpdatedAt: remediation.UpdatedAt, SignatureID: remediation.Signature().ID}, true
	}
	err = processInChunks(renormalizeChunk, r.store.RemediationsBySignature(ctx, old), sign, func(remediations []postgres.Renormalized) error {
		counts, err := r.store.Renormalize(ctx, old, remediations, func(id audit.ID) bool { return r.refused[id] })
		total.Overtaken += counts.Overtaken
		total.Waiting += counts.Waiting
		r.done.Renormalized += int64(counts.Renormalized)
		return err
	})
	return total, err
}

// dropUnreferenced removes the older signatures that no remediation has any more.
func (r *renormalizer) dropUnreferenced(ctx context.Context) error {
	all := func(id audit.ID) (audit.ID, bool) { return id, true }
	return processInChunks(dropChunk, r.store.OldSignatures(ctx, false), all, func(ids []audit.ID) error {
		dropped, err := r.store.DropSignatures(ctx, ids)
		r.done.Dropped += dropped
		return err
	})
}

// processInChunks does something with n at a time of what is taken from a walk, and with the rest.
// The slice is used again.
func processInChunks[From, To any](n int, walk iter.Seq2[From, error], take func(From) (To, bool), do func([]To) error) error {
	taken := make([]To, 0, n)
	for from, err := range walk {
		if err != nil {
			return err
		}
		if to, ok := take(from); ok {
			taken = append(taken, to)
		}
		if len(taken) == n {
			if err := do(taken); err != nil {
				return err
			}
			taken = taken[:0]
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return do(taken)
}
