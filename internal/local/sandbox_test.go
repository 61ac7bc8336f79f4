package local

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// TestSandboxesKeepResponsesSeparate checks that each of many concurrent invocations gets its own
// response.
func TestSandboxesKeepResponsesSeparate(t *testing.T) {
	t.Parallel()
	handler := newSandboxPool(func(_ context.Context, n int) (string, error) { return fmt.Sprintf("response %06d", n), nil })
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 500 {
				n := caller*1000 + i
				response, err := handler.Invoke(t.Context(), []byte(fmt.Sprint(n)))
				if want := fmt.Sprintf("%q", fmt.Sprintf("response %06d", n)); err != nil || string(response) != want {
					t.Errorf("%s, %v; want %s", response, err, want)
				}
			}
		})
	}
	callers.Wait()
}
