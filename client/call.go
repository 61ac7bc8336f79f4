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

// maxAnswer bounds the bytes read of an answer. The largest that the contract allows is far smaller: a page holds 4 MiB of
// records, a remediation 1 MiB of each kind of child.
const maxAnswer = 16 << 20

var errLongAnswer = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// call is one request of the contract, not yet bound to a service.
type call struct {
	operation string
	method    string
	// path is the contract's, with {remediation_id} where key goes.
	path string
	// key is the remediation's; nil where the path has none.
	key   *string
	query url.Values
	// consistent is set on reads that may ask for what was written a moment ago.
	consistent bool
	// body is sent as JSON; nil where there is none.
	body any
	// once is set where only the answer of this moment counts.
	once bool
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a call until it is answered, and decodes the answer into out. A refusal is an *Error, given with the answer.
func (c *Client) do(ctx context.Context, call call, out any) (*answer, error) {
	answer, err := c.send(ctx, call)
	if err != nil {
		return answer, fmt.Errorf("%s: %w", call.operation, withContext(ctx, err))
	}
	if err := json.Unmarshal(answer.body, out); err != nil {
		return nil, fmt.Errorf("%s: decode the answer of status %d: %w", call.operation, answer.status, err)
	}
	return answer, nil
}

func (c *Client) send(ctx context.Context, call call) (*answer, error) {
	target, err := c.target(call)
	if err != nil {
		return nil, err
	}
	body, err := call.payload()
	if err != nil {
		return nil, err
	}
	policy := c.retry
	if call.once {
		policy.Attempts = 1
	}
	for n := 1; ; n++ {
		request, err := c.request(ctx, call.method, target, body)
		if err != nil {
			return nil, err
		}
		answer, err := c.attempt(request)
		if err == nil {
			return answer, nil
		}
		pause, again := policy.next(n, err)
		if !again || ctx.Err() != nil {
			return answer, err
		}
		if err := wait(ctx, pause, err); err != nil {
			return answer, err
		}
	}
}

// target is the call's address. The key's dots are escaped too: a segment "." or ".." would be resolved away.
func (c *Client) target(call call) (string, error) {
	path := call.path
	if call.key != nil {
		if *call.key == "" {
			return "", errors.New("the remediation id is empty")
		}
		segment := strings.ReplaceAll(url.PathEscape(*call.key), ".", "%2E")
		path = strings.Replace(path, "{remediation_id}", segment, 1)
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

func (c call) payload() ([]byte, error) {
	if c.body == nil {
		return nil, nil
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	// What is JSON already is not to grow sixfold by the escapes that HTML would need.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c.body); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

func (c *Client) request(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
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

func (c *Client) attempt(request *http.Request) (*answer, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, errLongAnswer
	}
	answer := &answer{status: response.StatusCode, header: response.Header, body: body}
	if answer.status/100 != 2 {
		return answer, newError(answer)
	}
	return answer, nil
}

// withContext makes sure that an error after the context's end satisfies errors.Is with the context's error: net/http
// gives the cause of a cancellation instead, where there is one.
func withContext(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// addParam adds a query parameter unless it is the zero value, which means the default throughout the contract.
func addParam[T ~string | ~int | ~bool](values url.Values, name string, value T) {
	var zero T
	if value != zero {
		values.Set(name, fmt.Sprint(value))
	}
}
