package embedding

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// unitVector returns the normalized vector that the service returns for a text.
func unitVector(text string) []float32 {
	vector := vectorOf(text)
	var square float64
	for _, x := range vector {
		square += float64(x) * float64(x)
	}
	for i, x := range vector {
		vector[i] = float32(float64(x) / math.Sqrt(square))
	}
	return vector
}

// unitVectors returns the vectors of the signatures.
func unitVectors(sigs ...audit.Signature) map[audit.ID][]float32 {
	vectors := map[audit.ID][]float32{}
	for _, sig := range sigs {
		vectors[sig.ID] = unitVector(sig.Text)
	}
	return vectors
}

var sameVectors = cmp.Options{cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()}

// A signature's vector is made once: the vector is cached until it is stored, and then the fact
// that it is stored.
func TestDocumentsAreCached(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	sigs := newSignatures(2)
	for range 2 { // twice, as if the first transaction had failed
		vectors, err := e.Documents(t.Context(), sigs, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unitVectors(sigs...), vectors, sameVectors); diff != "" {
			t.Errorf("vectors (-want +got):\n%s", diff)
		}
	}
	e.Stored(sigs[0].ID)
	vectors, err := e.Documents(t.Context(), sigs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unitVectors(sigs[1]), vectors, sameVectors); diff != "" {
		t.Errorf("vectors after one is stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Counts{Hits: 4, Misses: 2, Calls: 1}, e.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// The lookup gets each uncached ID once; IDs that it finds are not looked up again.
func TestDocumentsLooksUp(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	sigs := newSignatures(3)
	var lookedUp [][]audit.ID
	lookup := func(_ context.Context, ids []audit.ID) ([]audit.ID, error) {
		lookedUp = append(lookedUp, slices.Clone(ids))
		return []audit.ID{sigs[0].ID}, nil
	}
	twice := append(slices.Clone(sigs), sigs...)
	for range 2 {
		vectors, err := e.Documents(t.Context(), twice, lookup)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unitVectors(sigs[1:]...), vectors, sameVectors); diff != "" {
			t.Errorf("vectors (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff([][]audit.ID{{sigs[0].ID, sigs[1].ID, sigs[2].ID}}, lookedUp); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{sigs[1].Text, sigs[2].Text}, s.texts()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Counts{Hits: 4, Misses: 2, Calls: 1}, e.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestDocumentsLookupFails(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	sigs := newSignatures(2)
	if _, err := e.Documents(t.Context(), sigs[:1], nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no table")
	vectors, err := e.Documents(t.Context(), sigs, func(context.Context, []audit.ID) ([]audit.ID, error) { return nil, broken })
	if !errors.Is(err, broken) || errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want only the look-up's", err)
	}
	if diff := cmp.Diff(unitVectors(sigs[0]), vectors, sameVectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	if n := len(s.received()); n != 1 {
		t.Errorf("the service got %d requests, want 1", n)
	}
}

// Another request may store the vector between the look-up and the call.
func TestDocumentsStoredMeanwhile(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	sigs := newSignatures(1)
	vectors, err := e.Documents(t.Context(), sigs, func(context.Context, []audit.ID) ([]audit.ID, error) {
		e.Stored(sigs[0].ID)
		return nil, nil
	})
	if err != nil || len(vectors) != 0 || len(s.received()) != 0 {
		t.Errorf("Documents = %v, %v after %d calls; want nothing, nil, none", vectors, err, len(s.received()))
	}
}

func TestQueriesAreCached(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	for _, text := range []string{"what broke", "what broke", "what else broke", "what broke"} {
		got, err := e.Query(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unitVector(text), got, sameVectors); diff != "" {
			t.Errorf("vector of %q (-want +got):\n%s", text, diff)
		}
	}
	if diff := cmp.Diff(Counts{Hits: 2, Misses: 2, Calls: 2}, e.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	cfg := patientPolicy()
	cfg.Vectors, cfg.StoredMarks = 1, 1
	e := serviceEmbedder(t, s, cfg)
	for _, text := range []string{"a", "b", "b", "a"} {
		if _, err := e.Query(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "a"}, s.texts()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	sigs := newSignatures(2)
	e.Stored(sigs[0].ID, sigs[1].ID)
	var lookedUp []audit.ID
	_, err := e.Documents(t.Context(), sigs, func(_ context.Context, ids []audit.ID) ([]audit.ID, error) {
		lookedUp = ids
		return ids, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]audit.ID{sigs[0].ID}, lookedUp); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
}

func TestDocumentsBatches(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy(), batchSize(64))
	sigs := newSignatures(150)
	vectors, err := e.Documents(t.Context(), sigs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unitVectors(sigs...), vectors, sameVectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	var sizes []int
	for _, req := range s.received() {
		sizes = append(sizes, len(req.Input))
	}
	slices.Sort(sizes)
	if diff := cmp.Diff([]int{22, 64, 64}, sizes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

func TestSharedCall(t *testing.T) {
	t.Parallel()
	const requests = 20
	sig := testSignature("the same trouble")
	tests := []struct {
		name string
		ask  func(context.Context, *Embedder) ([]float32, error)
		want []float32
	}{
		{"documents", func(ctx context.Context, e *Embedder) ([]float32, error) {
			vectors, err := e.Documents(ctx, []audit.Signature{sig}, nil)
			return vectors[sig.ID], err
		}, unitVector(sig.Text)},
		{"queries", func(ctx context.Context, e *Embedder) ([]float32, error) {
			return e.Query(ctx, "why")
		}, unitVector("why")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			e := serviceEmbedder(t, serve(t, respondOnRelease(release)), patientPolicy())
			var all sync.WaitGroup
			for range requests {
				all.Go(func() {
					got, err := tt.ask(t.Context(), e)
					if diff := cmp.Diff(tt.want, got, sameVectors); err != nil || diff != "" {
						t.Errorf("error %v, vector (-want +got):\n%s", err, diff)
					}
				})
			}
			eventually(t, "all but one request share its call", func() bool { return e.Counts().Hits == requests-1 })
			close(release)
			all.Wait()
			if diff := cmp.Diff(Counts{Hits: requests - 1, Misses: 1, Calls: 1}, e.Counts()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// respondOnRelease responds once release is closed.
func respondOnRelease(release <-chan struct{}) responder {
	return func(n int, w http.ResponseWriter, r *http.Request, req request) {
		select {
		case <-release:
			respondWithVectors(n, w, r, req)
		case <-r.Context().Done():
		}
	}
}

// A shared call continues when the request that started it is cancelled.
func TestSharedCallOutlivesFirst(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := serve(t, respondOnRelease(release))
	e := serviceEmbedder(t, s, patientPolicy())
	first, cancel := context.WithCancel(t.Context())
	firstErr := make(chan error, 1)
	go func() {
		_, err := e.Query(first, "why")
		firstErr <- err
	}()
	eventually(t, "the call began", func() bool { return len(s.received()) == 1 })
	second := make(chan error, 1)
	go func() {
		_, err := e.Query(t.Context(), "why")
		second <- err
	}()
	eventually(t, "the second request joined", func() bool { return e.Counts().Hits == 1 })
	cancel()
	if err := <-firstErr; !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("the cancelled request got %v, want Canceled and ErrUnavailable", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the other request got %v", err)
	}
	if n := len(s.received()); n != 1 {
		t.Errorf("the service got %d requests, want 1", n)
	}
}

// A call without waiters is cancelled at the service, and no later request joins it.
func TestAbandonedCallIsCancelled(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		if n == 1 {
			<-r.Context().Done()
			close(gone)
			return
		}
		respondWithVectors(n, w, r, req)
	})
	e := serviceEmbedder(t, s, patientPolicy())
	ctx, cancel := context.WithCancel(t.Context())
	abandoned := make(chan error, 1)
	go func() {
		_, err := e.Documents(ctx, newSignatures(1), nil)
		abandoned <- err
	}()
	eventually(t, "the call began", func() bool { return len(s.received()) == 1 })
	cancel()
	if err := <-abandoned; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want Canceled", err)
	}
	vectors, err := e.Documents(t.Context(), newSignatures(1), nil)
	if err != nil || len(vectors) != 1 {
		t.Errorf("the next request got %v, %v; want a vector", vectors, err)
	}
	<-gone
}

func TestInFlightLimit(t *testing.T) {
	t.Parallel()
	const limit, texts = 3, 30
	var now, peak, arrived atomic.Int64
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		for high, current := peak.Load(), now.Add(1); current > high && !peak.CompareAndSwap(high, current); {
			high = peak.Load()
		}
		// Each call waits until its group of `limit` calls is complete, so the test ends only if
		// the limit is reached.
		place := arrived.Add(1)
		for arrived.Load() < (place+limit-1)/limit*limit {
			time.Sleep(time.Millisecond)
		}
		now.Add(-1)
		respondWithVectors(n, w, r, req)
	})
	cfg := patientPolicy()
	cfg.InFlight = limit
	e := serviceEmbedder(t, s, cfg, batchSize(1))
	vectors, err := e.Documents(t.Context(), newSignatures(texts), nil)
	if err != nil || len(vectors) != texts {
		t.Fatalf("%d vectors, %v; want %d", len(vectors), err, texts)
	}
	if got := peak.Load(); got != limit {
		t.Errorf("%d calls at a time, want %d", got, limit)
	}
}

func TestEndedContexts(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	tests := []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"cancelled", cancelled, context.Canceled},
		{"expired", expired, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondWithVectors)
			e := serviceEmbedder(t, s, patientPolicy())
			_, err := e.Query(tt.ctx, "why")
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("Query: error is %v, want %v and ErrUnavailable", err, tt.want)
			}
			_, err = e.Documents(tt.ctx, newSignatures(3), nil)
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("Documents: error is %v, want %v and ErrUnavailable", err, tt.want)
			}
			if err := e.Probe(tt.ctx); !errors.Is(err, tt.want) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("Probe: error is %v, want %v and ErrUnavailable", err, tt.want)
			}
			if n := len(s.received()); n != 0 {
				t.Errorf("the service got %d requests, want 0", n)
			}
		})
	}
}

func TestTransientFailureIsRetried(t *testing.T) {
	t.Parallel()
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		if n < 3 {
			respondWithStatus(http.StatusTooManyRequests)(n, w, r, req)
			return
		}
		respondWithVectors(n, w, r, req)
	})
	e := serviceEmbedder(t, s, patientPolicy())
	got, err := e.Query(t.Context(), "why")
	if diff := cmp.Diff(unitVector("why"), got, sameVectors); err != nil || diff != "" {
		t.Errorf("error %v, vector (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(Counts{Misses: 1, Calls: 3, Failures: 2}, e.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// When one batch fails, the vectors of the others are returned; a failure is not cached.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	sigs := newSignatures(4)
	var healthy atomic.Bool
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		if !healthy.Load() && req.Input[0] == sigs[2].Text {
			respondWithStatus(http.StatusServiceUnavailable)(n, w, r, req)
			return
		}
		respondWithVectors(n, w, r, req)
	})
	e := serviceEmbedder(t, s, patientPolicy(), batchSize(1))
	vectors, err := e.Documents(t.Context(), sigs, nil)
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Errorf("error is %v, want only ErrUnavailable", err)
	}
	if diff := cmp.Diff(unitVectors(sigs[0], sigs[1], sigs[3]), vectors, sameVectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	healthy.Store(true)
	vectors, err = e.Documents(t.Context(), sigs, nil)
	if diff := cmp.Diff(unitVectors(sigs...), vectors, sameVectors); err != nil || diff != "" {
		t.Errorf("error %v, vectors (-want +got):\n%s", err, diff)
	}
}

