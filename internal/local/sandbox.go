package local

import (
	"bytes"
	"context"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
)

// sandboxes is a function that may be invoked several times at once, as Lambda does it: each invocation has a handler to itself until its
// answer is taken. A handler of lambda.NewHandler answers out of a buffer that its next invocation overwrites (aws-lambda-go
// v1.55.1, lambda/handler.go: the buffer goes back to the pool before Invoke returns), so sharing one would mix up answers.
type sandboxes struct {
	idle sync.Pool
}

// newSandboxes makes handlers of a function that lambda.NewHandler takes, as they are needed.
func newSandboxes(function any) lambda.Handler {
	s := &sandboxes{}
	s.idle.New = func() any { return lambda.NewHandler(function) }
	return s
}

// Invoke runs the function in a sandbox that is idle, or in a new one.
func (s *sandboxes) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	handler, _ := s.idle.Get().(lambda.Handler)
	answer, err := handler.Invoke(ctx, payload)
	answer = bytes.Clone(answer)
	s.idle.Put(handler)
	return answer, err
}
