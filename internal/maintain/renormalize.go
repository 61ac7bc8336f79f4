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
	// renormalizeChunk is the number of remediations per transaction. A writer that updates one of
	// them waits for it.
	renormalizeChunk = 500
	// dropChunk is the number of signatures deleted per transaction. A writer of an older build
	// that writes one of them waits for it.
	dropChunk = 20
	// maxWaiting is the number of new signatures without vectors after which a pass stops making
	// more. Their vectors are filled in and their remediations moved first, so that every run makes
	// progress however many signatures there are.
	maxWaiting = 10_000
	// maxPasses is how often a run rereads the remediations of a signature because writers changed
	// some of them.
	maxPasses = 3
)

// renormalizer moves remediations from signatures of older normalizers to those of the current one
// (docs/decisions/014). It can be stopped at any time, and several can run concurrently, because
// finished work is not repeated.
type renormalizer struct {
	store *postgres.Store
	log   *slog.Logger
	done  *Done
	// refused are the signatures that the active model's provider refused.
	refused      map[audit.ID]bool
	lastProgress time.Time
}

// renormalizeAll renormalizes the remediations of older signatures, except those whose new
// signature has no vector yet. A signature that fails does not stop the others, unless the database
// is unavailable; the first error is returned.
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
			r.log.InfoContext(ctx, "renormalizing",
				slog.Int64("renormalized", r.done.Renormalized), slog.Int("waiting", waiting))
		}
	}
	return first
}

// replaceSignature stores the new signatures of an old signature's remediations, and then moves the
// remediations. It returns how many have to wait for a vector.
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

// storeNewSignatures stores the new signatures of an old signature's remediations. If they belong
// to one incident, it also stores the incident with the old signature.
func (r *renormalizer) storeNewSignatures(ctx context.Context, old audit.ID) error {
	seen, incidents := map[audit.ID]bool{}, map[audit.ID]bool{}
	sign := func(remediation audit.Stored) (audit.Signature, bool) {
		signature := remediation.Signature()
		incidents[signature.IncidentID] = true
		again := seen[signature.ID]
		seen[signature.ID] = true
		return signature, !again
	}
	// Vectors may be copied with them, and a writer of one of these signatures waits for the
	// transaction.
	remediations := r.store.RemediationsBySignature(ctx, old)
	err := processInChunks(vectorChunk, remediations, sign, func(signatures []audit.Signature) error {
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

// switchRemediations moves a signature's remediations to their new signatures where these have
// vectors.
func (r *renormalizer) switchRemediations(
	ctx context.Context, old audit.ID,
) (total postgres.RenormalizeCounts, err error) {
	sign := func(remediation audit.Stored) (postgres.Renormalized, bool) {
		return postgres.Renormalized{
			ID: remediation.ID, UpdatedAt: remediation.UpdatedAt, SignatureID: remediation.Signature().ID,
		}, true
	}
	remediations := r.store.RemediationsBySignature(ctx, old)
	err = processInChunks(renormalizeChunk, remediations, sign, func(chunk []postgres.Renormalized) error {
		counts, err := r.store.Renormalize(ctx, old, chunk, func(id audit.ID) bool { return r.refused[id] })
		total.Overtaken += counts.Overtaken
		total.Waiting += counts.Waiting
		r.done.Renormalized += int64(counts.Renormalized)
		return err
	})
	return total, err
}

// dropUnreferenced deletes the older signatures that no remediation references.
func (r *renormalizer) dropUnreferenced(ctx context.Context) error {
	all := func(id audit.ID) (audit.ID, bool) { return id, true }
	return processInChunks(dropChunk, r.store.OldSignatures(ctx, false), all, func(ids []audit.ID) error {
		dropped, err := r.store.DropSignatures(ctx, ids)
		r.done.Dropped += dropped
		return err
	})
}

// processInChunks converts the values of seq, skips those for which convert returns false, and
// calls process with n at a time, and with the rest. The slice is reused.
func processInChunks[From, To any](
	n int, seq iter.Seq2[From, error], convert func(From) (To, bool), process func([]To) error,
) error {
	chunk := make([]To, 0, n)
	for from, err := range seq {
		if err != nil {
			return err
		}
		if to, ok := convert(from); ok {
			chunk = append(chunk, to)
		}
		if len(chunk) == n {
			if err := process(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if len(chunk) == 0 {
		return nil
	}
	return process(chunk)
}
