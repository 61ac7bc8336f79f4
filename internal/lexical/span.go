package lexical

import (
	"strings"
	"unicode/utf8"
)

// Span is where a text has a term: the characters (Unicode code points) from Start on and before End, counted from 0.
type Span struct{ Start, End int }

// Spans are where a text has each of some terms, which are QueryTerm.Text: words, or pairs of words, then from the first to the second.
// The text is one that Analyze takes.
func Spans(text string, terms []string) [][]Span {
	spans := make([][]Span, len(terms))
	if len(terms) == 0 {
		return spans
	}
	places := make(map[Term]int, len(terms))
	for i, term := range terms {
		var stemmed []string
		for word := range strings.FieldsSeq(term) {
			stemmed = append(stemmed, stemOfWord(word))
		}
		places[newTermOfStems(stemmed...)] = i
	}
	note := func(term Term, span Span) {
		if at, ok := places[term]; ok {
			spans[at] = append(spans[at], span)
		}
	}
	forEachWord(text, func(w, last word, span, pair Span) {
		note(newTermOfStems(w.stem), span)
		if last.stem != "" {
			note(newTermOfStems(last.stem, w.stem), pair)
		}
	})
	return spans
}

// forEachWord calls yield for each word of a text with where it is, and with the word before it on its line and where both are.
func forEachWord(text string, yield func(w, last word, span, pair Span)) {
	start := 0
	for line := range strings.Lines(text) {
		var last word
		var lastStart, counted, characters int
		for word := range stemmedWords(line) {
			// Words come in their order, so that each character is counted once.
			characters += utf8.RuneCountInString(line[counted:word.start])
			counted = word.start
			from := start + characters
			to := from + utf8.RuneCountInString(line[word.start:word.end])
			yield(word, last, Span{from, to}, Span{lastStart, to})
			last, lastStart = word, from
		}
		start += utf8.RuneCountInString(line)
	}
}
