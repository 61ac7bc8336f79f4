package embedding

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Embedder is a provider with the policy around it. It remembers which signatures have their vector in the table, and the
// vectors that are not known to be there yet, so that no text costs a second successful call; requests for the same text at the
// same time share one. It is safe for concurrent use. Vectors it returns are of unit length and must not be changed.
type Embedder struct {
	provider provider
	model    Model
	name     string // the model's
	cfg      policy
	slots    *semaphore.Weighted

	hits, misses, calls, failures atomic.Int64

	mu      sync.Mutex // guards what follows
	stored  *simplelru.LRU[key, struct{}]
	vectors *simplelru.LRU[key, []float32]
	pending map[key]*batch
}

// key names a text and what it is for: the signature's id for documents, the text's SHA-256 for queries.
type key struct {
	input inputKind
	hash  [sha256.Size]byte
}

func documentKey(id audit.ID) key {
	k := key{input: documentInput}
	copy(k.hash[:], id[:])
	return k
}

// signatureID is the signature that a document's key was made from.
func (k key) signatureID() audit.ID {
	return audit.ID(k.hash[:len(audit.ID{})])
}

func queryKey(text string) key {
	return key{input: queryInput, hash: sha256.Sum256([]byte(text))}
}

// item is a text that a vector is wanted for.
type item struct {
	key  key
	text string
}

// result is what became of an item: its vector, or an error, or neither when the table has the vector.
type result struct {
	vector []float32
	err    error
}

// newEmbedder puts the policy around a provider, or says which field of the configuration is wrong. The provider is one of *hashingProvider,
// *openAIProvider and *bedrockProvider.
func newEmbedder(p provider, cfg policy) (*Embedder, error) {
	if p == nil {
		return nil, errors.New("configure the embedder: provider is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the embedder: %w", err)
	}
	stored, err := simplelru.NewLRU[key, struct{}](cfg.StoredMarks, nil)
	if err != nil {
		return nil, fmt.Errorf("make the memory of stored signatures: %w", err)
	}
	vectors, err := simplelru.NewLRU[key, []float32](cfg.Vectors, nil)
	if err != nil {
		return nil, fmt.Errorf("make the memory of vectors: %w", err)
	}
	return &Embedder{
		provider: p, model: p.Model(), name: p.Model().String(), cfg: cfg, slots: semaphore.NewWeighted(int64(cfg.InFlight)),
		stored: stored, vectors: vectors, pending: map[key]*batch{},
	}, nil
}

// Model is the provider's model, which every vector belongs to.
func (e *Embedder) Model() Model {
	return e.model
}

// Counts are totals since the Embedder was made. Texts are counted by Hits and Misses, each distinct one once a request;
// calls of the provider by Calls and Failures.
type Counts struct {
	Hits     int64 // texts that needed no call of their own: remembered, found by the look-up, or already under way
	Misses   int64 // texts that needed one
	Calls    int64 // calls of the provider, retries and probes included
	Failures int64 // calls that failed
}

// Counts reads the totals.
func (e *Embedder) Counts() Counts {
	return Counts{Hits: e.hits.Load(), Misses: e.misses.Load(), Calls: e.calls.Load(), Failures: e.failures.Load()}
}

// Lookup answers which of the ids, each given once, have a vector of this model in the table, in any order.
type Lookup func(ctx context.Context, ids []audit.ID) ([]audit.ID, error)

// Documents returns the vectors that the caller must store along with signatures it is about to write, by signature id. A
// signature that is not in the answer has its vector in the table already, or err is not nil and says why there is none; the
// vectors that could be had are returned beside the error.
//
// The signatures not remembered go to lookup, in one call; a nil lookup stands for a table that has none of them. Its error is
// returned as it is, wrapped, and then no vector is made. All other errors are ErrUnavailable, or ErrRefused in a
// *RefusedError, or both. After the vectors are committed, call Stored.
func (e *Embedder) Documents(ctx context.Context, sigs []audit.Signature, lookup Lookup) (map[audit.ID][]float32, error) {
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

// Query returns the vector of a text that looks for documents. The error is ErrUnavailable or ErrRefused.
func (e *Embedder) Query(ctx context.Context, text string) ([]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Deadline)
	defer cancel()
	telemetry.FromContext(ctx).SetModel(e.name)
	asked := item{key: queryKey(text), text: text}
	results := make(map[key]result, 1)
	e.obtainVectors(ctx, []item{asked}, results)
	return results[asked.key].vector, results[asked.key].err
}

// Stored says that the vectors of these signatures are in the table, committed. Their vectors are forgotten.
func (e *Embedder) Stored(ids ...audit.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.stored.Add(documentKey(id), struct{}{})
		e.vectors.Remove(documentKey(id))
	}
}

// Forget says that the vectors of these signatures are not in the table, whatever Stored has said: a model that was dropped and is
// registered again has none of them.
func (e *Embedder) Forget(ids ...audit.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.stored.Remove(documentKey(id))
	}
}

// Probe makes one call of the provider for a fixed word, bypassing memory and retries, to tell whether it answers as
// configured. It waits for a free slot like any call; bound it by ctx.
func (e *Embedder) Probe(ctx context.Context) error {
	if _, err := e.callOnce(ctx, []string{"ready"}, queryInput); err != nil {
		return classifyError(err)
	}
	return nil
}
