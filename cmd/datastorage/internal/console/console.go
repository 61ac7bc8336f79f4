// Package console writes to a terminal or into a pipe: tables, records and JSON for the one who reads them, and never a
// character that could take a terminal over. It knows nothing of what is written.
package console

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Stream is an output.
type Stream struct {
	io.Writer
	// Terminal is whether a person looks at it.
	Terminal bool
	// Redraws is whether lines may be drawn over: a terminal that can, and nobody who asked for none of it by NO_COLOR
	// (no-color.org) or TERM=dumb.
	Redraws bool
}

// Open is the stream of a file of the process.
func Open(file *os.File, getenv func(string) string) *Stream {
	terminal := term.IsTerminal(int(file.Fd()))
	return &Stream{
		Writer:   file,
		Terminal: terminal,
		Redraws:  terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
	}
}

// Line writes one line of talk, with the texts in it made safe.
func (s *Stream) Line(format string, args ...any) {
	// A terminal that is gone cannot be told so.
	_, _ = fmt.Fprintln(s, Lines(fmt.Sprintf(format, args...)))
}
