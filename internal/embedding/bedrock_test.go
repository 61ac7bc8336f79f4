package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// bedrock is a local server with the wire format of the Bedrock runtime, and an SDK client for it.
type bedrock struct {
	client *bedrockruntime.Client

	mu    sync.Mutex
	paths []string
	sent  []map[string]any
}

func serveBedrock(t *testing.T, respond func(n int, w http.ResponseWriter, r *http.Request, sent map[string]any)) *bedrock {
	t.Helper()
	b := &bedrock{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent map[string]any
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest) // or the client disconnected
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			t.Errorf("the request is not signed: %q", r.Header.Get("Authorization"))
		}
		b.mu.Lock()
		b.paths = append(b.paths, r.Method+" "+r.URL.EscapedPath())
		b.sent = append(b.sent, sent)
		n := len(b.sent)
		b.mu.Unlock()
		respond(n, w, r, sent)
	}))
	t.Cleanup(server.Close)
	b.client = bedrockruntime.New(bedrockruntime.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
		}),
	})
	return b
}

func (b *bedrock) calls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

func (b *bedrock) embedder(t *testing.T, model Model, policy policy) *Embedder {
	t.Helper()
	p, err := newBedrock(b.client, bedrockSettings(model))
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEmbedder(p, policy)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func bedrockSettings(model Model) Settings {
	return Settings{Model: model.Name, Dimensions: model.Dimensions}
}

// titan1024 is the default model.
func titan1024() Model { return Model{Name: titanV2, Dimensions: 1024} }

// wideVector returns a vector of n dimensions in the direction of the first.
func wideVector(n int) []float32 {
	vector := make([]float32, n)
	vector[0] = 2
	return vector
}

// respondAsTitan responds like Amazon Titan Text Embeddings V2.
func respondAsTitan(_ int, w http.ResponseWriter, _ *http.Request, sent map[string]any) {
	vector := wideVector(int(sent["dimensions"].(float64)))
	_ = json.NewEncoder(w).Encode(map[string]any{
		"embedding": vector, "inputTextTokenCount": 3, "embeddingsByType": map[string]any{"float": vector},
	})
}

// respondAsCohere responds like the Cohere Embed models.
func respondAsCohere(_ int, w http.ResponseWriter, _ *http.Request, sent map[string]any) {
	texts := sent["texts"].([]any)
	vectors := make([][]float32, len(texts))
	for i := range texts {
		vectors[i] = wideVector(1024)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"embeddings": vectors, "id": "0f1e", "response_type": "embeddings_floats", "texts": texts,
	})
}

