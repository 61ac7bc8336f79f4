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

// openAIConfig configures a provider that speaks the OpenAI embeddings API, as Ollama, Text Embeddings Inference, vLLM and
// OpenAI itself do.
type openAIConfig struct {
	// BaseURL is the address that /embeddings is appended to, http or https, without credentials, query or fragment, such as
	// http://127.0.0.1:11434/v1. Required.
	BaseURL string
	// Model is the model's name as the service knows it, at most 255 bytes. Required.
	Model string
	// Dimensions is the length of the model's vectors, 1 to 16,000 (the most that pgvector stores). Required: an answer of
	// another length is refused, as it cannot be compared with what is stored.
	Dimensions int
	// SendDimensions asks the service for vectors of Dimensions, for models that can shorten theirs. Default false: models
	// that cannot refuse to be asked.
	SendDimensions bool
	// Key is sent as a bearer token; the zero secret sends none. Default none.
	Key secret
	// Base64 asks for vectors in base64 instead of decimal numbers, a third of the bytes. Default false. Either form is read
	// whatever was asked for.
	Base64 bool
	// BatchSize is the most texts in one request, 1 to maxOpenAIBatch. Default 64; Text Embeddings Inference takes 32 unless
	// told otherwise (its --max-client-batch-size).
	BatchSize int
	// MaxInput is the length that longer texts are cut to, in characters. Default 8,192: a token is seldom less than a
	// character, and 8,192 tokens are what OpenAI's models take. For a model of 512 tokens whose server does not cut by itself,
	// set some 512 to 1,500.
	MaxInput int
}

// defaultOpenAIConfig has every default; BaseURL, Model and Dimensions have none.
func defaultOpenAIConfig() openAIConfig {
	return openAIConfig{BatchSize: 64, MaxInput: 8192}
}

// Validate names every field that is missing or out of its range.
func (c openAIConfig) Validate() error {
	return errors.Join(
		validateBaseURL(c.BaseURL),
		validateName("Model", c.Model),
		between("Dimensions", c.Dimensions, 1, 16000),
		between("BatchSize", c.BatchSize, 1, maxOpenAIBatch),
		between("MaxInput", c.MaxInput, 1, 1<<20),
	)
}

func validateBaseURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil: // not repeated: it quotes the URL, which may hold a password
		return errors.New("BaseURL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("BaseURL must begin with http:// or https:// and a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("BaseURL must not have credentials, a query or a fragment")
	}
	return nil
}

func validateName(field, value string) error {
	if value == "" || len(value) > 255 {
		return fmt.Errorf("%s must have 1 to 255 bytes", field)
	}
	return nil
}

// openAIProvider embeds by an HTTP service that speaks the OpenAI embeddings API.
type openAIProvider struct {
	client   *http.Client
	cfg      openAIConfig
	endpoint string
}

// newOpenAI makes the provider, or says what is wrong with the configuration. Redirects are not followed, whatever the client
// says. The client's transport should keep as many idle connections to a host as the Embedder may have calls in flight.
func newOpenAI(client *http.Client, cfg openAIConfig) (*openAIProvider, error) {
	if client == nil {
		return nil, errors.New("configure the OpenAI provider: client is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the OpenAI provider: %w", err)
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &openAIProvider{client: &own, cfg: cfg, endpoint: strings.TrimRight(cfg.BaseURL, "/") + "/embeddings"}, nil
}

// Model is the configured name and dimensions.
func (o *openAIProvider) Model() Model {
	return Model{Name: o.cfg.Model, Dimensions: o.cfg.Dimensions}
}

// MaxBatch is the configured BatchSize.
func (o *openAIProvider) MaxBatch() int {
	return o.cfg.BatchSize
}

// openAIRequest is the body of a request (OpenAI API reference, "Create embeddings").
type openAIRequest struct {
	Model          string   `json:"model"`
	Input          []string `json:"input"`
	EncodingFormat string   `json:"encoding_format"`
	Dimensions     int      `json:"dimensions,omitempty"`
}

// Embed sends one request. The API does not tell documents from queries.
func (o *openAIProvider) Embed(ctx context.Context, texts []string, _ inputKind) ([][]float32, error) {
	req, err := o.request(ctx, truncateAll(texts, o.cfg.MaxInput))
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
		return nil, httpFailure(resp.StatusCode, resp.Header, o.clause(resp.StatusCode, body), nil)
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case int64(len(body)) > limit:
		return nil, unavailable(fmt.Sprintf("answered more than %d bytes", limit), nil)
	}
	return decodeOpenAI(body, len(texts))
}

func (o *openAIProvider) request(ctx context.Context, texts []string) (*http.Request, error) {
	body := openAIRequest{Model: o.cfg.Model, Input: texts, EncodingFormat: "float"}
	if o.cfg.Base64 {
		body.EncodingFormat = "base64"
	}
	if o.cfg.SendDimensions {
		body.Dimensions = o.cfg.Dimensions
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, unavailable("encode the request", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint, bytes.NewReader(encoded))
	if err != nil {
		return nil, unavailable("make the request", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if key := o.cfg.Key.reveal(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return req, nil
}

// responseLimit is the size in bytes beyond which an answer is not read: 64 for a number, where the longest in use have 25 and
// an indented line adds some more, 1 KiB for what stands around a vector, and 64 KiB for what stands around all.
func (o *openAIProvider) responseLimit(texts int) int64 {
	return 64<<10 + int64(texts)*(1<<10+64*int64(o.cfg.Dimensions))
}

// decodeOpenAI reads the vectors of n texts from an answer, whose entries may come in any order.
func decodeOpenAI(body []byte, n int) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int        `json:"index"`
			Embedding wireVector `json:"embedding"`
		} `json:"data"`
	}
	if err := decode(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Data) != n {
		return nil, unavailable(fmt.Sprintf("answered %d vectors for %d texts", len(answer.Data), n), nil)
	}
	vectors := make([][]float32, n)
	for _, entry := range answer.Data {
		if entry.Index < 0 || entry.Index >= n || vectors[entry.Index] != nil {
			return nil, unavailable(fmt.Sprintf("answered index %d out of range or twice", entry.Index), nil)
		}
		vectors[entry.Index] = entry.Embedding
	}
	return vectors, nil
}

// clause is what an error says of an answer that is not a success: the status, and a bounded line of the service's message, in
// which the key does not occur. Messages about credentials quote parts of them, so those are left out altogether.
func (o *openAIProvider) clause(status int, body []byte) string {
	text := fmt.Sprintf("answered status %d", status)
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return text
	}
	message := openAIMessage(body)
	if key := o.cfg.Key.reveal(); key != "" {
		message = strings.ReplaceAll(message, key, "[redacted]")
	}
	if message = bounded(message); message != "" {
		text += ": " + message
	}
	return text
}

// openAIMessage is the message of an error answer: error.message as OpenAI has it, error as Ollama and Text Embeddings
// Inference, message as vLLM before 0.10. Empty if it is none of these.
func openAIMessage(body []byte) string {
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
