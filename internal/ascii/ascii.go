// Package ascii provides ASCII character classes and small string helpers. They work on bytes;
// bytes of multi-byte UTF-8 characters are outside every class.
package ascii

import "strings"

// IsDigit reports whether c is a decimal digit.
func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

// IsLower reports whether c is a lower-case letter.
func IsLower(c byte) bool { return c >= 'a' && c <= 'z' }

// IsUpper reports whether c is an upper-case letter.
func IsUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// IsAlnum reports whether c is a letter or a digit.
func IsAlnum(c byte) bool { return IsDigit(c) || IsLower(c) || IsUpper(c) }

// IsHex reports whether c is a hexadecimal digit in either case.
func IsHex(c byte) bool { return IsDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// IsBlank reports whether c is a space or a tab.
func IsBlank(c byte) bool { return c == ' ' || c == '\t' }

// IsSpace reports whether c is a space, a tab or a line break.
func IsSpace(c byte) bool { return IsBlank(c) || c == '\n' || c == '\r' }

// IsWord reports whether c is a letter, a digit, an underscore or a hyphen.
func IsWord(c byte) bool { return IsAlnum(c) || c == '_' || c == '-' }

// IsDottedWord reports whether c is a letter, a digit, an underscore, a hyphen or a dot.
func IsDottedWord(c byte) bool { return IsWord(c) || c == '.' }

// PrefixLen returns the length of the longest prefix of s whose bytes are all in the class.
func PrefixLen(s string, class func(byte) bool) int {
	n := 0
	for n < len(s) && class(s[n]) {
		n++
	}
	return n
}

// HasPrefixFold reports whether s starts with prefix, ignoring case.
func HasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// LastWord returns the last word of a name such as db.userPass or DB_PASS, in lower case.
func LastWord(name string) string {
	start := len(name)
	for start > 0 && IsAlnum(name[start-1]) {
		start--
		if IsUpper(name[start]) && start > 0 && IsLower(name[start-1]) {
			break
		}
	}
	return strings.ToLower(name[start:])
}

// PodAlphabet has the characters of the random suffixes that Kubernetes appends to names
// (apimachinery, util/rand). It omits vowels, so that suffixes do not form words.
var PodAlphabet = SetOf("bcdfghjklmnpqrstvwxz2456789")

// IsPodHash reports whether s consists of shortest to longest characters of PodAlphabet.
func IsPodHash(s string, shortest, longest int) bool {
	return len(s) >= shortest && len(s) <= longest && PodAlphabet.Only(s)
}

// IsBlockIndicator reports whether value is a YAML block scalar indicator: | or >, with optional
// modifiers.
func IsBlockIndicator(value string) bool {
	return value != "" && (value[0] == '|' || value[0] == '>') && strings.Trim(value[1:], "+-0123456789") == ""
}
