package embedding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// batch is a call of the provider in progress that any number of requests wait for. It has a
// context of its own, so that it is cancelled only when the last of them gives up.
type batch struct {
	items   []item
	cancel  context.CancelFunc
	waiters int // requests that wait for it; guarded by Embedder.mu
	done    chan struct{}
	results map[key]result // written before done is closed
}

// obtainVectors adds a result for each item: from a cache, from a batch in progress, or from a new
// one.
func (e *Embedder) obtainVectors(ctx context.Context, items []item, results map[key]result) {
	if ctx.Err() != nil {
		failItems(items, results, contextFailure(ctx, nil))
		return
	}
	waits := e.joinBatches(ctx, items, results)
	for k, b := range waits {
		results[k] = b.waitForResult(ctx, k)
	}
	e.leaveBatches(waits)
}

// joinBatches finds or starts a batch for each item that is not cached, and registers the caller as
// a waiter.
func (e *Embedder) joinBatches(ctx context.Context, items []item, results map[key]result) map[key]*batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	waits := make(map[key]*batch, len(items))
	var fresh []item
	for _, it := range items {
		if strings.TrimSpace(it.text) == "" {
			results[it.key] = result{err: refusedFailure("the text is blank", nil)}
		} else if known, ok := e.recallItem(ctx, it.key); ok {
			results[it.key] = known
		} else if b := e.pending[it.key]; b != nil {
			e.countHits(ctx, 1)
			waits[it.key] = b
		} else {
			e.countMiss(ctx)
			fresh = append(fresh, it)
		}
	}
	for part := range slices.Chunk(fresh, e.provider.MaxBatch()) {
		b := e.startBatch(ctx, part)
		for _, it := range part {
			e.pending[it.key], waits[it.key] = b, b
		}
	}
	for b := range distinctBatches(waits) {
		b.waiters++
	}
	return waits
}

// startBatch runs a batch in the background. The caller holds mu.
func (e *Embedder) startBatch(ctx context.Context, items []item) *batch {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.Deadline)
	b := &batch{items: items, cancel: cancel, done: make(chan struct{})}
	go e.runBatch(ctx, b)
	return b
}

func (e *Embedder) runBatch(ctx context.Context, b *batch) {
	defer b.cancel()
	results := make(map[key]result, len(b.items))
	refusals := 0
	e.embedItems(ctx, b.items, results, &refusals)
	countGenerations(ctx, results)

	e.mu.Lock()
	defer e.mu.Unlock()
	for k, got := range results {
		if got.err == nil {
			e.vectors.Add(k, got.vector)
		}
	}
	e.forgetBatch(b)
	b.results = results
	close(b.done)
}

// forgetBatch keeps later requests from joining the batch. The caller holds mu.
func (e *Embedder) forgetBatch(b *batch) {
	for _, it := range b.items {
		if e.pending[it.key] == b {
			delete(e.pending, it.key)
		}
	}
}

// leaveBatches unregisters the caller, and cancels the batches without other waiters.
func (e *Embedder) leaveBatches(waits map[key]*batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for b := range distinctBatches(waits) {
		if b.waiters--; b.waiters == 0 {
			e.forgetBatch(b)
			b.cancel()
		}
	}
}

func distinctBatches(waits map[key]*batch) map[*batch]bool {
	batches := make(map[*batch]bool, len(waits))
	for _, b := range waits {
		batches[b] = true
	}
	return batches
}

// waitForResult returns the result for k, or a failure if ctx ends first. A result that is ready is
// returned even then.
func (b *batch) waitForResult(ctx context.Context, k key) result {
	select {
	case <-b.done:
	case <-ctx.Done():
	}
	select {
	case <-b.done:
		return b.results[k]
	default:
		return result{err: contextFailure(ctx, nil)}
	}
}

// contextFailure is the failure of a call that ended with its context; last is the failure of its
// last attempt, or nil.
func contextFailure(ctx context.Context, last *failure) *failure {
	message := "gave up: " + ctx.Err().Error()
	if last != nil {
		message += ", after: " + last.message
	}
	return unavailableFailure(message, ctx.Err())
}

// maxRefusals is the number of refused calls after which a batch is given up; texts not sent by
// then have no vector. Isolating one bad text among 96 takes 8 refusals, two take at most 14. A
// service that refuses everything, as with a wrong model name, is not called once per text.
const maxRefusals = 16

// embedItems adds a result for each item. It bisects a refused batch until the refused texts are
// isolated, so that one bad text does not cost the others their vectors.
func (e *Embedder) embedItems(ctx context.Context, items []item, results map[key]result, refusals *int) {
	if *refusals == maxRefusals {
		failItems(items, results, unavailableFailure(fmt.Sprintf("stopped after %d refused calls", maxRefusals), nil))
		return
	}
	texts := make([]string, len(items))
	for i, it := range items {
		texts[i] = it.text
	}
	vectors, err := e.callWithRetries(ctx, texts, items[0].key.input)
	if errors.Is(err, ErrRefused) {
		*refusals++
	}
	switch {
	case err == nil:
		for i, it := range items {
			results[it.key] = result{vector: vectors[i]}
		}
	case len(items) > 1 && errors.Is(err, ErrRefused):
		half := len(items) / 2
		e.embedItems(ctx, items[:half], results, refusals)
		e.embedItems(ctx, items[half:], results, refusals)
	default:
		failItems(items, results, err)
	}
}

// failItems sets the error of every item.
func failItems(items []item, results map[key]result, err error) {
	for _, it := range items {
		results[it.key] = result{err: err}
	}
}