// A refused text is isolated by bisecting its batch, and its signature is named.
func TestRefusedTextIsIsolated(t *testing.T) {
	t.Parallel()
	sigs := newSignatures(8)
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		if slices.Contains(req.Input, sigs[5].Text) {
			respondWithStatus(http.StatusBadRequest)(n, w, r, req)
			return
		}
		respondWithVectors(n, w, r, req)
	})
	e := serviceEmbedder(t, s, patientPolicy())
	vectors, err := e.Documents(t.Context(), sigs, nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable) {
		t.Fatalf("error is %v, want a RefusedError", err)
	}
	if diff := cmp.Diff([]audit.ID{sigs[5].ID}, refused.IDs); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(unitVectors(slices.Delete(sigs, 5, 6)...), vectors, sameVectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	if n := len(s.received()); n != 7 { // 8; 4 and 4; 2 and 2; 1 and 1
		t.Errorf("the service got %d requests, want 7", n)
	}
}

// A service that refuses everything is not called once for every text of a large batch.
func TestRefusesEverything(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithStatus(http.StatusBadRequest))
	e := serviceEmbedder(t, s, patientPolicy(), batchSize(64))
	vectors, err := e.Documents(t.Context(), newSignatures(64), nil)
	if !errors.Is(err, ErrRefused) || !errors.Is(err, ErrUnavailable) || len(vectors) != 0 {
		t.Errorf("%d vectors, %v; want none, and both kinds of error", len(vectors), err)
	}
	if n := len(s.received()); n != 16 {
		t.Errorf("the service got %d requests, want 16", n)
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines > 2 {
		t.Errorf("the error has %d lines, want one for each kind:\n%v", lines, err)
	}
}

func TestBlankTextIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy())
	if _, err := e.Query(t.Context(), " \n\t"); !errors.Is(err, ErrRefused) {
		t.Errorf("Query: error is %v, want ErrRefused", err)
	}
	blank := audit.Signature{ID: audit.ID{1}, Text: ""}
	good := testSignature("trouble")
	vectors, err := e.Documents(t.Context(), []audit.Signature{blank, good}, nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || !slices.Equal(refused.IDs, []audit.ID{blank.ID}) {
		t.Errorf("Documents: error is %v, want a RefusedError for the blank one", err)
	}
	if diff := cmp.Diff(unitVectors(good), vectors, sameVectors); diff != "" {
		t.Errorf("vectors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{good.Text}, s.texts()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		if healthy.Load() {
			respondWithVectors(n, w, r, req)
			return
		}
		respondWithStatus(http.StatusServiceUnavailable)(n, w, r, req)
	})
	e := serviceEmbedder(t, s, patientPolicy())
	if err := e.Probe(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	healthy.Store(true)
	for range 2 {
		if err := e.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(Counts{Calls: 3, Failures: 1}, e.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// Concurrent requests for known signatures cause no look-up and no call.
func TestConcurrentDocuments(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy(), batchSize(7))
	sigs := newSignatures(40)
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := range sigs {
				sig := sigs[(i+worker*5)%len(sigs)]
				vectors, err := e.Documents(t.Context(), []audit.Signature{sig}, nil)
				if err != nil {
					t.Error(err)
				}
				for id := range vectors {
					e.Stored(id)
				}
			}
		})
	}
	all.Wait()
	texts := s.texts()
	slices.Sort(texts)
	if len(texts) != len(sigs) || len(slices.Compact(texts)) != len(sigs) {
		t.Errorf("%d texts sent, want each of %d once", len(texts), len(sigs))
	}
	if got := e.Counts(); got.Misses != int64(len(sigs)) || got.Hits != int64(15*len(sigs)) {
		t.Errorf("counts are %+v, want %d misses and %d hits", got, len(sigs), 15*len(sigs))
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	h, err := newHashing(512)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*policy)
		want   []string
	}{
		{"default", func(*policy) {}, nil},
		{
			"zero", func(c *policy) { *c = policy{} },
			[]string{"Deadline", "Attempts", "RetryBase", "RetryMax", "InFlight", "StoredMarks", "Vectors"},
		},
		{"negative", func(c *policy) { c.CallTimeout, c.Vectors = -1, -1 }, []string{"CallTimeout", "Vectors"}},
		{
			"too much", func(c *policy) { c.Deadline, c.Attempts, c.InFlight = time.Hour, 11, 1001 },
			[]string{"Deadline", "Attempts", "InFlight"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := defaultPolicy()
			tt.change(&cfg)
			_, err := newEmbedder(h, cfg)
			if diff := cmp.Diff(tt.want, fieldsNamed(err), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("fields named by %v (-want +got):\n%s", err, diff)
			}
		})
	}
	if e, err := newEmbedder(h, defaultPolicy()); err != nil || e.Model() != h.Model() {
		t.Errorf("the model is not the provider's: %v", err)
	}
}

