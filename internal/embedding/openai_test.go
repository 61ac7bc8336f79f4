package embedding

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestOpenAIRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Settings)
		texts  []string
		want   request
	}{
		{
			name: "plain", change: func(*Settings) {}, texts: []string{"pod <id> is down", "b"},
			want: request{Input: []string{"pod <id> is down", "b"}, EncodingFormat: "float"},
		},
		{
			name: "with a key and a slash", texts: []string{"a"},
			change: func(s *Settings) {
				s.APIKey = newSecret("sk-123")
				s.URL += "/"
			},
			want: request{Input: []string{"a"}, EncodingFormat: "float", authorization: "Bearer sk-123"},
		},
		{
			name: "long text", change: func(*Settings) {},
			texts: []string{"  " + strings.Repeat("alpha ", 2000), strings.Repeat("é", 9000)},
			want: request{
				Input:          []string{strings.TrimSpace(strings.Repeat("alpha ", maxOpenAIInput/6)), strings.Repeat("é", maxOpenAIInput)},
				EncodingFormat: "float",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondWithVectors)
			settings := serviceSettings(s)
			tt.change(&settings)
			p, err := newOpenAI(&http.Client{}, settings, apiKey{fixed: settings.APIKey})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Embed(t.Context(), tt.texts, queryInput); err != nil {
				t.Fatal(err)
			}
			tt.want.Model, tt.want.path, tt.want.contentType = "test-model", "/v1/embeddings", "application/json"
			if diff := cmp.Diff([]request{tt.want}, s.received(), cmp.AllowUnexported(request{})); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenAIResponse(t *testing.T) {
	t.Parallel()
	encode := func(vector []float32) string {
		var raw []byte
		for _, x := range vector {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	tests := []struct{ name, response string }{
		{"in order", `{"data": [{"index": 0, "embedding": [1, -2.5, 3e-2, 4]}, {"index": 1, "embedding": [5, 6, 7, 8]}]}`},
		{"out of order", `{"data": [{"index": 1, "embedding": [5, 6, 7, 8]}, {"index": 0, "embedding": [1, -2.5, 0.03, 4]}]}`},
		{"base64", fmt.Sprintf(`{"data": [{"index": 0, "embedding": %q}, {"index": 1, "embedding": %q}]}`,
			encode([]float32{1, -2.5, 0.03, 4}), encode([]float32{5, 6, 7, 8}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := newOpenAI(&http.Client{}, serviceSettings(serve(t, respondWithBody(tt.response))), apiKey{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Embed(t.Context(), []string{"a", "b"}, documentInput)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]float32{{1, -2.5, 0.03, 4}, {5, 6, 7, 8}}, got); diff != "" {
				t.Errorf("vectors (-want +got):\n%s", diff)
			}
		})
	}
}

// attempts is the number of calls for a transient failure under the policy of the tests.
const attempts = 3

// openAIFailure is a failure of a service, the Embedder's error for one text, and the number of
// calls.
type openAIFailure struct {
	name    string
	respond responder
	want    error
	calls   int
}

func openAIFailures() []openAIFailure {
	one := func(vector string) responder {
		return respondWithBody(fmt.Sprintf(`{"data": [{"index": 0, "embedding": %s}]}`, vector))
	}
	return []openAIFailure{
		{"throttled", respondWithStatus(429), ErrUnavailable, attempts},
		{"request timeout", respondWithStatus(408), ErrUnavailable, attempts},
		{"internal error", respondWithStatus(500), ErrUnavailable, attempts},
		{"bad gateway", respondWithStatus(502), ErrUnavailable, attempts},
		{"overloaded", respondWithStatus(503), ErrUnavailable, attempts},
		{"gateway timeout", respondWithStatus(504), ErrUnavailable, attempts},
		{"no such method", respondWithStatus(501), ErrUnavailable, 1},
		{"bad key", respondWithStatus(401), ErrUnavailable, 1},
		{"not allowed", respondWithStatus(403), ErrUnavailable, 1},
		{"no such model", respondWithStatus(404), ErrUnavailable, 1},
		{"no content", respondWithStatus(204), ErrUnavailable, 1},
		{"bad request", respondWithStatus(400), ErrRefused, 1},
		{"text too long", respondWithStatus(413), ErrRefused, 1},
		{"validation", respondWithStatus(422), ErrRefused, 1},
		{"redirect", respondWithRedirect, ErrUnavailable, 1},
		{"connection closed", closeConnection, ErrUnavailable, attempts},
		{"body cut by the connection", respondWithCutBody, ErrUnavailable, attempts},
		{"body cut", respondWithBody(`{"data": [{"index": 0, "embedding": [1, 2`), ErrUnavailable, attempts},
		{"empty body", respondWithBody(""), ErrUnavailable, attempts},
		{"not JSON", respondWithBody("<html>welcome</html>"), ErrUnavailable, attempts},
		{"two values", respondWithBody(`{"data": []} {"data": []}`), ErrUnavailable, attempts},
		{"JSON of another shape", respondWithBody(`{"data": {"embedding": [1, 2, 3, 4]}}`), ErrUnavailable, 1},
		{"an array", respondWithBody(`[[1, 2, 3, 4]]`), ErrUnavailable, 1},
		{"huge body", respondWithHugeBody, ErrUnavailable, 1},
		{"no vector", respondWithBody(`{"data": []}`), ErrUnavailable, 1},
		{"no data", respondWithBody(`{}`), ErrUnavailable, 1},
		{"more vectors than texts", respondWithBody(`{"data": [{"index": 0, "embedding": [1,2,3,4]}, {"index": 1, "embedding": [1,2,3,4]}]}`), ErrUnavailable, 1},
		{"index out of range", respondWithBody(`{"data": [{"index": 1, "embedding": [1,2,3,4]}]}`), ErrUnavailable, 1},
		{"negative index", respondWithBody(`{"data": [{"index": -1, "embedding": [1,2,3,4]}]}`), ErrUnavailable, 1},
		{"too few dimensions", one("[1, 2, 3]"), ErrUnavailable, 1},
		{"too many dimensions", one("[1, 2, 3, 4, 5]"), ErrUnavailable, 1},
		{"empty vector", one("[]"), ErrUnavailable, 1},
		{"base64 of too few dimensions", one(`"AACAPw=="`), ErrUnavailable, 1},
		{"NaN as null", one("[1, null, 3, 4]"), ErrRefused, 1},
		{"NaN as a token", one("[1, NaN, 3, 4]"), ErrRefused, 1},
		{"infinity as a token", one("[1, -Infinity, 3, 4]"), ErrRefused, 1},
		{"infinity as a number beyond float32", one("[1, 1e39, 3, 4]"), ErrRefused, 1},
		{"NaN as a string", one(`[1, "NaN", 3, 4]`), ErrRefused, 1},
		{"NaN in base64", one(`"AACAPwAAwH8AAIA/AACAPw=="`), ErrRefused, 1},
		{"infinity in base64", one(`"AACAPwAAgH8AAIA/AACAPw=="`), ErrRefused, 1},
		{"zero vector", one("[0, 0, 0, 0]"), ErrRefused, 1},
		{"null vector", one("null"), ErrRefused, 1},
		{"base64 cut", one(`"AACAPwA"`), ErrRefused, 1},
		{"base64 of half a number", one(`"AACA"`), ErrRefused, 1},
	}
}

func TestOpenAIFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range openAIFailures() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.respond)
			e := serviceEmbedder(t, s, patientPolicy())
			got, err := e.Query(t.Context(), "some text")
			if !errors.Is(err, tt.want) || got != nil {
				t.Errorf("Query = %v, %v; want no vector and %v", got, err, tt.want)
			}
			if errors.Is(err, ErrRefused) && errors.Is(err, ErrUnavailable) {
				t.Errorf("%v is both errors", err)
			}
			want := Counts{Misses: 1, Calls: int64(tt.calls), Failures: int64(tt.calls)}
			if diff := cmp.Diff(want, e.Counts()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			// The transport resends a request when a reused connection turns out to be dead, so the
			// service may see more requests than calls, never fewer.
			if n := len(s.received()); n < tt.calls {
				t.Errorf("the service got %d requests, want %d", n, tt.calls)
			}
		})
	}
}

func respondWithRedirect(n int, w http.ResponseWriter, r *http.Request, req request) {
	if n == 1 {
		http.Redirect(w, r, "/v1/embeddings", http.StatusTemporaryRedirect)
		return
	}
	respondWithVectors(n, w, r, req)
}

func closeConnection(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func respondWithCutBody(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"data": [{"index": 0, "embedding": [1, 2`)
}

func respondWithHugeBody(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
	_, _ = io.WriteString(w, `{"data": [{"index": 0, "embedding": [1, 2, 3, 4]}]`+strings.Repeat(" ", 1<<20)+`}`)
}

// A duplicate index in a batch leaves a text without its vector.
func TestOpenAIBatchFailures(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, response string }{
		{"same index twice", `{"data": [{"index": 0, "embedding": [1,2,3,4]}, {"index": 0, "embedding": [5,6,7,8]}]}`},
		{"no index", `{"data": [{"embedding": [1,2,3,4]}, {"embedding": [5,6,7,8]}]}`},
		{"fewer vectors than texts", `{"data": [{"index": 0, "embedding": [1,2,3,4]}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondWithBody(tt.response))
			e := serviceEmbedder(t, s, patientPolicy())
			vectors, err := e.Documents(t.Context(), newSignatures(2), nil)
			if !errors.Is(err, ErrUnavailable) || len(vectors) != 0 {
				t.Errorf("Documents = %v, %v; want nothing and ErrUnavailable", vectors, err)
			}
			if n := len(s.received()); n != 1 {
				t.Errorf("the service got %d requests, want 1", n)
			}
		})
	}
}

func TestOpenAIStall(t *testing.T) {
	t.Parallel()
	s := serve(t, stallResponse)
	cfg := patientPolicy()
	cfg.CallTimeout, cfg.Attempts = 20*time.Millisecond, 2
	e := serviceEmbedder(t, s, cfg)
	_, err := e.Query(t.Context(), "some text")
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want ErrUnavailable and DeadlineExceeded", err)
	}
	if got := e.Counts().Calls; got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
}

// stallResponse does not respond until the client disconnects.
func stallResponse(_ int, _ http.ResponseWriter, r *http.Request, _ request) {
	<-r.Context().Done()
}

func TestOpenAIConnectionRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, respondWithVectors)
	e := serviceEmbedder(t, s, patientPolicy(), func(s *Settings) { s.URL = "http://127.0.0.1:1/v1" })
	_, err := e.Query(t.Context(), "some text")
	if !errors.Is(err, ErrUnavailable) || e.Counts().Calls != 3 {
		t.Errorf("error is %v after %d calls, want ErrUnavailable after 3", err, e.Counts().Calls)
	}
}

