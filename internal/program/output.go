package program

import (
	"io"
	"sync"
)

// Output passes on what a program prints to Writer and keeps the end of it for error messages.
type Output struct {
	Writer io.Writer

	mu  sync.Mutex
	end []byte
}

// Write never fails: a log that cannot be kept must not stop the program that writes it.
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
