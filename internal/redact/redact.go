// Package redact removes secrets and control characters from text and JSON trees. It keeps the
// labels of secrets, and does not depend on the types of the records that contain them.
package redact

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// redacted replaces each secret.
const redacted = "[REDACTED]"

// maxRedactionPasses is the maximum number of passes over a text. A redaction may expose a secret
// that only the next pass recognizes.
const maxRedactionPasses = 8

// span is the position of one secret: text[start:end].
type span struct {
	start, end int
	action     Action
}

// findSecrets returns the secrets in s, in order and without overlaps. Manifests, keys, addresses and
// hashes have finders of their own; a scanner finds the rest in one pass over the words. Around what
// it found, each reads a bounded number of bytes, or to the end of the value.
func findSecrets(s string) []span {
	if len(s) < shortestToken && ascii.PrefixLen(s, ascii.IsWord) == len(s) {
		return nil // too short for a token, and every other secret needs a separator
	}
	var found []span
	pairs := newBytePairs(s)
	found = findKubernetesSecrets(s, &pairs, found)
	found = findPrivateKeys(s, &pairs, found)
	found = findConnectionStrings(s, &pairs, found)
	found = findUserInformation(s, &pairs, found)
	found = findPasswordFiles(s, found)
	found = findHashes(s, found)
	if strings.IndexByte(s, '/') >= 0 {
		found = findWebhooks(s, &pairs, found)
	}
	found = findCredentials(s, &pairs, found)
	sc := &scanner{text: s, nest: nesting{text: s}, found: found}
	sc.scanWords()
	found = sc.found
	return mergeOverlapping(found)
}

// mergeOverlapping sorts spans and merges those that overlap. A merged span takes the action of the
// span that starts first; ties go to the longest, then to the one found first.
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

// appendSecret appends text[start:end] to found, unless it is empty or redacted already.
func appendSecret(found []span, s string, start, end int, action Action) []span {
	if start >= end || strings.HasPrefix(s[start:end], redacted) {
		return found
	}
	return append(found, span{start, end, action})
}

// occurrencesOf yields the index after each occurrence of anchor in s; pairs is newBytePairs(s).
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

// isBase64Byte reports whether c is in the standard or URL-safe alphabet, or padding.
func isBase64Byte(c byte) bool {
	return ascii.IsAlnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}

// reach is the number of bytes around a label that are read to recognize the place of its value.
const reach = 1024

// nearLineEnd returns the index of the first line break at or after i, or of the byte that is out of
// reach.
func nearLineEnd(s string, i int) int { return i + endOfLine(s[i:min(len(s), i+reach)], 0) }

// nearLineStart returns the index after the last line break before i, or that of the first byte in
// reach.
func nearLineStart(s string, i int) int {
	from := max(0, i-reach)
	return from + strings.LastIndexByte(s[from:i], '\n') + 1
}

// endOfLine returns the index of the first line break at or after i, or the length of s.
func endOfLine(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}
