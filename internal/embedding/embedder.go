package embedding

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Embedder calls a provider under a policy. It caches which signatures have their vectors in the
// table, and the vectors that may not be there yet, so that a text is not sent again once it has a
// vector; concurrent requests for the same text share one call. It is safe for concurrent use. The
// vectors it returns have unit length and must not be modified.
type Embedder struct {
	provider provider
	model    Model
	name     string // the model's
	cfg      policy
	slots    *semaphore.Weighted

	hits, misses, calls, failures atomic.Int64

	mu      sync.Mutex // guards the fields below
	stored  *simplelru.LRU[key, struct{}]
	vectors *simplelru.LRU[key, []float32]
	pending map[key]*batch
}

// key identifies a text and its use: by the signature's ID for documents, by the SHA-256 of the
// text for queries.
type key struct {
	input inputKind
	hash  [sha256.Size]byte
}

func documentKey(id audit.ID) key {
	k := key{input: documentInput}
	copy(k.hash[:], id[:])
	return k
}

// signatureID returns the ID in the key of a document.
func (k key) signatureID() audit.ID {
	return audit.ID(k.hash[:len(audit.ID{})])
}

func queryKey(text string) key {
	return key{input: queryInput, hash: sha256.Sum256([]byte(text))}
}

// item is a text to embed.
type item struct {
	key  key
	text string
}

// result is the outcome of an item: its vector, an error, or neither if the vector is in the table
// already.
type result struct {
	vector []float32
	err    error
}

// newEmbedder applies the policy to a provider, or returns an error that names the invalid fields
// of the policy.
func newEmbedder(p provider, cfg policy) (*Embedder, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure the embedder: %w", err)
	}
	stored, err := simplelru.NewLRU[key, struct{}](cfg.StoredMarks, nil)
	if err != nil {
		return nil, fmt.Errorf("make the cache of stored signatures: %w", err)
	}
	vectors, err := simplelru.NewLRU[key, []float32](cfg.Vectors, nil)
	if err != nil {
		return nil, fmt.Errorf("make the cache of vectors: %w", err)
	}
	return &Embedder{
		provider: p, model: p.Model(), name: p.Model().String(), cfg: cfg, slots: semaphore.NewWeighted(int64(cfg.InFlight)),
		stored: stored, vectors: vectors, pending: map[key]*batch{},
	}, nil
}

// Model returns the provider's model. All vectors of the Embedder are of this model.
func (e *Embedder) Model() Model {
	return e.model
}

// Counts are totals since the Embedder was made. Hits and Misses count texts, each distinct text
// once per request; Calls and Failures count calls of the provider.
type Counts struct {
	Hits     int64 // texts without a call: cached, found by the look-up, or in a batch in progress
	Misses   int64 // texts that needed a call
	Calls    int64 // including retries and probes
	Failures int64
}

// Counts returns the totals.
func (e *Embedder) Counts() Counts {
	return Counts{Hits: e.hits.Load(), Misses: e.misses.Load(), Calls: e.calls.Load(), Failures: e.failures.Load()}
}

// Query returns the vector of a search query. The error is ErrUnavailable or ErrRefused.
func (e *Embedder) Query(ctx context.Context, text string) ([]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Deadline)
	defer cancel()
	telemetry.FromContext(ctx).SetModel(e.name)
	query := item{key: queryKey(text), text: text}
	results := make(map[key]result, 1)
	e.obtainVectors(ctx, []item{query}, results)
	return results[query.key].vector, results[query.key].err
}

// Stored records that the vectors of these signatures are committed to the table, and drops them
// from the cache.
func (e *Embedder) Stored(ids ...audit.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.stored.Add(documentKey(id), struct{}{})
		e.vectors.Remove(documentKey(id))
	}
}

// Forget revokes Stored, for example after a model was dropped and registered again, which deletes
// its vectors.
func (e *Embedder) Forget(ids ...audit.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.stored.Remove(documentKey(id))
	}
}

// Probe checks the provider with one call for a fixed word, without cache and retries. It waits for
// a free slot like any call, and its only deadline is that of ctx.
func (e *Embedder) Probe(ctx context.Context) error {
	if _, err := e.callOnce(ctx, []string{"ready"}, queryInput); err != nil {
		return classifyError(err)
	}
	return nil
}
