package ascii

// Set is a set of ASCII characters. strings.Trim and strings.IndexAny build one on every call,
// which takes longer than scanning a short word.
type Set [256]bool

// Digits is the set of decimal digits.
var Digits = SetOf("0123456789")

// SetOf returns the set of the characters.
func SetOf(chars string) (set Set) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// Index returns the index of the first character of s that is in the set, or -1.
func (set *Set) Index(s string) int {
	for i := range len(s) {
		if set[s[i]] {
			return i
		}
	}
	return -1
}

// Only reports whether all characters of s are in the set.
func (set *Set) Only(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// Trim removes the characters of the set from both ends of s.
func (set *Set) Trim(s string) string {
	for s != "" && set[s[0]] {
		s = s[1:]
	}
	return set.TrimRight(s)
}

// TrimRight removes the characters of the set from the end of s.
func (set *Set) TrimRight(s string) string {
	for s != "" && set[s[len(s)-1]] {
		s = s[:len(s)-1]
	}
	return s
}
