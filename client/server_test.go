package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// withQuickRetries is a retry policy with short waits.
func withQuickRetries(attempts int) client.Option {
	return client.WithRetry(client.RetryPolicy{Attempts: attempts, BaseDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond})
}

// request is a request that the server received.
type request struct {
	method, target, body string
	header               http.Header
}

// server handles each request with the next of its handlers, and with the last one from then on.
type server struct {
	*httptest.Server
	handlers []http.HandlerFunc

	mu   sync.Mutex
	seen []request
}

func serve(tb testing.TB, handlers ...http.HandlerFunc) *server {
	tb.Helper()
	s := &server{handlers: handlers}
	s.Server = httptest.NewServer(s)
	tb.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = []byte(err.Error())
	}
	s.mu.Lock()
	s.seen = append(s.seen, request{method: r.Method, target: r.RequestURI, body: string(body), header: r.Header})
	handler := s.handlers[min(len(s.seen), len(s.handlers))-1]
	s.mu.Unlock()
	handler(w, r)
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *server) client(tb testing.TB, options ...client.Option) *client.Client {
	tb.Helper()
	c, err := client.New(s.URL, append([]client.Option{withQuickRetries(4)}, options...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// respondWith returns a handler with one fixed response; headers are pairs of name and value.
func respondWith(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func respondOK(body string, headers ...string) http.HandlerFunc {
	return respondWith(http.StatusOK, "application/json", body, headers...)
}

// cutConnection breaks the connection before anything is returned.
func cutConnection(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

// cutResponse breaks the connection in the middle of the response.
func cutResponse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"id":1,`)
}

// stallResponse does not respond until the client disconnects.
func stallResponse(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

const receipt = `{"id":7,"remediation_id":"r-1","created_at":"2026-03-01T10:00:00.123456Z","embedding":"stored",` +
	`"event_id":"0195a8f0-0000-7000-8000-000000000001","leaf_hash":"ab"}`

func respondProblem(status int, body string, headers ...string) http.HandlerFunc {
	return respondWith(status, "application/problem+json", body, headers...)
}
