package embedding

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Lookup returns those of the distinct IDs that have a vector of this model in the table, in any
// order.
type Lookup func(ctx context.Context, ids []audit.ID) ([]audit.ID, error)

// Documents returns the vectors that the caller must store with the signatures that it is about to
// write, by signature ID. If the result has no vector for a signature, the table has one already,
// or err contains the reason. Vectors and an error can be returned together.
//
// lookup is called once, with the signatures that are not cached; nil means that the table has none
// of them. Its error is returned wrapped, and no vector is made. All other errors are
// ErrUnavailable, ErrRefused in a *RefusedError, or both. After the vectors are committed, the
// caller must call Stored.
func (e *Embedder) Documents(
	ctx context.Context, sigs []audit.Signature, lookup Lookup,
) (map[audit.ID][]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Deadline)
	defer cancel()
	telemetry.FromContext(ctx).SetModel(e.name)
	items := distinctItems(sigs)
	results := make(map[key]result, len(items))
	unknown := e.recallItems(ctx, items, results)
	unknown, err := e.findUnstored(ctx, unknown, lookup)
	if err == nil {
		e.obtainVectors(ctx, unknown, results)
	}
	vectors, failed := collectVectors(items, results)
	return vectors, errors.Join(err, failed)
}

// distinctItems returns one item for each distinct signature.
func distinctItems(sigs []audit.Signature) []item {
	items := make([]item, 0, len(sigs))
	seen := make(map[audit.ID]bool, len(sigs))
	for _, sig := range sigs {
		if !seen[sig.ID] {
			seen[sig.ID] = true
			items = append(items, item{key: documentKey(sig.ID), text: sig.Text})
		}
	}
	return items
}

// recallItems adds the cached results and returns the other items.
func (e *Embedder) recallItems(ctx context.Context, items []item, results map[key]result) (unknown []item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, it := range items {
		if known, ok := e.recallItem(ctx, it.key); ok {
			results[it.key] = known
		} else {
			unknown = append(unknown, it)
		}
	}
	return unknown
}

// recallItem returns a cached result and counts the hit. The caller holds mu.
func (e *Embedder) recallItem(ctx context.Context, k key) (result, bool) {
	if _, ok := e.stored.Get(k); ok {
		e.countHits(ctx, 1)
		return result{}, true
	}
	vector, ok := e.vectors.Get(k)
	if ok {
		e.countHits(ctx, 1)
	}
	return result{vector: vector}, ok
}

// findUnstored returns the items whose vectors are not in the table, and marks the others as
// stored.
func (e *Embedder) findUnstored(ctx context.Context, items []item, lookup Lookup) ([]item, error) {
	if lookup == nil || len(items) == 0 {
		return items, nil
	}
	ids := make([]audit.ID, len(items))
	for i, it := range items {
		ids[i] = it.key.signatureID()
	}
	found, err := lookup(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up which vectors are stored: %w", err)
	}
	e.Stored(found...)
	stored := make(map[audit.ID]bool, len(found))
	for _, id := range found {
		stored[id] = true
	}
	var missing []item
	for _, it := range items {
		if !stored[it.key.signatureID()] {
			missing = append(missing, it)
		}
	}
	e.countHits(ctx, len(items)-len(missing))
	return missing, nil
}

// collectVectors returns the vectors to store, and one error that joins the distinct failures.
func collectVectors(items []item, results map[key]result) (map[audit.ID][]float32, error) {
	vectors := make(map[audit.ID][]float32, len(results))
	reported := map[string]bool{}
	var failures []error
	var refusals RefusedError
	for _, it := range items {
		switch got := results[it.key]; {
		case errors.Is(got.err, ErrRefused):
			refusals.IDs = append(refusals.IDs, it.key.signatureID())
			refusals.err = cmp.Or(refusals.err, got.err)
		case got.err != nil && !reported[got.err.Error()]:
			reported[got.err.Error()] = true
			failures = append(failures, got.err)
		case got.vector != nil:
			vectors[it.key.signatureID()] = got.vector
		}
	}
	if len(refusals.IDs) > 0 {
		failures = append(failures, &refusals)
	}
	return vectors, errors.Join(failures...)
}
