package client_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

func TestTemporaryErrorsAreRetried(t *testing.T) {
	t.Parallel()
	unavailable := respondProblem(503, `{"type":"t","title":"T","status":503}`, "Retry-After", "0")
	created := respondWith(201, "application/json", receipt)
	tests := []struct {
		name     string
		handlers []http.HandlerFunc
		requests int
		good     bool
	}{
		{"response", []http.HandlerFunc{created}, 1, true},
		{"cut before the response", []http.HandlerFunc{cutConnection, created}, 2, true},
		{"cut within the response", []http.HandlerFunc{cutResponse, created}, 2, true},
		{"429", []http.HandlerFunc{respondProblem(429, `{"type":"t"}`), created}, 2, true},
		{"502 of a proxy", []http.HandlerFunc{respondWith(502, "text/html", "<html>"), created}, 2, true},
		{"503 with Retry-After: 0", []http.HandlerFunc{unavailable, created}, 2, true},
		{"504", []http.HandlerFunc{respondWith(504, "application/json", `{"message":"Endpoint request timed out"}`), created}, 2, true},
		{"500 of the gateway", []http.HandlerFunc{respondWith(500, "application/json", `{"message":"Internal Server Error"}`), created}, 2, true},
		{"one after the other", []http.HandlerFunc{cutConnection, unavailable, cutResponse, created}, 4, true},
		{"without end", []http.HandlerFunc{unavailable}, 4, false},
		{"cut without end", []http.HandlerFunc{cutConnection}, 4, false},
		{"400", []http.HandlerFunc{respondProblem(400, `{"type":"t"}`), created}, 1, false},
		{"403", []http.HandlerFunc{respondWith(403, "application/json", `{"message":"Forbidden"}`), created}, 1, false},
		{"404", []http.HandlerFunc{respondProblem(404, `{"type":"t"}`), created}, 1, false},
		{"409", []http.HandlerFunc{respondProblem(409, `{"type":"t"}`), created}, 1, false},
		{"413", []http.HandlerFunc{respondProblem(413, `{"type":"t"}`), created}, 1, false},
		{"500 of the service", []http.HandlerFunc{respondProblem(500, `{"type":"t"}`), created}, 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handlers...)
			_, err := s.client(t).CreateRemediation(t.Context(), client.RemediationInput{RemediationID: "r-1"})
			if (err == nil) != test.good {
				t.Errorf("error %v", err)
			}
			seen := s.requests()
			if len(seen) != test.requests {
				t.Fatalf("%d requests, want %d", len(seen), test.requests)
			}
			for i, r := range seen {
				if r.body != seen[0].body || !strings.Contains(r.body, `"remediation_id":"r-1"`) {
					t.Errorf("request %d carried %q", i, r.body)
				}
			}
		})
	}
}

func TestRefusedConnectionIsRetried(t *testing.T) {
	t.Parallel()
	var dialed atomic.Int32
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := client.New(gone.URL, withQuickRetries(3), client.WithHTTPClient(&http.Client{Transport: countRequests(&dialed, http.DefaultTransport)}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Search(t.Context(), client.SearchInput{Query: "x"})
	if err == nil || dialed.Load() != 3 {
		t.Errorf("error %v after %d attempts, want 3", err, dialed.Load())
	}
}

func TestUntrustedCertificateIsNotRetried(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(respondWith(201, "application/json", receipt))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the server would log the refused handshake
	s.StartTLS()
	t.Cleanup(s.Close)
	var sent atomic.Int32
	c, err := client.New(s.URL, withQuickRetries(3), client.WithHTTPClient(&http.Client{Transport: countRequests(&sent, new(http.Transport))}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Search(t.Context(), client.SearchInput{Query: "x"}); err == nil || sent.Load() != 1 {
		t.Errorf("error %v after %d attempts, want 1", err, sent.Load())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func countRequests(count *atomic.Int32, next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		count.Add(1)
		return next.RoundTrip(r)
	})
}

// newInMemoryClient returns a client that calls a handler without a network, so that a test can use a fake
// clock. It records the time of each request, relative to the first.
func newInMemoryClient(t *testing.T, policy client.RetryPolicy, handler http.HandlerFunc) (*client.Client, func() []time.Duration) {
	t.Helper()
	var times []time.Time
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		times = append(times, time.Now())
		recorder := httptest.NewRecorder()
		handler(recorder, r)
		return recorder.Result(), nil
	})
	c, err := client.New("http://service", client.WithRetry(policy), client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	return c, func() []time.Duration {
		var since []time.Duration
		for _, at := range times {
			since = append(since, at.Sub(times[0]))
		}
		return since
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	policy := client.RetryPolicy{Attempts: 5, BaseDelay: time.Second, MaxDelay: 3 * time.Second}
	second := time.Second
	tests := []struct {
		name       string
		retryAfter string
		timeout    time.Duration
		// most is the latest time of each attempt, least the earliest.
		least, most []time.Duration
	}{
		{
			"full jitter under a doubling, capped bound", "", time.Hour,
			[]time.Duration{0, 0, 0, 0, 0},
			[]time.Duration{0, second, 3 * second, 6 * second, 9 * second},
		},
		{
			"on top of Retry-After", "2", time.Hour,
			[]time.Duration{0, 2 * second, 4 * second, 6 * second, 8 * second},
			[]time.Duration{0, 3 * second, 7 * second, 12 * second, 17 * second},
		},
		{"not longer than MaxDelay", "4", time.Hour, []time.Duration{0}, []time.Duration{0}},
		{"not beyond the deadline", "2", second, []time.Duration{0}, []time.Duration{0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, times := newInMemoryClient(t, policy, respondProblem(503, `{"type":"t","title":"T"}`, "Retry-After", test.retryAfter))
				ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
				defer cancel()
				_, err := c.Search(ctx, client.SearchInput{Query: "x"})
				if !errors.Is(err, client.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want the last response", err)
				}
				got := times()
				if len(got) != len(test.most) {
					t.Fatalf("attempts at %v, want %d", got, len(test.most))
				}
				for i, at := range got {
					if at < test.least[i] || at > test.most[i] {
						t.Errorf("attempt %d at %v, want %v to %v", i, at, test.least[i], test.most[i])
					}
				}
			})
		})
	}
}

func TestWaitsDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		policy := client.RetryPolicy{Attempts: 20, BaseDelay: time.Minute, MaxDelay: time.Minute}
		c, times := newInMemoryClient(t, policy, respondProblem(503, `{"type":"t"}`))
		if _, err := c.Search(t.Context(), client.SearchInput{Query: "x"}); err == nil {
			t.Fatal("no error")
		}
		at := times()
		var waits []time.Duration
		for i := range at[1:] {
			waits = append(waits, at[i+1]-at[i])
		}
		slices.Sort(waits)
		if got := len(slices.Compact(waits)); got < 15 {
			t.Errorf("%d different waits of 19: clients would retry at the same time", got)
		}
	})
}

