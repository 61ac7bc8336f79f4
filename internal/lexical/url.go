package lexical

import (
	"strings"
	"unicode"
)

// byteRange is a range of bytes in a line.
type byteRange struct{ start, end int }

// urlSpans returns the URLs of a line, each from its scheme (RFC 3986) to white space, a quote, a
// bracket or a placeholder.
func urlSpans(line string) []byteRange {
	const mark = "://"
	var found []byteRange
	for from := 0; ; {
		at := strings.Index(line[from:], mark)
		if at < 0 {
			return found
		}
		at += from
		scheme := strings.LastIndexFunc(line[from:at], func(r rune) bool { return !isSchemeByte(r) }) + 1
		end := at + len(mark) + prefixLength(line[at+len(mark):], isURLByte)
		if from+scheme < at {
			found = append(found, byteRange{from + scheme, end})
		}
		from = end
	}
}

func isSchemeByte(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '-' || r == '.'
}

func isURLByte(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("<>()[]{}\"'`", r) }

// skipPassedSpans drops the spans that end before the word, and reports whether the word begins in
// the next one. Words must come in order.
func skipPassedSpans(spans []byteRange, w word) (rest []byteRange, within bool) {
	for len(spans) > 0 && spans[0].end <= w.start {
		spans = spans[1:]
	}
	return spans, len(spans) > 0 && spans[0].start <= w.start
}
