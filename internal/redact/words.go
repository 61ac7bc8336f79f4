package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// wordFilter is the set of the words that matter to a scanner, hashed into 65,536 bits. It serves
// as a Bloom filter: most words of a text are excluded while their end is searched for.
type wordFilter [1024]uint64

// vocabulary has the words that are, or are part of, labels, programs and phrases.
var vocabulary = func() *wordFilter {
	filter := &wordFilter{}
	const decides = wordPassword | wordSecret | wordHTTP | wordEntry | wordJSONWebKey
	for word, entry := range labelWords {
		if entry.kind&decides != 0 {
			filter.add(word)
		}
	}
	for _, word := range []string{"key", "keys", "pass", "pw", "clave", "result", "login"} {
		filter.add(word)
	}
	for name := range programs {
		filter.add(name)
	}
	for word := range phrases {
		filter.add(word)
	}
	return filter
}()

// add adds the last run of letters of a word.
func (f *wordFilter) add(word string) {
	word = strings.TrimRight(word, "0123456789")
	hash := wordHash(0)
	for i := range len(word) {
		if c := word[i] | 0x20; ascii.IsLower(c) {
			hash = hash.add(c)
		} else {
			hash = 0
		}
	}
	f[hash.index()] |= hash.bit()
}

// wordHash is a hash of the letters of a word, of either case.
type wordHash uint32

func (h wordHash) add(c byte) wordHash { return (h ^ wordHash(c)) * 0x01000193 } // FNV-1a, 32 bits
func (h wordHash) index() int          { return int(h >> 22) }
func (h wordHash) bit() uint64         { return 1 << (h >> 16 & 63) }

// readWord returns the end of the word that starts at i, and whether it may matter: one of its runs
// of letters is in the vocabulary or ends like a label, or it is not ASCII.
func (f *wordFilter) readWord(s string, i int) (end int, matters bool) {
	start, hash, last := i, wordHash(0), uint32(0)
	for ; i < len(s); i++ {
		c := s[i]
		if !labelBytes[c] {
			break
		}
		lower := c | 0x20
		switch {
		case !ascii.IsLower(lower):
			if c >= utf8.RuneSelf {
				size := letterSize(s[i:])
				if size == 0 {
					return max(i, start+1), matters || f.has(hash, last)
				}
				i += size - 1
				matters = true
			}
			matters = matters || f.has(hash, last)
			hash, last = 0, 0
			continue
		case ascii.IsUpper(c) && hash != 0 && (!ascii.IsUpper(s[i-1]) || i+1 < len(s) && ascii.IsLower(s[i+1])): // a word in camel case
			matters = matters || f.has(hash, last)
			hash, last = 0, 0
		}
		hash, last = hash.add(lower), last<<8|uint32(lower)
	}
	return i, matters || f.has(hash, last)
}

// letterSize returns the length of the letter or mark at the start of s, and 0 if there is none.
func letterSize(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if unicode.IsLetter(r) || unicode.IsMark(r) {
		return size
	}
	return 0
}

func (f *wordFilter) has(hash wordHash, last uint32) bool {
	return f[hash.index()]&hash.bit() != 0 || endsLikeLabel(last)
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
