package lexical

import (
	"strings"
	"unicode/utf8"
)

// Span is where a text has a term: the characters (Unicode code points) from Start on and before End, counted from 0.
type Span struct{ Start, End int }

// Spans are where a text has the query's terms, by QueryTerm.Text; of a pair of words, from the first to the second. The text is one
// that Analyze takes.
func (s *Scorer) Spans(text string) map[string][]Span {
	texts := make(map[Term]string, len(s.Terms))
	for _, term := range s.Terms {
		texts[term.Term] = term.Text
	}
	spans := map[string][]Span{}
	note := func(term Term, span Span) {
		if text, ok := texts[term]; ok {
			spans[text] = append(spans[text], span)
		}
	}
	start := 0
	for line := range strings.Lines(text) {
		var last word
		var lastStart, counted, characters int
		for word := range words(line) {
			// Words come in their order, so that each character is counted once.
			characters += utf8.RuneCountInString(line[counted:word.start])
			counted = word.start
			from := start + characters
			to := from + utf8.RuneCountInString(line[word.start:word.end])
			note(newTerm(word.stem), Span{from, to})
			if last.stem != "" {
				note(newTerm(last.stem, word.stem), Span{lastStart, to})
			}
			last, lastStart = word, from
		}
		start += utf8.RuneCountInString(line)
	}
	return spans
}