func TestTitan(t *testing.T) {
	t.Parallel()
	b := serveBedrock(t, respondAsTitan)
	p, err := newBedrock(b.client, Settings{Model: titanV2, Dimensions: 256})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Embed(t.Context(), []string{strings.Repeat("long ", 10_000)}, documentInput)
	if diff := cmp.Diff([][]float32{wideVector(256)}, got); err != nil || diff != "" {
		t.Errorf("error %v, vectors (-want +got):\n%s", err, diff)
	}
	want := []map[string]any{{
		"inputText": strings.TrimSpace(strings.Repeat("long ", 8192/5)), "dimensions": 256.0, "normalize": true,
	}}
	if diff := cmp.Diff(want, b.sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"POST /model/amazon.titan-embed-text-v2%3A0/invoke"}, b.paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestCohere(t *testing.T) {
	t.Parallel()
	for input, name := range map[inputKind]string{documentInput: "search_document", queryInput: "search_query"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveBedrock(t, respondAsCohere)
			p, err := newBedrock(b.client, Settings{Model: cohereMultilingual, Dimensions: 1024})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Embed(t.Context(), []string{"a", strings.Repeat("ü", 3000)}, input)
			if diff := cmp.Diff([][]float32{wideVector(1024), wideVector(1024)}, got); err != nil || diff != "" {
				t.Errorf("error %v, vectors (-want +got):\n%s", err, diff)
			}
			want := []map[string]any{{"texts": []any{"a", strings.Repeat("ü", 2048)}, "input_type": name, "truncate": "END"}}
			if diff := cmp.Diff(want, b.sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"POST /model/cohere.embed-multilingual-v3/invoke"}, b.paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

// respondAsCohereV4 responds like Cohere Embed v4 to a request for one type: by type.
func respondAsCohereV4(_ int, w http.ResponseWriter, _ *http.Request, sent map[string]any) {
	texts := sent["texts"].([]any)
	vectors := make([][]float32, len(texts))
	for i := range texts {
		vectors[i] = wideVector(int(sent["output_dimension"].(float64)))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "0f1e", "texts": texts, "embeddings": map[string]any{"float": vectors}, "response_type": "embeddings_by_type",
	})
}

func TestCohereV4(t *testing.T) {
	t.Parallel()
	for input, name := range map[inputKind]string{documentInput: "search_document", queryInput: "search_query"} {
		for _, dimensions := range []int{256, 512, 1024, 1536} {
			t.Run(fmt.Sprint(name, dimensions), func(t *testing.T) {
				t.Parallel()
				b := serveBedrock(t, respondAsCohereV4)
				p, err := newBedrock(b.client, Settings{Model: cohereV4, Dimensions: dimensions})
				if err != nil {
					t.Fatal(err)
				}
				got, err := p.Embed(t.Context(), []string{"a", strings.Repeat("ü", 9000)}, input)
				if diff := cmp.Diff([][]float32{wideVector(dimensions), wideVector(dimensions)}, got); err != nil || diff != "" {
					t.Errorf("error %v, vectors (-want +got):\n%s", err, diff)
				}
				want := []map[string]any{{
					"texts": []any{"a", strings.Repeat("ü", 8192)}, "input_type": name,
					"embedding_types": []any{"float"}, "output_dimension": float64(dimensions),
				}}
				if diff := cmp.Diff(want, b.sent); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"POST /model/cohere.embed-v4%3A0/invoke"}, b.paths); diff != "" {
					t.Errorf("paths (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// The User Guide documents a plain list of vectors for one type.
func TestCohereV4List(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][][]float32{
		`{"embeddings": [[1, 2], [3, 4]], "response_type": "embeddings_floats"}`:                         {{1, 2}, {3, 4}},
		`{"embeddings": {"float": [[1, 2], [3, 4]], "int8": []}, "response_type": "embeddings_by_type"}`: {{1, 2}, {3, 4}},
		`{"embeddings": null}`: {}, `{"embeddings": {}}`: {},
	} {
		if got, err := decodeCohereV4Response([]byte(body)); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

// respondAsNova responds like Amazon Nova Multimodal Embeddings.
func respondAsNova(_ int, w http.ResponseWriter, _ *http.Request, sent map[string]any) {
	params := sent["singleEmbeddingParams"].(map[string]any)
	_ = json.NewEncoder(w).Encode(map[string]any{"embeddings": []any{map[string]any{
		"embeddingType": "TEXT", "embedding": wideVector(int(params["embeddingDimension"].(float64))), "truncatedCharLength": 8192,
	}}})
}

func TestNova(t *testing.T) {
	t.Parallel()
	for input, purpose := range map[inputKind]string{documentInput: "GENERIC_INDEX", queryInput: "TEXT_RETRIEVAL"} {
		for _, dimensions := range []int{256, 384, 1024, 3072} {
			t.Run(fmt.Sprint(purpose, dimensions), func(t *testing.T) {
				t.Parallel()
				b := serveBedrock(t, respondAsNova)
				p, err := newBedrock(b.client, Settings{Model: nova2, Dimensions: dimensions})
				if err != nil {
					t.Fatal(err)
				}
				got, err := p.Embed(t.Context(), []string{strings.Repeat("ü", 9000)}, input)
				if diff := cmp.Diff([][]float32{wideVector(dimensions)}, got); err != nil || diff != "" {
					t.Errorf("error %v, vectors (-want +got):\n%s", err, diff)
				}
				want := []map[string]any{{
					"schemaVersion": "nova-multimodal-embed-v1", "taskType": "SINGLE_EMBEDDING",
					"singleEmbeddingParams": map[string]any{
						"embeddingPurpose": purpose, "embeddingDimension": float64(dimensions),
						"text": map[string]any{"truncationMode": "END", "value": strings.Repeat("ü", 8192)},
					},
				}}
				if diff := cmp.Diff(want, b.sent); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"POST /model/amazon.nova-2-multimodal-embeddings-v1%3A0/invoke"}, b.paths); diff != "" {
					t.Errorf("paths (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A profile is called in the model's place, and the vectors stay those of the model.
func TestBedrockProfile(t *testing.T) {
	t.Parallel()
	const account = "arn:aws:bedrock:eu-central-1:123456789012:"
	for profile, path := range map[string]string{
		"":                         "cohere.embed-v4%3A0",
		"eu.cohere.embed-v4:0":     "eu.cohere.embed-v4%3A0",
		"global.cohere.embed-v4:0": "global.cohere.embed-v4%3A0",
		account + "inference-profile/eu.cohere.embed-v4:0":                                             "arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.cohere.embed-v4%3A0",
		account + "application-inference-profile/qibm5eutlkcy":                                         "arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%2Fqibm5eutlkcy",
		"arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.cohere.embed-v4:0": "arn%3Aaws-us-gov%3Abedrock%3Aus-gov-west-1%3A123456789012%3Ainference-profile%2Fus-gov.cohere.embed-v4%3A0",
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			b := serveBedrock(t, respondAsCohereV4)
			p, err := newBedrock(b.client, Settings{Model: cohereV4, Dimensions: 256, Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Embed(t.Context(), []string{"a"}, documentInput); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"POST /model/" + path + "/invoke"}, b.paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			if got := p.Model().String(); got != "cohere.embed-v4:0@256" {
				t.Errorf("vectors are stored under %s", got)
			}
		})
	}
}

func TestBedrockProfileIsRefused(t *testing.T) {
	t.Parallel()
	client := bedrockruntime.New(bedrockruntime.Options{Region: "eu-central-1"})
	for _, profile := range []string{
		"us.amazon.titan-embed-text-v2:0", "cohere.embed-v4:0", "eu.cohere.embed-v4", "eu", "arn:aws:s3:::bucket",
		"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/us.amazon.titan-embed-text-v2:0",
		"arn:aws:bedrock:eu-central-1::foundation-model/cohere.embed-v4:0",
		"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/",
	} {
		_, err := newBedrock(client, Settings{Model: cohereV4, Dimensions: 256, Profile: profile})
		if err == nil || !strings.HasPrefix(err.Error(), "Profile must be an inference profile of cohere.embed-v4:0") {
			t.Errorf("%s: %v", profile, err)
		}
	}
	_, err := newBedrock(client, Settings{Model: "eu.cohere.embed-v4:0", Dimensions: 256})
	if want := "Model is an inference profile: set Model to cohere.embed-v4:0 and Profile to eu.cohere.embed-v4:0"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Titan and Nova accept one text per call, Cohere accepts 96.
func TestBedrockBatches(t *testing.T) {
	t.Parallel()
	t.Run("titan", func(t *testing.T) {
		t.Parallel()
		b := serveBedrock(t, respondAsTitan)
		vectors, err := b.embedder(t, titan1024(), patientPolicy()).Documents(t.Context(), newSignatures(5), nil)
		if err != nil || len(vectors) != 5 || b.calls() != 5 {
			t.Errorf("%d vectors, %v, %d calls; want 5, nil, 5", len(vectors), err, b.calls())
		}
	})
	t.Run("nova", func(t *testing.T) {
		t.Parallel()
		b := serveBedrock(t, respondAsNova)
		vectors, err := b.embedder(t, Model{Name: nova2, Dimensions: 384}, patientPolicy()).Documents(t.Context(), newSignatures(5), nil)
		if err != nil || len(vectors) != 5 || b.calls() != 5 {
			t.Errorf("%d vectors, %v, %d calls; want 5, nil, 5", len(vectors), err, b.calls())
		}
	})
	for name, respond := range map[string]func(int, http.ResponseWriter, *http.Request, map[string]any){
		cohereEnglish: respondAsCohere, cohereV4: respondAsCohereV4,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveBedrock(t, respond)
			e := b.embedder(t, Model{Name: name, Dimensions: 1024}, patientPolicy())
			vectors, err := e.Documents(t.Context(), newSignatures(200), nil)
			if err != nil || len(vectors) != 200 {
				t.Errorf("%d vectors, %v; want 200, nil", len(vectors), err)
			}
			var sizes []int
			for _, sent := range b.sent {
				sizes = append(sizes, len(sent["texts"].([]any)))
			}
			slices.Sort(sizes)
			if diff := cmp.Diff([]int{8, 96, 96}, sizes); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
		})
	}
}

// Every error of InvokeModel in the REST-JSON protocol, and the number of calls: the SDK's own
// retries are off.
func TestBedrockFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   string
		status int
		want   error
		calls  int
	}{
		{"ThrottlingException", 429, ErrUnavailable, attempts},
		{"ModelNotReadyException", 429, ErrUnavailable, attempts},
		{"ModelTimeoutException", 408, ErrUnavailable, attempts},
		{"ModelErrorException", 424, ErrUnavailable, attempts},
		{"InternalServerException", 500, ErrUnavailable, attempts},
		{"ServiceUnavailableException", 503, ErrUnavailable, attempts},
		{"ValidationException", 400, ErrRefused, 1},
		{"ServiceQuotaExceededException", 400, ErrUnavailable, 1},
		{"AccessDeniedException", 403, ErrUnavailable, 1},
		{"ResourceNotFoundException", 404, ErrUnavailable, 1},
		{"SomethingNewException", 418, ErrUnavailable, 1},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			long := strings.Repeat("words ", 1000)
			b := serveBedrock(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ map[string]any) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Amzn-Errortype", tt.code+":http://internal.amazon.com/coral/com.amazon.bedrock/")
				w.WriteHeader(tt.status)
				_ = json.NewEncoder(w).Encode(map[string]string{"message": long})
			})
			e := b.embedder(t, titan1024(), patientPolicy())
			_, err := e.Query(t.Context(), "why")
			if !errors.Is(err, tt.want) || errors.Is(err, ErrRefused) != errors.Is(tt.want, ErrRefused) {
				t.Errorf("error is %v, want only %v", err, tt.want)
			}
			if got := b.calls(); got != tt.calls {
				t.Errorf("%d calls, want %d", got, tt.calls)
			}
			want := fmt.Sprintf("status %d, %s: words words", tt.status, tt.code)
			if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
				t.Errorf("error %q, want %q within 300 bytes", err, want)
			}
		})
	}
}

func TestBedrockBadResponses(t *testing.T) {
	t.Parallel()
	text := func(body string) func(int, http.ResponseWriter, *http.Request, map[string]any) {
		return func(_ int, w http.ResponseWriter, _ *http.Request, _ map[string]any) { _, _ = io.WriteString(w, body) }
	}
	tests := []struct {
		name    string
		model   string
		respond func(int, http.ResponseWriter, *http.Request, map[string]any)
		want    error
		calls   int
	}{
		{"titan: wrong dimensions", titanV2, text(`{"embedding": [1, 2]}`), ErrUnavailable, 1},
		{"titan: no embedding", titanV2, text(`{}`), ErrUnavailable, 1},
		{"titan: null", titanV2, text(`{"embedding": [1, null]}`), ErrRefused, 1},
		{"titan: cut", titanV2, text(`{"embedding": [1, `), ErrUnavailable, 3},
		{"titan: empty", titanV2, text(``), ErrUnavailable, 3},
		{"cohere: no vectors", cohereEnglish, text(`{"embeddings": []}`), ErrUnavailable, 1},
		{"cohere: by type", cohereEnglish, text(`{"embeddings": {"float": [[1, 2]]}}`), ErrUnavailable, 1},
		{"cohere: wrong dimensions", cohereEnglish, text(`{"embeddings": [[1, 2]]}`), ErrUnavailable, 1},
		{"cohere v4: no vectors", cohereV4, text(`{"embeddings": {"float": []}}`), ErrUnavailable, 1},
		{"cohere v4: another type", cohereV4, text(`{"embeddings": {"int8": [[1, 2]]}}`), ErrUnavailable, 1},
		{"cohere v4: wrong dimensions", cohereV4, text(`{"embeddings": {"float": [[1, 2]]}}`), ErrUnavailable, 1},
		{"cohere v4: overflow", cohereV4, text(`{"embeddings": {"float": [[1, 1e39]]}}`), ErrRefused, 1},
		{"cohere v4: text", cohereV4, text(`{"embeddings": "none"}`), ErrUnavailable, 1},
		{"nova: no vectors", nova2, text(`{"embeddings": []}`), ErrUnavailable, 1},
		{"nova: two vectors", nova2, text(`{"embeddings": [{"embedding": [1]}, {"embedding": [2]}]}`), ErrUnavailable, 1},
		{"nova: wrong dimensions", nova2, text(`{"embeddings": [{"embedding": [1, 2]}]}`), ErrUnavailable, 1},
		{"nova: null", nova2, text(`{"embeddings": [{"embedding": [1, null]}]}`), ErrRefused, 1},
		{"cohere: overflow", cohereEnglish, text(`{"embeddings": [[1, 1e39]]}`), ErrRefused, 1},
		{"connection closed", titanV2, func(_ int, w http.ResponseWriter, r *http.Request, _ map[string]any) {
			closeConnection(0, w, r, request{})
		}, ErrUnavailable, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := serveBedrock(t, tt.respond)
			e := b.embedder(t, Model{Name: tt.model, Dimensions: 1024}, patientPolicy())
			if _, err := e.Query(t.Context(), "why"); !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
			if got := e.Counts().Calls; got != int64(tt.calls) {
				t.Errorf("%d calls, want %d", got, tt.calls)
			}
		})
	}
}

// A stalled call times out and is retried; cancelling a request cancels the call at the service.
func TestBedrockStall(t *testing.T) {
	t.Parallel()
	stalled := func(_ int, _ http.ResponseWriter, r *http.Request, _ map[string]any) { <-r.Context().Done() }
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		policy := patientPolicy()
		policy.CallTimeout, policy.Attempts = 20*time.Millisecond, 2
		e := serveBedrock(t, stalled).embedder(t, titan1024(), policy)
		_, err := e.Query(t.Context(), "why")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) || e.Counts().Calls != 2 {
			t.Errorf("error is %v after %d calls, want DeadlineExceeded and ErrUnavailable after 2", err, e.Counts().Calls)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		gone := make(chan struct{})
		b := serveBedrock(t, func(n int, w http.ResponseWriter, r *http.Request, sent map[string]any) {
			stalled(n, w, r, sent)
			close(gone)
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		e := b.embedder(t, titan1024(), patientPolicy())
		go func() {
			_, err := e.Query(ctx, "why")
			ended <- err
		}()
		eventually(t, "the call began", func() bool { return b.calls() == 1 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v, want Canceled and ErrUnavailable", err)
		}
		<-gone
	})
}

func TestBedrockModel(t *testing.T) {
	t.Parallel()
	client := bedrockruntime.New(bedrockruntime.Options{Region: "eu-central-1"})
	tests := []struct {
		model Model
		want  []string
	}{
		{titan1024(), nil},
		{Model{Name: titanV2, Dimensions: 512}, nil},
		{Model{Name: cohereEnglish, Dimensions: 1024}, nil},
		{Model{Name: titanV2, Dimensions: 384}, []string{"Dimensions"}},
		{Model{Name: cohereEnglish, Dimensions: 512}, []string{"Dimensions"}},
		{Model{Name: cohereV4, Dimensions: 1536}, nil},
		{Model{Name: cohereV4, Dimensions: 384}, []string{"Dimensions"}},
		{Model{Name: nova2, Dimensions: 3072}, nil},
		{Model{Name: nova2, Dimensions: 512}, []string{"Dimensions"}},
		{Model{Name: "amazon.titan-embed-text-v1", Dimensions: 1024}, []string{"Model"}},
		{Model{}, []string{"Model"}},
	}
	for _, tt := range tests {
		t.Run(tt.model.String(), func(t *testing.T) {
			t.Parallel()
			p, err := newBedrock(client, bedrockSettings(tt.model))
			if diff := cmp.Diff(tt.want, fieldsNamed(err), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("fields named by %v (-want +got):\n%s", err, diff)
			}
			if err == nil && p.Model() != tt.model {
				t.Errorf("model is %v", p.Model())
			}
			if err != nil && slices.Equal(tt.want, []string{"Dimensions"}) && !strings.Contains(err.Error(), fmt.Sprint(bedrockModels()[tt.model.Name].dimensions)) {
				t.Errorf("%v does not list the dimensions of the model", err)
			}
		})
	}
}
