package program

import (
	"io"
	"sync"
)

// Output copies the output of a program to Writer and keeps the last part for error messages.
type Output struct {
	Writer io.Writer

	mu  sync.Mutex
	end []byte
}

// Write never fails, so an error of Writer does not stop the program.
func (o *Output) Write(b []byte) (int, error) {
	const kept = 4096
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end = append(o.end, b...)
	o.end = o.end[max(0, len(o.end)-kept):]
	_, _ = o.Writer.Write(b)
	return len(b), nil
}

// End returns the last 4 KiB.
func (o *Output) End() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.end)
}
