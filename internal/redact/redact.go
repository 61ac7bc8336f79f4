// Package redact takes secrets and control characters out of text and JSON trees. What names a secret stays. It knows no records.
package redact

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
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
	if len(s) < shortestToken && ascii.PrefixLen(s, ascii.IsWord) == len(s) {
		return nil // every secret that does not show by its own shape stands behind a separator
	}
	var found []span
	pairs := newBytePairs(s)
	found = findKubernetesSecrets(s, found)
	found = findPrivateKeys(s, &pairs, found)
	found = findTokens(s, found)
	found = findConnectionStrings(s, &pairs, found)
	found = findWebhooks(s, &pairs, found)
	found = findCredentials(s, &pairs, found)
	found = findLabelled(s, found)
	found = findCommands(s, &pairs, found)
	return mergeOverlapping(found)
}

// mergeOverlapping orders spans and unites those that overlap; the one that starts first, and of these the longest, and of these the one found
// first, gives the action.
func mergeOverlapping(spans []span) []span {
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

func replaceSpans(s string, spans []span, actions Actions) string {
	var out strings.Builder
	out.Grow(len(s))
	from := 0
	for _, secret := range spans {
		out.WriteString(s[from:secret.start])
		out.WriteString(redacted)
		from = secret.end
		actions[secret.action]++
	}
	out.WriteString(s[from:])
	return out.String()
}

// appendSecret appends text[start:end] unless nothing is there or it was redacted before.
func appendSecret(found []span, s string, start, end int, action Action) []span {
	if start >= end || strings.HasPrefix(s[start:end], redacted) {
		return found
	}
	return append(found, span{start, end, action})
}

// occurrencesOf yields the index behind each occurrence of anchor in s, whose pairs are held.
func occurrencesOf(s string, pairs *bytePairs, anchor string) iter.Seq[int] {
	return func(yield func(int) bool) {
		if pairs.excludes(anchor) {
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

// isBase64Byte covers the standard and the URL alphabet, with padding.
func isBase64Byte(c byte) bool {
	return ascii.IsAlnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}

// endOfLine is the index of the line break that ends the line around i, or the length of s.
func endOfLine(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}
