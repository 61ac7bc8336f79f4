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

// maxOpenAIBatch is how many texts the OpenAI API takes in one request (API reference, "Create embeddings", input).
const maxOpenAIBatch = 2048

// maxOpenAIInput is the length in runes to which longer texts are cut: OpenAI's models accept 8,192 tokens, and a token is seldom
// shorter than a character.
const maxOpenAIInput = 8192

func openAIKind() providerKind {
	return providerKind{
		name: "openai", defaults: Settings{Batch: 64}, required: []string{"URL", "MODEL", "DIMENSIONS"},
		open: func(_ context.Context, s Settings) (provider, error) {
			return newOpenAI(&http.Client{Transport: newTransport(s.InFlight)}, s)
		},
	}
}

// newTransport returns a transport that keeps a connection open for each concurrent call; the default transport keeps two.
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
	case err != nil: // not repeated: it quotes the URL, which may hold a password
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

// openAIProvider embeds by an HTTP service that speaks the OpenAI embeddings API, as Ollama, Text Embeddings Inference, vLLM and OpenAI
// itself do.
type openAIProvider struct {
	client   *http.Client
	endpoint string
	key      Secret
	model    Model
	maxBatch int
}

// newOpenAI makes the provider, or returns an error that names every field of the settings that is wrong. It does not follow
// redirects, whatever the client says.
func newOpenAI(client *http.Client, s Settings) (*openAIProvider, error) {
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
		client: &own, endpoint: strings.TrimRight(s.URL, "/") + "/embeddings", key: s.APIKey,
		model: Model{Name: s.Model, Dimensions: s.Dimensions}, maxBatch: s.Batch,
	}, nil
}

// Model is the configured name and dimensions.
func (o *openAIProvider) Model() Model { return o.model }

// MaxBatch is the configured batch size.
func (o *openAIProvider) MaxBatch() int { return o.maxBatch }

// openAIRequest is the body of a request (OpenAI API reference, "Create embeddings").
type openAIRequest struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`
}

// Embed sends one request. The API does not tell documents from queries.
func (o *openAIProvider) Embed(ctx context.Context, texts []string, _ inputKind) ([][]float32, error) {
	req, err := o.newRequest(ctx, truncateTexts(texts, maxOpenAIInput))
	if err != nil {
		return nil, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("send the texts: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // the answer has been read or given up by then
	limit := o.responseLimit(len(texts))
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, statusFailure(resp.StatusCode, resp.Header, o.failureMessage(resp.StatusCode, body), nil)
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case int64(len(body)) > limit:
		return nil, unavailableFailure(fmt.Sprintf("answered more than %d bytes", limit), nil)
	}
	return decodeOpenAIResponse(body, len(texts))
}

func (o *openAIProvider) newRequest(ctx context.Context, texts []string) (*http.Request, error) {
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
	if key := o.key.reveal(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req, nil
}

// responseLimit is the size in bytes beyond which an answer is not read: 64 for a number, where the longest in use have 25 and
// an indented line adds some more, 1 KiB for what stands around a vector, and 64 KiB for what stands around all.
func (o *openAIProvider) responseLimit(texts int) int64 {
	return 64<<10 + int64(texts)*(1<<10+64*int64(o.model.Dimensions))
}

// decodeOpenAIResponse reads the vectors of n texts from an answer, whose entries may come in any order.
func decodeOpenAIResponse(body []byte, n int) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int        `json:"index"`
			Embedding wireVector `json:"embedding"`
		} `json:"data"`
	}
	if err := decodeResponse(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Data) != n {
		return nil, unavailableFailure(fmt.Sprintf("answered %d vectors for %d texts", len(answer.Data), n), nil)
	}
	vectors := make([][]float32, n)
	for _, entry := range answer.Data {
		if entry.Index < 0 || entry.Index >= n || vectors[entry.Index] != nil {
			return nil, unavailableFailure(fmt.Sprintf("answered index %d out of range or twice", entry.Index), nil)
		}
		vectors[entry.Index] = entry.Embedding
	}
	return vectors, nil
}

// failureMessage is what an error says of an answer that is not a success: the status, and a bounded line of the service's message, in
// which the key does not occur. Messages about credentials quote parts of them, so those are left out altogether.
func (o *openAIProvider) failureMessage(status int, body []byte) string {
	text := fmt.Sprintf("answered status %d", status)
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return text
	}
	message := openAIErrorMessage(body)
	if key := o.key.reveal(); key != "" {
		message = strings.ReplaceAll(message, key, "[redacted]")
	}
	if message = printableLine(message); message != "" {
		text += ": " + message
	}
	return text
}

// openAIErrorMessage is the message of an error answer: error.message as OpenAI has it, error as Ollama and Text Embeddings
// Inference, message as vLLM before 0.10. Empty if it is none of these.
func openAIErrorMessage(body []byte) string {
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var object struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer.Error, &object) == nil && object.Message != "" {
		return object.Message
	}
	var text string
	if json.Unmarshal(answer.Error, &text) == nil && text != "" {
		return text
	}
	return answer.Message
}