// An error contains the service's message as one bounded line, without the key.
func TestOpenAIErrorMessage(t *testing.T) {
	t.Parallel()
	const key = "sk-live-4242"
	long := strings.Repeat("word ", 500)
	tests := []struct {
		name, body, want string
		status           int
	}{
		{"OpenAI", `{"error": {"message": "maximum context\nlength is 8192", "type": "x"}}`, "status 400: maximum context length is 8192", 400},
		{"Ollama", `{"error": "model \"x\" not found"}`, `status 404: model "x" not found`, 404},
		{"vLLM", `{"object": "error", "message": "too long", "code": 400}`, "status 400: too long", 400},
		{"key quoted", `{"error": "your key ` + key + ` is odd"}`, "status 400: your key [redacted] is odd", 400},
		{"key quoted in part", `{"error": {"message": "Incorrect API key provided: sk-live-**42"}}`, "status 401", 401},
		{"long", `{"error": "` + long + `"}`, "status 400: " + strings.TrimSpace(long[:160]), 400},
		{"not JSON", `<html>` + long, "status 404", 404},
		{"control characters", "{\"error\": \"a\\u0000b\\u202ec\"}", "status 400: a b c", 400},
		{"of another shape", `{"error": [1], "message": ""}`, "status 404", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			e := serviceEmbedder(t, s, patientPolicy(), func(s *Settings) { s.APIKey = newSecret(key) })
			_, err := e.Query(t.Context(), "some text")
			kind := ErrUnavailable
			if tt.status == 400 {
				kind = ErrRefused
			}
			if want := kind.Error() + ": " + tt.want; err == nil || err.Error() != want {
				t.Errorf("error is %q, want %q", err, want)
			}
		})
	}
}

