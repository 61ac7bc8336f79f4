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
	// Escapes is whether lines may be drawn over and words be bold: a terminal that can, and nobody who asked for none of it by
	// NO_COLOR (no-color.org) or TERM=dumb.
	Escapes bool
	// Columns is the terminal's width, 0 where it is not known.
	Columns int
}

// Open is the stream of a file of the process.
func Open(file *os.File, getenv func(string) string) *Stream {
	s := &Stream{Writer: file, Terminal: term.IsTerminal(int(file.Fd()))}
	if s.Terminal {
		s.Escapes = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
		// A terminal that does not tell has no size.
		s.Columns, _, _ = term.GetSize(int(file.Fd()))
	}
	return s
}

// Line writes one line of talk, with the texts in it made safe.
func (s *Stream) Line(format string, args ...any) {
	// A terminal that is gone cannot be told so.
	_, _ = fmt.Fprintln(s, Lines(fmt.Sprintf(format, args...)))
}
