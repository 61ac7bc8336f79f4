package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Text makes a text safe to show within a line: characters that could control a terminal or break tab-separated values become Go
// escapes, such as \n, \x1b or \u202e.
func Text(text string) string { return escapeUnsafe(text, isPrintable) }

// Lines is Text for a text of several lines; line breaks stay.
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

// isPrintable reports whether a character is shown and has no other effect. Joiners are allowed: emoji and Indic scripts need them.
func isPrintable(r rune) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) || r == zeroWidthJoiner || r == zeroWidthNonJoiner
}

// escapeUnsafeJSON writes the characters of a JSON text that could control a terminal as JSON escapes. No value changes: such
// characters occur in strings only.
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
