package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// escape starts the control sequences of terminals (ECMA-48).
const escape = '\x1b'

// controlSequenceLength returns the length of the control sequence at the start of s: a color or
// a movement of the cursor (ESC [ parameters, final byte), or a hyperlink or title (ESC ] …, ended by
// BEL or ESC \). An incomplete sequence is the escape alone.
func controlSequenceLength(s string) int {
	const longest = 4 << 10 // with the address of a hyperlink
	s = s[:min(len(s), longest)]
	switch {
	case strings.HasPrefix(s, "\x1b["):
		end := 2 + ascii.PrefixLen(s[2:], func(c byte) bool { return c >= ' ' && c <= '?' })
		if end < len(s) && s[end] >= '@' && s[end] <= '~' {
			return end + 1
		}
	case strings.HasPrefix(s, "\x1b]"):
		end := strings.IndexAny(s, "\a\n")
		if stop := strings.Index(s, "\x1b\\"); stop >= 0 && (end < 0 || stop < end) {
			return stop + len("\x1b\\")
		}
		if end >= 0 && s[end] == '\a' {
			return end + 1
		}
	case strings.HasPrefix(s, "\x1b\\"):
		return len("\x1b\\")
	}
	return 1
}
