package local

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// TestSandboxesKeepResponsesSeparate invokes one function many times at once; each answer must be that of its own invocation.
func TestSandboxesKeepResponsesSeparate(t *testing.T) {
	t.Parallel()
	handler := newSandboxes(func(_ context.Context, n int) (string, error) { return fmt.Sprintf("answer %06d", n), nil })
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 500 {
				n := caller*1000 + i
				answer, err := handler.Invoke(t.Context(), []byte(fmt.Sprint(n)))
				if want := fmt.Sprintf("%q", fmt.Sprintf("answer %06d", n)); err != nil || string(answer) != want {
					t.Errorf("%s, %v; wanted %s", answer, err, want)
				}
			}
		})
	}
	callers.Wait()
}
