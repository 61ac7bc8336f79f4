package audit

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// redacted stands where a secret stood.
const redacted = "[REDACTED]"

// maxRedactionPasses bounds how often a text is looked through again after something was redacted in it.
const maxRedactionPasses = 8

// span is one secret: text[start:end].
type span struct {
	start, end int
	action     Action
}

// findSecrets returns the secrets in s, ordered and apart from one another. Each finder runs through s once, from anchor to
// anchor (a separator, "://", a token's prefix), and looks only a bounded way around it or up to the end of the value it found.
func findSecrets(s string) []span {
	if len(s) < shortestToken && spanOf(s, isWord) == len(s) {
		return nil // every secret that does not show by its own shape stands behind a separator
	}
	var found []span
	held := pairsOf(s)
	found = findKubernetesSecrets(s, found)
	found = findPrivateKeys(s, &held, found)
	found = findTokens(s, found)
	found = findConnectionStrings(s, &held, found)
	found = findWebhooks(s, &held, found)
	found = findCredentials(s, &held, found)
	found = findLabelled(s, found)
	found = findCommands(s, &held, found)
	return joined(found)
}

// pairs is the set of the pairs of neighbouring bytes in a text, hashed into 1,024 bits. One look over the text answers of most anchors
// that they are not in it.
type pairs [16]uint64

func pairsOf(s string) (held pairs) {
	for i := 1; i < len(s); i++ {
		word, bit := pairBit(s[i-1], s[i])
		held[word] |= bit
	}
	return held
}

// pairBit is where a pair of bytes stands in the set.
func pairBit(a, b byte) (word int, bit uint64) {
	hash := (uint32(a)<<8 | uint32(b)) * 0x9E3779B1 >> 22
	return int(hash >> 6), 1 << (hash & 63)
}

// lack is true only if the text does not hold the anchor.
func (held *pairs) lack(anchor string) bool {
	for i := 1; i < len(anchor); i++ {
		if word, bit := pairBit(anchor[i-1], anchor[i]); held[word]&bit == 0 {
			return true
		}
	}
	return false
}

// joined orders spans and unites those that overlap; the one that starts first, and of these the longest, and of these the one found
// first, gives the action.
func joined(spans []span) []span {
	slices.SortStableFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	out := spans[:0]
	for _, next := range spans {
		if n := len(out); n > 0 && next.start < out[n-1].end {
			out[n-1].end = max(out[n-1].end, next.end)
			continue
		}
		out = append(out, next)
	}
	return out
}

func redact(s string, spans []span, counts Actions) string {
	var out strings.Builder
	out.Grow(len(s))
	from := 0
	for _, secret := range spans {
		out.WriteString(s[from:secret.start])
		out.WriteString(redacted)
		from = secret.end
		counts[secret.action]++
	}
	out.WriteString(s[from:])
	return out.String()
}

// add appends text[start:end] unless nothing is there or it was redacted before.
func add(found []span, s string, start, end int, action Action) []span {
	if start >= end || strings.HasPrefix(s[start:end], redacted) {
		return found
	}
	return append(found, span{start, end, action})
}

// after yields the index behind each occurrence of anchor in s, whose pairs are held.
func after(s string, held *pairs, anchor string) iter.Seq[int] {
	return func(yield func(int) bool) {
		if held.lack(anchor) {
			return
		}
		for i := 0; ; {
			n := strings.Index(s[i:], anchor)
			if n < 0 {
				return
			}
			i += n + len(anchor)
			if !yield(i) {
				return
			}
		}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isAlnum(c byte) bool { return isDigit(c) || isLower(c) || isUpper(c) }
func isBlank(c byte) bool { return c == ' ' || c == '\t' }
func isSpace(c byte) bool { return isBlank(c) || c == '\n' || c == '\r' }

// isHex is true for lower and upper case digits alike.
func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// isBase64 covers the standard and the URL alphabet, with padding.
func isBase64(c byte) bool {
	return isAlnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}

// spanOf is how many bytes from the start of s satisfy is.
func spanOf(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

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

// lineEnd is the index of the line break that ends the line around i, or the length of s.
func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}

// foldPrefix reports whether s starts with the lower-case ASCII prefix in any case.
func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
