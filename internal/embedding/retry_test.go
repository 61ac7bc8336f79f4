package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// transcript is a service without a network, for tests with a fake clock: it returns the next of
// its responses and records the time of each request. After the last response it stalls.
type transcript struct {
	responses []func() *http.Response
	times     []time.Time
}

func (s *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times = append(s.times, time.Now())
	if len(s.times) > len(s.responses) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.responses[len(s.times)-1](), nil
}

func throttled(header, value string) func() *http.Response {
	return func() *http.Response {
		return &http.Response{StatusCode: 429, Header: http.Header{header: {value}}, Body: http.NoBody}
	}
}

func okResponse() *http.Response {
	text, _ := json.Marshal(map[string]any{"data": []any{map[string]any{"index": 0, "embedding": []float32{1, 2, 3, 4}}}})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(text)))}
}

func (s *transcript) embedder(t *testing.T, cfg policy) *Embedder {
	t.Helper()
	return embedderWith(t, &http.Client{Transport: s}, cfg)
}

// The clock of these tests is synctest's: it advances only when every goroutine waits, so waits are
// exact.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inFive := time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat)
		s := &transcript{responses: []func() *http.Response{throttled("Retry-After", "2"), throttled("Retry-After", inFive), okResponse}}
		cfg := defaultPolicy()
		cfg.Deadline = time.Minute
		start := time.Now()
		if _, err := s.embedder(t, cfg).Query(t.Context(), "why"); err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{0, 2 * time.Second, 5 * time.Second} {
			if got := s.times[i].Sub(start); got != want {
				t.Errorf("call %d came after %v, want %v", i+1, got, want)
			}
		}
	})
}

// A wait beyond the deadline is not started: the call fails at once.
func TestRetryAfterBeyondDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &transcript{responses: []func() *http.Response{throttled("Retry-After", "30")}}
		start := time.Now()
		_, err := s.embedder(t, defaultPolicy()).Query(t.Context(), "why")
		if !errors.Is(err, ErrUnavailable) || len(s.times) != 1 {
			t.Errorf("error is %v after %d calls, want ErrUnavailable after 1", err, len(s.times))
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v, want 0", waited)
		}
	})
}

// Without Retry-After, waits are random below a bound that doubles up to RetryMax.
func TestFullJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		none := throttled("Retry-After", "soon")
		s := &transcript{responses: []func() *http.Response{none, none, none, none, none}}
		cfg := defaultPolicy()
		cfg.Deadline, cfg.Attempts = time.Minute, 5
		cfg.RetryBase, cfg.RetryMax = 100*time.Millisecond, 300*time.Millisecond
		_, err := s.embedder(t, cfg).Query(t.Context(), "why")
		if !errors.Is(err, ErrUnavailable) || len(s.times) != 5 {
			t.Fatalf("error is %v after %d calls, want ErrUnavailable after 5", err, len(s.times))
		}
		waits := map[time.Duration]bool{}
		for i, bound := range []time.Duration{100, 200, 300, 300} {
			wait := s.times[i+1].Sub(s.times[i])
			if wait < 0 || wait > bound*time.Millisecond+time.Nanosecond {
				t.Errorf("wait %d is %v, want at most %v ms", i+1, wait, int(bound))
			}
			waits[wait] = true
		}
		if len(waits) == 1 {
			t.Errorf("every wait was the same: %v", waits)
		}
	})
}

// A stalled service delays a call by exactly the deadline.
func TestDeadlineIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &transcript{}
		start := time.Now()
		_, err := s.embedder(t, defaultPolicy()).Query(t.Context(), "why")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v, want DeadlineExceeded and ErrUnavailable", err)
		}
		if waited, want := time.Since(start), defaultPolicy().Deadline; waited != want {
			t.Errorf("waited %v, want %v", waited, want)
		}
	})
}

// At the deadline, finished vectors are returned and the other calls are cancelled.
func TestDeadlineKeepsWhatIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sigs := newSignatures(3)
		stopped := make(chan struct{})
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if text, _ := io.ReadAll(r.Body); !strings.Contains(string(text), sigs[1].Text) {
				return okResponse(), nil
			}
			<-r.Context().Done()
			close(stopped)
			return nil, r.Context().Err()
		})}
		e := embedderWith(t, client, defaultPolicy(), batchSize(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		vectors, err := e.Documents(ctx, sigs, nil)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v, want DeadlineExceeded and ErrUnavailable", err)
		}
		if len(vectors) != 2 || vectors[sigs[0].ID] == nil || vectors[sigs[2].ID] == nil {
			t.Errorf("vectors are %v, want those of the first and the last", vectors)
		}
		<-stopped
	})
}
