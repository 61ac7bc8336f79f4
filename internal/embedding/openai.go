package embedding

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxOpenAIBatch is the maximum number of texts in a request (OpenAI API reference, "Create
// embeddings", input).
const maxOpenAIBatch = 2048

// maxOpenAIInput is the length in runes to which longer texts are cut: OpenAI's models accept 8,192
// tokens, and a token rarely has less than one character.
const maxOpenAIInput = 8192

func openAIKind() providerKind {
	return providerKind{
		name: "openai", defaults: Settings{Batch: 64}, required: []string{"URL", "MODEL", "DIMENSIONS"},
		open: openOpenAI,
	}
}

func openOpenAI(ctx context.Context, s Settings) (provider, error) {
	key, err := openAPIKey(ctx, s)
	if err != nil {
		return nil, err
	}
	return newOpenAI(&http.Client{Transport: newTransport(s.InFlight)}, s, key)
}

// newTransport returns a transport that keeps a connection open for each concurrent call; the
// default transport keeps two.
func newTransport(inFlight int) http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := transport.Clone()
	own.MaxIdleConnsPerHost = max(inFlight, defaultPolicy().InFlight)
	return own
}

func validateBaseURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil: // not wrapped: it quotes the URL, which may contain a password
		return errors.New("URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("URL must begin with http:// or https:// and a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("URL must not have credentials, a query or a fragment")
	}
	return nil
}

func validateName(field, value string) error {
	if value == "" || len(value) > 255 {
		return fmt.Errorf("%s must have 1 to 255 bytes", field)
	}
	return nil
}

// openAIProvider calls the embeddings API of OpenAI, or of a compatible server such as Ollama, Text
// Embeddings Inference or vLLM.
type openAIProvider struct {
	client   *http.Client
	endpoint string
	key      apiKey
	model    Model
	maxBatch int
}

// newOpenAI makes the provider, or returns an error that names every invalid field of the settings.
// The provider does not follow redirects.
func newOpenAI(client *http.Client, s Settings, key apiKey) (*openAIProvider, error) {
	err := errors.Join(
		validateBaseURL(s.URL),
		validateName("Model", s.Model),
		checkRange("Dimensions", s.Dimensions, 1, maxDimensions),
		checkRange("Batch", s.Batch, 1, maxOpenAIBatch),
	)
	if err != nil {
		return nil, err
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &openAIProvider{
		client: &own, endpoint: strings.TrimRight(s.URL, "/") + "/embeddings", key: key,
		model: Model{Name: s.Model, Dimensions: s.Dimensions}, maxBatch: s.Batch,
	}, nil
}

// Model implements provider.
func (o *openAIProvider) Model() Model { return o.model }

// MaxBatch implements provider.
func (o *openAIProvider) MaxBatch() int { return o.maxBatch }

// openAIRequest is the body of a request (OpenAI API reference, "Create embeddings").
type openAIRequest struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`
}

// Embed implements provider. The API does not distinguish documents from queries.
func (o *openAIProvider) Embed(ctx context.Context, texts []string, _ inputKind) ([][]float32, error) {
	key, err := o.key.currentKey(ctx)
	if err != nil {
		return nil, err
	}
	req, err := o.newRequest(ctx, truncateTexts(texts, maxOpenAIInput), key)
	if err != nil {
		return nil, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("send the texts: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	limit := o.responseLimit(len(texts))
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, o.responseFailure(ctx, resp, body, key)
	case err != nil:
		return nil, fmt.Errorf("read the response: %w", err)
	case int64(len(body)) > limit:
		return nil, unavailableFailure(fmt.Sprintf("the response exceeds %d bytes", limit), nil)
	}
	return decodeOpenAIResponse(body, len(texts))
}

func (o *openAIProvider) newRequest(ctx context.Context, texts []string, key string) (*http.Request, error) {
	encoded, err := json.Marshal(openAIRequest{Model: o.model.Name, Input: texts, EncodingFormat: "float"})
	if err != nil {
		return nil, unavailableFailure("encode the request", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(encoded))
	if err != nil {
		return nil, unavailableFailure("make the request", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req, nil
}

// responseLimit is the maximum size of a response in bytes: 64 for each number, which has up to 25
// digits and may be indented, 1 KiB around each vector, and 64 KiB for the rest.
func (o *openAIProvider) responseLimit(texts int) int64 {
	return 64<<10 + int64(texts)*(1<<10+64*int64(o.model.Dimensions))
}

// decodeOpenAIResponse returns the vectors of n texts. The entries of the response may be in any
// order.
func decodeOpenAIResponse(body []byte, n int) ([][]float32, error) {
	var response struct {
		Data []struct {
			Index     int        `json:"index"`
			Embedding wireVector `json:"embedding"`
		} `json:"data"`
	}
	if err := decodeResponse(body, &response); err != nil {
		return nil, err
	}
	if len(response.Data) != n {
		return nil, unavailableFailure(fmt.Sprintf("returned %d vectors for %d texts", len(response.Data), n), nil)
	}
	vectors := make([][]float32, n)
	for _, entry := range response.Data {
		if entry.Index < 0 || entry.Index >= n || vectors[entry.Index] != nil {
			return nil, unavailableFailure(fmt.Sprintf("returned index %d out of range or twice", entry.Index), nil)
		}
		vectors[entry.Index] = entry.Embedding
	}
	return vectors, nil
}

// responseFailure classifies a response without vectors. If the key was refused and its secret has
// another one, a retry may succeed.
func (o *openAIProvider) responseFailure(ctx context.Context, resp *http.Response, body []byte, key string) *failure {
	f := statusFailure(resp.StatusCode, resp.Header, failureMessage(resp.StatusCode, body, key), nil)
	if !keyRefused(resp.StatusCode) {
		return f
	}
	replaced, err := o.key.replaceRefusedKey(ctx, key)
	if f.transient = replaced; err != nil {
		f.message, f.cause = f.message+"; "+err.Error(), err
	}
	return f
}

func keyRefused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// failureMessage returns the status and one line of the service's message, without the API key. A
// message about credentials may quote parts of them and is omitted.
func failureMessage(status int, body []byte, key string) string {
	text := fmt.Sprintf("status %d", status)
	if keyRefused(status) {
		return text
	}
	message := openAIErrorMessage(body)
	if key != "" {
		message = strings.ReplaceAll(message, key, "[redacted]")
	}
	if message = printableLine(message); message != "" {
		text += ": " + message
	}
	return text
}

// openAIErrorMessage returns the message of an error response: error.message of OpenAI, error of
// Ollama and Text Embeddings Inference, message of vLLM before 0.10, or "".
func openAIErrorMessage(body []byte) string {
	var response struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &response) != nil {
		return ""
	}
	var object struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(response.Error, &object) == nil && object.Message != "" {
		return object.Message
	}
	var text string
	if json.Unmarshal(response.Error, &text) == nil && text != "" {
		return text
	}
	return response.Message
}
