package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// maxResponse bounds the bytes read of a response. The largest that the contract allows is far
// smaller: a page has 4 MiB of records, a remediation 1 MiB of each kind of child.
const maxResponse = 16 << 20

var errResponseTooLong = fmt.Errorf("the response is longer than %d bytes", maxResponse)

// call is one request of the contract, before a Client sends it.
type call struct {
	operation string
	method    string
	// path is that of openapi.yaml; key replaces its variable.
	path string
	// key is the remediation id, or nil if the path has none.
	key   *string
	query url.Values
	// consistent is set if the operation has the parameter consistency.
	consistent bool
	// body is sent as JSON, unless it is nil.
	body any
	// once disables retries.
	once bool
}

// fullResponse is a response with its whole body.
type fullResponse struct {
	status int
	header http.Header
	body   []byte
}

// sendAndDecodeInto sends a call and decodes the response into out. For an error status it returns an
// *Error with the response.
func (c *Client) sendAndDecodeInto(ctx context.Context, call call, out any) (*fullResponse, error) {
	response, err := c.sendWithRetries(ctx, call)
	if err != nil {
		return response, fmt.Errorf("%s: %w", call.operation, joinContextError(ctx, err))
	}
	if err := json.Unmarshal(response.body, out); err != nil {
		return nil, fmt.Errorf("%s: decode the response of status %d: %w", call.operation, response.status, err)
	}
	return response, nil
}

func (c *Client) sendWithRetries(ctx context.Context, call call) (*fullResponse, error) {
	target, err := c.requestURL(call)
	if err != nil {
		return nil, err
	}
	body, err := call.encodeBody()
	if err != nil {
		return nil, err
	}
	policy := c.retry
	if call.once {
		policy.Attempts = 1
	}
	for n := 1; ; n++ {
		request, err := c.newSignedRequest(ctx, call.method, target, body)
		if err != nil {
			return nil, err
		}
		response, err := c.sendAttempt(request)
		if err == nil {
			return response, nil
		}
		pause, again := policy.delayAfterAttempt(n, err)
		if !again || ctx.Err() != nil {
			return response, err
		}
		if err := waitBeforeRetry(ctx, pause, err); err != nil {
			return response, err
		}
	}
}

// requestURL returns the URL of a call.
func (c *Client) requestURL(call call) (string, error) {
	path := call.path
	if call.key != nil {
		if *call.key == "" {
			return "", errors.New("the remediation id is empty")
		}
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + escapePathSegment(*call.key) + after
	}
	target := strings.TrimSuffix(c.base.String(), "/") + path
	query := url.Values{}
	maps.Copy(query, call.query)
	if c.strong && call.consistent {
		query.Set("consistency", "strong")
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return target, nil
}

// escapePathSegment escapes every byte but the unreserved characters of RFC 3986, as UriEncode of AWS
// Signature Version 4 does: a signature is then the same for a verifier that signs the path as sent and for one
// that decodes it first. It also escapes the dots of "." and "..", which URL resolution removes.
func escapePathSegment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	// QueryEscape differs in the space alone: it escapes a plus sign.
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func (c call) encodeBody() ([]byte, error) {
	if c.body == nil {
		return nil, nil
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	// HTML escapes would make json.RawMessage up to six times longer.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c.body); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

func (c *Client) newSignedRequest(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("User-Agent", c.agent)
	request.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.sign != nil {
		if err := c.sign(ctx, request, body); err != nil {
			return nil, fmt.Errorf("sign the request: %w", err)
		}
	}
	return request, nil
}

func (c *Client) sendAttempt(request *http.Request) (*fullResponse, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	if len(body) > maxResponse {
		return nil, errResponseTooLong
	}
	full := &fullResponse{status: response.StatusCode, header: response.Header, body: body}
	if full.status/100 != 2 {
		return full, newErrorFromResponse(full)
	}
	return full, nil
}

// joinContextError returns an error that satisfies errors.Is with the context's error: net/http returns
// the cause of a cancellation instead, if there is one.
func joinContextError(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// addQueryParameter adds a query parameter unless its value is zero, which means the default throughout the
// contract.
func addQueryParameter[T ~string | ~int | ~bool](values url.Values, name string, value T) {
	var zero T
	if value != zero {
		values.Set(name, fmt.Sprint(value))
	}
}
