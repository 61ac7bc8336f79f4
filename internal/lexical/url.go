package lexical

import (
	"strings"
	"unicode"
)

// place is a part of a line, in bytes.
type place struct{ start, end int }

// urls are the URLs of a line, from the scheme (RFC 3986) to white space, a quote, a bracket or a placeholder.
func urls(line string) []place {
	const mark = "://"
	var found []place
	for from := 0; ; {
		at := strings.Index(line[from:], mark)
		if at < 0 {
			return found
		}
		at += from
		scheme := strings.LastIndexFunc(line[from:at], func(r rune) bool { return !isScheme(r) }) + 1
		end := at + len(mark) + prefix(line[at+len(mark):], isURL)
		if from+scheme < at {
			found = append(found, place{from + scheme, end})
		}
		from = end
	}
}

func isScheme(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '-' || r == '.'
}

func isURL(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("<>()[]{}\"'`", r) }

// passed leaves out the places that end before the word, and reports whether it begins in the next one. Words come in their order.
func passed(places []place, w word) (rest []place, within bool) {
	for len(places) > 0 && places[0].end <= w.start {
		places = places[1:]
	}
	return places, len(places) > 0 && places[0].start <= w.start
}
