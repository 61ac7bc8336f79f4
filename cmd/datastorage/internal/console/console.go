// Package console writes tables, records and JSON to a terminal or a pipe, and never a character that could control a terminal. It is
// independent of what the data means.
package console

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Stream is an output of the process.
type Stream struct {
	io.Writer
	// Terminal reports whether the output is a terminal.
	Terminal bool
	// Escapes reports whether lines may be redrawn and words bold: a terminal without NO_COLOR (no-color.org) or TERM=dumb.
	Escapes bool
	// Columns is the terminal's width, 0 if unknown.
	Columns int
}

// Open returns the stream of a file of the process.
func Open(file *os.File, getenv func(string) string) *Stream {
	s := &Stream{Writer: file, Terminal: term.IsTerminal(int(file.Fd()))}
	if s.Terminal {
		s.Escapes = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		// After an error, Columns is 0: unknown.
		s.Columns, _, _ = term.GetSize(int(file.Fd()))
	}
	return s
}

// Line writes one line of text, with unsafe characters escaped.
func (s *Stream) Line(format string, args ...any) {
	// A failed write to this stream cannot be reported anywhere else.
	_, _ = fmt.Fprintln(s, Lines(fmt.Sprintf(format, args...)))
}
