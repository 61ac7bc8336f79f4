package embedding

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// dimensions is the length of the service's vectors.
const dimensions = 4

// request is a decoded request of the OpenAI API.
type request struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`

	path          string
	authorization string
	contentType   string
}

// service is a local embedding service with the OpenAI API. It records its requests.
type service struct {
	url string

	mu       sync.Mutex
	requests []request
}

// responder handles a request; n counts the requests from 1.
type responder func(n int, w http.ResponseWriter, r *http.Request, req request)

func serve(t *testing.T, respond responder) *service {
	t.Helper()
	s := &service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := request{path: r.URL.Path, authorization: r.Header.Get("Authorization"), contentType: r.Header.Get("Content-Type")}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest) // or the client disconnected
			return
		}
		// net/http notices that the client disconnects only after the body is read.
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, req)
		n := len(s.requests)
		s.mu.Unlock()
		respond(n, w, r, req)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/v1"
	return s
}

// received returns the requests so far.
func (s *service) received() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// texts returns the texts of all requests.
func (s *service) texts() []string {
	var texts []string
	for _, req := range s.received() {
		texts = append(texts, req.Input...)
	}
	return texts
}

// vectorOf returns the service's vector for a text, which is not normalized.
func vectorOf(text string) []float32 {
	sum := 0
	for i, b := range []byte(text) {
		sum += (i + 1) * int(b)
	}
	return []float32{float32(len(text)), float32(sum % 97), -3, 0.5}
}

// respondWithVectors responds with a vector per text.
func respondWithVectors(_ int, w http.ResponseWriter, _ *http.Request, req request) {
	type entry struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	data := make([]entry, len(req.Input))
	for i, text := range req.Input {
		data[i] = entry{Object: "embedding", Index: i, Embedding: vectorOf(text)}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"object": "list", "data": data, "model": req.Model, "usage": map[string]int{"prompt_tokens": 1, "total_tokens": 1},
	})
}

// respondWithStatus responds with an error of the OpenAI API.
func respondWithStatus(code int) responder {
	return func(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error": {"message": "no can do", "type": "some_error", "param": null, "code": null}}`)
	}
}

// respondWithBody responds with status 200 and this body.
func respondWithBody(text string) responder {
	return func(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
		_, _ = io.WriteString(w, text)
	}
}

func serviceSettings(s *service) Settings {
	return Settings{URL: s.url, Model: "test-model", Dimensions: dimensions, Batch: 64}
}

// patientPolicy is a policy whose deadlines a busy machine does not reach, with short waits between
// retries.
func patientPolicy() policy {
	cfg := defaultPolicy()
	cfg.Deadline, cfg.CallTimeout = time.Minute, time.Minute
	cfg.RetryBase, cfg.RetryMax = time.Millisecond, time.Millisecond
	return cfg
}

func serviceEmbedder(t *testing.T, s *service, cfg policy, change ...func(*Settings)) *Embedder {
	t.Helper()
	atService := func(settings *Settings) { settings.URL = s.url }
	return embedderWith(t, &http.Client{}, cfg, append([]func(*Settings){atService}, change...)...)
}

// embedderWith uses the client, and a placeholder URL unless a change sets one.
func embedderWith(
	t *testing.T, client *http.Client, cfg policy, change ...func(*Settings),
) *Embedder {
	t.Helper()
	settings := serviceSettings(&service{url: "http://example.org/v1"})
	for _, c := range change {
		c(&settings)
	}
	provider, err := newOpenAI(client, settings, apiKey{fixed: settings.APIKey})
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEmbedder(provider, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func batchSize(n int) func(*Settings) {
	return func(s *Settings) { s.Batch = n }
}

// newSignatures returns n distinct signatures.
func newSignatures(n int) []audit.Signature {
	sigs := make([]audit.Signature, n)
	for i := range sigs {
		sigs[i] = testSignature(fmt.Sprintf("incident number %d", i))
	}
	return sigs
}

func testSignature(text string) audit.Signature {
	sum := sha256.Sum256([]byte(text))
	return audit.Signature{ID: audit.ID(sum[:16]), Text: text, Normalizer: signature.Version}
}

// eventually waits until other goroutines make the condition true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen within 30 s: %s", what)
		}
	}
}