// The cost of writing a known signature, which needs no call.
func BenchmarkDocumentsStored(b *testing.B) {
	h := newHashingProvider(b, 512)
	e, err := newEmbedder(h, defaultPolicy())
	if err != nil {
		b.Fatal(err)
	}
	sigs := newSignatures(1)
	e.Stored(sigs[0].ID)
	b.ReportAllocs()
	for b.Loop() {
		if vectors, err := e.Documents(context.Background(), sigs, nil); err != nil || len(vectors) != 0 {
			b.Fatal(vectors, err)
		}
	}
}

// The memory per entry of full caches with the default sizes.
func BenchmarkMemory(b *testing.B) {
	cfg := defaultPolicy()
	for _, dims := range []int{512, 1024} {
		b.Run(fmt.Sprintf("vectors/%d", dims), func(b *testing.B) {
			sigs := newSignatures(cfg.Vectors)
			for b.Loop() {
				e, err := newEmbedder(newHashingProvider(b, dims), cfg)
				if err != nil {
					b.Fatal(err)
				}
				before := heapBytes()
				if _, err := e.Documents(context.Background(), sigs, nil); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(heapBytes()-before)/float64(len(sigs)), "B/entry")
				runtime.KeepAlive(e)
			}
		})
	}
	b.Run("stored", func(b *testing.B) {
		sigs := newSignatures(cfg.StoredMarks)
		for b.Loop() {
			e, err := newEmbedder(newHashingProvider(b, 512), cfg)
			if err != nil {
				b.Fatal(err)
			}
			before := heapBytes()
			for _, sig := range sigs {
				e.Stored(sig.ID)
			}
			b.ReportMetric(float64(heapBytes()-before)/float64(len(sigs)), "B/entry")
			runtime.KeepAlive(e)
		}
	})
}

// heapBytes returns the bytes in use after a garbage collection.
func heapBytes() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
