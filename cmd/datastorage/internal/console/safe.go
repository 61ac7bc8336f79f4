package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Text makes a text safe to show as a part of a line: what a terminal or a reader of tab-separated values could take for a
// command is written as an escape of Go, such as \n, \x1b or \u202e.
func Text(text string) string { return escapeUnsafe(text, isPrintable) }

// Lines is Text for a text of several lines, which stay.
func Lines(text string) string {
	return escapeUnsafe(text, func(r rune) bool { return r == '\n' || isPrintable(r) })
}

func escapeUnsafe(text string, keep func(rune) bool) string {
	text = strings.ToValidUTF8(text, string(unicode.ReplacementChar))
	if strings.IndexFunc(text, func(r rune) bool { return !keep(r) }) < 0 {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		if keep(r) {
			safe.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%+q", r)
		safe.WriteString(quoted[1 : len(quoted)-1])
	}
	return safe.String()
}

// isPrintable reports whether a character only shows itself. Joiners are let through: emoji and Indic scripts are written with them.
func isPrintable(r rune) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) || r == zeroWidthJoiner || r == zeroWidthNonJoiner
}

// escapeUnsafeJSON writes the characters of a JSON text that could command a terminal as escapes of JSON, which changes no value:
// outside of strings such characters cannot stand.
func escapeUnsafeJSON(text []byte) []byte {
	safe := make([]byte, 0, len(text))
	for _, r := range strings.ToValidUTF8(string(text), string(unicode.ReplacementChar)) {
		switch {
		case r == '\n' || r == '\t' || isPrintable(r):
			safe = append(safe, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	return safe
}
