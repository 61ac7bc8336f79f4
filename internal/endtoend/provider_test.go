package endtoend_test

import (
	"encoding/json"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const dimensions = 32

// provider is an embedding service with OpenAI's API that counts its requests and fails
// in the ways that a test selects.
type provider struct {
	url string

	mu    sync.Mutex
	key   string           // the key that it accepts
	fail  http.HandlerFunc // nil while it works
	bad   string           // requests that contain it are refused
	gate  chan struct{}    // responses wait until gate is closed
	calls int
	texts map[string]int // number of times each was embedded
}

func newProvider(tb testing.TB) *provider {
	tb.Helper()
	p := &provider{key: secret, texts: map[string]int{}}
	server := httptest.NewServer(p)
	tb.Cleanup(server.Close)
	p.url = server.URL + "/v1"
	return p
}

// env are the settings of a function that uses the provider.
func (p *provider) env() map[string]string {
	return map[string]string{
		"DATASTORAGE_EMBEDDING_PROVIDER": "openai", "DATASTORAGE_EMBEDDING_URL": p.url, "DATASTORAGE_EMBEDDING_MODEL": "made-up",
		"DATASTORAGE_EMBEDDING_DIMENSIONS": "32", "DATASTORAGE_EMBEDDING_DEADLINE": "20s", "DATASTORAGE_EMBEDDING_API_KEY": secret,
		"DATASTORAGE_REQUEST_TIMEOUT": "29s",
	}
}

// envWithShortDeadline is env with a short deadline for the provider.
func (p *provider) envWithShortDeadline() map[string]string {
	env := p.env()
	env["DATASTORAGE_EMBEDDING_DEADLINE"] = "200ms"
	return env
}

// failWith makes the provider respond with this failure from now on.
func (p *provider) failWith(fail http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

// accept replaces the key that the provider accepts.
func (p *provider) accept(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = key
}

// recover ends the failure.
func (p *provider) recover() { p.failWith(nil) }

// refuse makes the provider refuse requests that contain the text.
func (p *provider) refuse(bad string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad = bad
}

// hold delays responses until release is called.
func (p *provider) hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gate := make(chan struct{})
	p.gate = gate
	return func() { close(gate) }
}

// counts returns the number of calls so far, of texts embedded, and of distinct texts.
func (p *provider) counts() (calls, texts, different int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.texts {
		texts += times
	}
	return p.calls, texts, len(p.texts)
}

// ServeHTTP serves POST /v1/embeddings.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls++
	fail, gate, key := p.fail, p.gate, p.key
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if fail != nil {
		fail(w, r)
		return
	}
	var asked struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+key {
		http.Error(w, "wrong key", http.StatusUnauthorized)
		return
	}
	type entry struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	var response struct {
		Data []entry `json:"data"`
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bad != "" && strings.Contains(strings.Join(asked.Input, "\n"), p.bad) {
		http.Error(w, `{"error":{"message":"not this"}}`, http.StatusBadRequest)
		return
	}
	for i, text := range asked.Input {
		p.texts[text]++
		response.Data = append(response.Data, entry{i, bagOfWords(text)})
	}
	_ = json.NewEncoder(w).Encode(response)
}

// bagOfWords adds every word of a text to one of the dimensions.
func bagOfWords(text string) []float32 {
	vector := make([]float32, dimensions)
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(word))
		vector[hash.Sum32()%dimensions]++
	}
	return vector
}

// providerFailures are the known ways in which a provider fails.
func providerFailures() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"stalls": func(_ http.ResponseWriter, r *http.Request) {
			// The server detects that the caller has left once the body is read.
			_ = json.NewDecoder(r.Body).Decode(new(any))
			<-r.Context().Done()
		},
		"throttles": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"fails": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"`+secret+`"}}`, http.StatusInternalServerError)
		},
		"refuses the key": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"babbles":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>` + secret)) },
		"returns too few": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"data":[]}`)) },
		"returns too short": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"data":[{"index":0,"embedding":[1]}]}`))
		},
	}
}
