package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Health asks whether the service is alive. It is asked once, whatever the RetryPolicy.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	call := getHealthCall()
	call.once = true
	return read[Health](ctx, c, call)
}

// Ready asks whether a write and a query would succeed now, and which part they lack. It is asked once, whatever the
// RetryPolicy. When they would not succeed, the error is ErrUnavailable, and the readiness is returned beside it unless
// something before the service answered.
func (c *Client) Ready(ctx context.Context) (*Readiness, error) {
	call := getReadyCall()
	call.once = true
	readiness := new(Readiness)
	answer, err := c.do(ctx, call, readiness)
	if err == nil {
		return readiness, nil
	}
	refusal, refused := errors.AsType[*Error](err)
	if !refused || json.Unmarshal(answer.body, readiness) != nil || len(readiness.Checks) == 0 {
		return nil, err
	}
	refusal.Problem.Detail = "not ready: " + strings.Join(readiness.failed(), "; ")
	return readiness, fmt.Errorf("%s: %w", call.operation, refusal)
}

func (r *Readiness) failed() []string {
	var failed []string
	for _, check := range r.Checks {
		if check.Status == CheckStatusFailed {
			failed = append(failed, strings.TrimSuffix(string(check.Name)+": "+check.Detail, ": "))
		}
	}
	return failed
}
