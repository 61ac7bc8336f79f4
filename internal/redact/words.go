package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// wordRole is a set of the roles that a word may have for a scanner.
type wordRole uint8

const (
	roleLabel   wordRole = 1 << iota // a part of a label
	roleCommand                      // a part of the name of a program, or a phrase
	roleJoined                       // not a word: hyphens or underscores join several
)

// wordFilter has the roles of words by a hash of 16 bits. It serves as a Bloom filter: most words of
// a text are excluded while their end is searched for.
type wordFilter [1 << 16]wordRole

// vocabulary has the words that are, or are part of, labels, programs and phrases.
var vocabulary = func() *wordFilter {
	filter := &wordFilter{}
	const decides = wordPassword | wordSecret | wordHTTP | wordEntry | wordJSONWebKey
	for word, entry := range labelWords {
		if entry.kind&decides != 0 {
			filter.add(word, roleLabel)
		}
	}
	for _, word := range []string{"key", "keys", "pass", "pw", "clave", "result", "login"} {
		filter.add(word, roleLabel)
	}
	for name := range programs {
		filter.add(name, roleCommand)
	}
	for word := range phrases {
		filter.add(word, roleCommand)
	}
	return filter
}()

// add adds the last run of letters of a word.
func (f *wordFilter) add(word string, role wordRole) {
	word = strings.TrimRight(word, "0123456789")
	hash := wordHash(0)
	for i := range len(word) {
		if c := word[i] | 0x20; ascii.IsLower(c) {
			hash = hash.add(c)
		} else {
			hash = 0
		}
	}
	if hash != 0 { // words that are not ASCII are not excluded
		f[hash.index()] |= role
	}
}

// wordHash is a hash of the letters of a word, of either case.
type wordHash uint32

func (h wordHash) add(c byte) wordHash { return (h ^ wordHash(c)) * 0x01000193 } // FNV-1a, 32 bits
func (h wordHash) index() int          { return int(h>>16 ^ h&0xFFFF) }

// readWord returns the end of the word that starts at i, and the roles that it may have by one of its
// runs of letters or by its end. A word that is not ASCII may be a label.
func (f *wordFilter) readWord(s string, i int) (end int, roles wordRole) {
	start, hash, last := i, wordHash(0), uint32(0)
	for ; i < len(s); i++ {
		c := s[i]
		if !labelBytes[c] {
			break
		}
		lower := c | 0x20
		switch {
		case lower < 'a' || lower > 'z':
			if c >= utf8.RuneSelf {
				size := letterSize(s[i:])
				if size == 0 {
					return max(i, start+1), roles | f.rolesOf(hash, last)
				}
				i += size - 1
				roles |= roleLabel
			}
			if c == '-' || c == '_' {
				roles |= roleJoined
			}
			roles |= f.rolesOf(hash, last)
			hash, last = 0, 0
			continue
		case c != lower && hash != 0 && (s[i-1] >= 'a' || i+1 < len(s) && s[i+1] >= 'a'): // a word in camel case
			roles |= f.rolesOf(hash, last)
			hash, last = 0, 0
		}
		hash, last = hash.add(lower), last<<8|uint32(lower)
	}
	return i, roles | f.rolesOf(hash, last)
}

func (f *wordFilter) rolesOf(hash wordHash, last uint32) wordRole {
	if endsLikeLabel(last) {
		return f[hash.index()] | roleLabel
	}
	return f[hash.index()]
}

// letterSize returns the length of the letter or mark at the start of s, and 0 if there is none.
func letterSize(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if unicode.IsLetter(r) || unicode.IsMark(r) {
		return size
	}
	return 0
}

// endsLikeLabel reports whether a word whose last four letters are given may end with one of
// gluedWords.
func endsLikeLabel(last uint32) bool {
	switch last {
	case 'w'<<24 | 'o'<<16 | 'r'<<8 | 'd', 's'<<24 | 's'<<16 | 'w'<<8 | 'd', 'r'<<24 | 'a'<<16 | 's'<<8 | 'e', 'w'<<24 | 'o'<<16 | 'r'<<8 | 't',
		'c'<<24 | 'o'<<16 | 'd'<<8 | 'e', 'c'<<24 | 'r'<<16 | 'e'<<8 | 't', 'o'<<24 | 'k'<<16 | 'e'<<8 | 'n', 'p'<<24 | 'a'<<16 | 's'<<8 | 's':
		return true
	}
	switch last & 0xFFFFFF {
	case 'k'<<16 | 'e'<<8 | 'y', 'p'<<16 | 'w'<<8 | 'd':
		return true
	}
	return false
}

// labelBytes are the characters of words in labels, and all that is not ASCII.
var labelBytes = func() (set ascii.Set) {
	for c := range set {
		set[c] = ascii.IsWord(byte(c)) || c >= utf8.RuneSelf
	}
	return set
}()

func isLabelByte(c byte) bool { return labelBytes[c] }
