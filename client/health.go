package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Health checks that the service runs. It does not retry.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	call := getHealthCall()
	call.once = true
	return sendAndDecode[Health](ctx, c, call)
}

// Ready checks whether a write and a query would succeed. It does not retry. If they would not, it
// returns ErrUnavailable together with the readiness, which is nil if the response is not the
// service's.
func (c *Client) Ready(ctx context.Context) (*Readiness, error) {
	call := getReadyCall()
	call.once = true
	readiness := new(Readiness)
	response, err := c.sendAndDecodeInto(ctx, call, readiness)
	if err == nil {
		return readiness, nil
	}
	refusal, refused := errors.AsType[*Error](err)
	if !refused || json.Unmarshal(response.body, readiness) != nil || len(readiness.Checks) == 0 {
		return nil, err
	}
	refusal.Problem.Detail = "not ready: " + strings.Join(readiness.failedChecks(), "; ")
	return readiness, fmt.Errorf("%s: %w", call.operation, refusal)
}

// Contract returns the service's OpenAPI document.
func (c *Client) Contract(ctx context.Context) (json.RawMessage, error) {
	document, err := sendAndDecode[json.RawMessage](ctx, c, getContractCall())
	if err != nil {
		return nil, err
	}
	return *document, nil
}

func (r *Readiness) failedChecks() []string {
	var failed []string
	for _, check := range r.Checks {
		if check.Status == CheckStatusFailed {
			failed = append(failed, strings.TrimSuffix(string(check.Name)+": "+check.Detail, ": "))
		}
	}
	return failed
}
