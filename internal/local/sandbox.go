package local

import (
	"bytes"
	"context"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
)

// sandboxes is a function that can be invoked concurrently, as in Lambda: each invocation uses a
// handler of its own until its response is copied. A handler of lambda.NewHandler returns a buffer
// that its next invocation overwrites (aws-lambda-go v1.55.1, lambda/handler.go: the buffer goes
// back to the pool before Invoke returns), so a shared handler would mix up responses.
type sandboxes struct {
	idle sync.Pool
}

// newSandboxPool returns the sandboxes of a function that lambda.NewHandler accepts.
func newSandboxPool(function any) lambda.Handler {
	s := &sandboxes{}
	s.idle.New = func() any { return lambda.NewHandler(function) }
	return s
}

// Invoke runs the function in an idle sandbox, or in a new one.
func (s *sandboxes) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	handler, _ := s.idle.Get().(lambda.Handler)
	response, err := handler.Invoke(ctx, payload)
	response = bytes.Clone(response)
	s.idle.Put(handler)
	return response, err
}