func TestOpenAISettings(t *testing.T) {
	t.Parallel()
	valid := Settings{URL: "https://example.org/v1", Model: "m", Dimensions: 384, Batch: 64}
	tests := []struct {
		name   string
		change func(*Settings)
		want   []string // fields that the error names
	}{
		{"valid", func(*Settings) {}, nil},
		{"zero", func(s *Settings) { *s = Settings{} }, []string{"URL", "Model", "Dimensions", "Batch"}},
		{"no scheme", func(s *Settings) { s.URL = "example.org/v1" }, []string{"URL"}},
		{"another scheme", func(s *Settings) { s.URL = "file:///etc/passwd" }, []string{"URL"}},
		{"not a URL", func(s *Settings) { s.URL = "http://u:hunter2@[" }, []string{"URL"}},
		{"credentials", func(s *Settings) { s.URL = "http://u:hunter2@example.org" }, []string{"URL"}},
		{"query", func(s *Settings) { s.URL = "http://example.org/?key=hunter2" }, []string{"URL"}},
		{"long name", func(s *Settings) { s.Model = strings.Repeat("m", 256) }, []string{"Model"}},
		{"dimensions", func(s *Settings) { s.Dimensions = 4001 }, []string{"Dimensions"}},
		{"batch size", func(s *Settings) { s.Batch = 2049 }, []string{"Batch"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings := valid
			tt.change(&settings)
			_, err := newOpenAI(&http.Client{}, settings, apiKey{fixed: settings.APIKey})
			if diff := cmp.Diff(tt.want, fieldsNamed(err), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("fields named by %v (-want +got):\n%s", err, diff)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
}

// fieldsNamed returns the first words of the lines of a validation error.
func fieldsNamed(err error) []string {
	if err == nil {
		return nil
	}
	var fields []string
	for line := range strings.Lines(strings.TrimPrefix(err.Error(), "configure the embedder: ")) {
		fields = append(fields, strings.Fields(line)[0])
	}
	return fields
}

// The request has the keys of the API's documentation.
func TestOpenAIRequestJSON(t *testing.T) {
	t.Parallel()
	raw := make(chan map[string]any, 1)
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		var decoded map[string]any
		if err := json.NewDecoder(r.Body).Decode(&decoded); err != nil {
			return nil, err
		}
		raw <- decoded
		return &http.Response{StatusCode: 418, Body: http.NoBody}, nil
	})}
	p, err := newOpenAI(client, serviceSettings(&service{url: "http://example.org/v1"}), apiKey{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Embed(t.Context(), []string{"a"}, documentInput); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
	want := map[string]any{"model": "test-model", "input": []any{"a"}, "encoding_format": "float"}
	if diff := cmp.Diff(want, <-raw); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// roundTripper is a transport without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestModelNames(t *testing.T) {
	t.Parallel()
	p, err := newOpenAI(&http.Client{}, serviceSettings(&service{url: "http://example.org/v1"}), apiKey{})
	if err != nil {
		t.Fatal(err)
	}
	got := []Model{p.Model()}
	for _, dimensions := range []int{64, 512} {
		h, err := newHashing(dimensions)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Model())
	}
	want := []Model{
		{Name: "test-model", Dimensions: dimensions},
		{Name: "hash-word-char35-v1", Dimensions: 64},
		{Name: "hash-word-char35-v1", Dimensions: 512},
	}
	if !slices.Equal(got, want) {
		t.Errorf("models are %v, want %v", got, want)
	}
}
