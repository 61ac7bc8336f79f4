package signature

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cleanText returns text in the form in which it is compared: without control and invisible
// characters, compatibility forms such as full-width letters composed (NFKC), and all decimal digits
// in ASCII.
func cleanText(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(plainRune, norm.NFKC.String(s))
}

// isPlain reports whether s is printable ASCII and white space.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// plainRune returns the rune for r, or -1 to delete it.
func plainRune(r rune) rune {
	switch {
	case r < ' ' && r != '\n' && r != '\t' && r != '\r', unicode.Is(unicode.Cf, r):
		return -1
	case r < utf8.RuneSelf:
		return r
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsDigit(r):
		return '0' + decimalValue(r)
	}
	return r
}

// decimalValue returns the value of a decimal digit of any script. Unicode encodes the digits of a
// script in order, and every range of category Nd starts with a zero.
func decimalValue(r rune) rune {
	for _, digits := range unicode.Nd.R16 {
		if rune(digits.Lo) <= r && r <= rune(digits.Hi) {
			return (r - rune(digits.Lo)) % 10
		}
	}
	for _, digits := range unicode.Nd.R32 {
		if rune(digits.Lo) <= r && r <= rune(digits.Hi) {
			return (r - rune(digits.Lo)) % 10
		}
	}
	return 0
}