func TestContextEndsTheCall(t *testing.T) {
	t.Parallel()
	cancelled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	}
	soon := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 20*time.Millisecond)
	}
	expired := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithDeadline(ctx, time.Now().Add(-time.Second))
	}
	causal := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("the controller stops")) })
		return ctx, func() { cancel(nil) }
	}
	tests := []struct {
		name    string
		context func(context.Context) (context.Context, context.CancelFunc)
		want    error
		// requests is the maximum number sent: on a slow machine the context may end before the
		// first.
		requests int
	}{
		{"cancelled before", cancelled, context.Canceled, 0},
		{"expired before", expired, context.DeadlineExceeded, 0},
		{"expires while the service is silent", soon, context.DeadlineExceeded, 1},
		{"cancelled with a cause while the service is silent", causal, context.Canceled, 1},
	}
	for _, test := range tests {
		for _, op := range allOperations() {
			t.Run(test.name+"/"+op.id, func(t *testing.T) {
				t.Parallel()
				s := serve(t, stallResponse)
				ctx, cancel := test.context(t.Context())
				defer cancel()
				_, err := op.do(ctx, s.client(t))
				if !errors.Is(err, test.want) {
					t.Errorf("error %v does not satisfy errors.Is with %v", err, test.want)
				}
				if got := len(s.requests()); got > test.requests {
					t.Errorf("%d requests, want at most %d", got, test.requests)
				}
			})
		}
	}
}

func TestContextEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		policy := client.RetryPolicy{Attempts: 3, BaseDelay: time.Minute, MaxDelay: time.Hour}
		c, times := newInMemoryClient(t, policy, func(w http.ResponseWriter, _ *http.Request) {
			time.AfterFunc(time.Second, cancel)
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(503)
		})
		_, err := c.Search(ctx, client.SearchInput{Query: "x"})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("error %v, want both the cancellation and the last response", err)
		}
		if got := times(); len(got) != 1 {
			t.Errorf("attempts at %v, want one", got)
		}
	})
}

type closeCounter struct {
	io.ReadCloser
	closed *atomic.Int32
}

func (c closeCounter) Close() error {
	c.closed.Add(1)
	return c.ReadCloser.Close()
}

func TestEveryBodyIsClosed(t *testing.T) {
	t.Parallel()
	var opened, closed atomic.Int32
	s := serve(t, cutResponse, respondProblem(503, `{"type":"t"}`), respondOK(`[]`), respondOK(strings.Repeat(" ", 17<<20)), respondOK(receipt))
	c := s.client(t, client.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			opened.Add(1)
			response.Body = closeCounter{response.Body, &closed}
		}
		return response, err
	})}))
	failed := 0
	for range 3 {
		if _, err := c.CreateRemediation(t.Context(), client.RemediationInput{}); err != nil {
			failed++
		}
	}
	if failed != 2 || opened.Load() != 5 || closed.Load() != 5 {
		t.Errorf("%d failed, %d bodies opened, %d closed; want 2, 5, 5", failed, opened.Load(), closed.Load())
	}
}

func TestManyGoroutinesShareAClient(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%3 == 0 {
			cutConnection(w, r)
			return
		}
		respondOK(receipt)(w, r)
	})
	c := s.client(t, withQuickRetries(50))
	var failed atomic.Int32
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for range 10 {
				if written, err := c.CreateRemediation(t.Context(), client.RemediationInput{}); err != nil || written.ID != 7 {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of 640 calls failed", failed.Load())
	}
}
