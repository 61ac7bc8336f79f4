package audit

// byteSet is a set of ASCII characters. The strings package makes one anew for each call of Trim or IndexAny, which takes longer than
// short words do.
type byteSet [256]bool

func bytesOf(chars string) (set byteSet) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// index is the place of the first of the characters in s, or -1.
func (set *byteSet) index(s string) int {
	for i := range len(s) {
		if set[s[i]] {
			return i
		}
	}
	return -1
}

// only reports whether s holds nothing else.
func (set *byteSet) only(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// trim takes the characters off both ends of s.
func (set *byteSet) trim(s string) string {
	for s != "" && set[s[0]] {
		s = s[1:]
	}
	return set.trimRight(s)
}

func (set *byteSet) trimRight(s string) string {
	for s != "" && set[s[len(s)-1]] {
		s = s[:len(s)-1]
	}
	return s
}

// decimals are the digits.
var decimals = bytesOf("0123456789")
