package lexical

import (
	"strings"
	"unicode/utf8"
)

// Span is the position of a term in a text: characters (Unicode code points) from Start up to, not
// including, End; counted from 0.
type Span struct{ Start, End int }

// Spans returns the positions of each of terms in text. A term is QueryTerm.Text: a word, or a pair
// of words, whose span reaches from the first to the second.
func Spans(text string, terms []string) [][]Span {
	spans := make([][]Span, len(terms))
	if len(terms) == 0 {
		return spans
	}
	indexes := make(map[Term]int, len(terms))
	for i, term := range terms {
		var stemmed []string
		for word := range strings.FieldsSeq(term) {
			stemmed = append(stemmed, stemOfWord(word))
		}
		indexes[newTermOfStems(stemmed...)] = i
	}
	note := func(term Term, span Span) {
		if at, ok := indexes[term]; ok {
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

// forEachWord calls yield for each word of a text with its span, the word before it on the line,
// and the span of both.
func forEachWord(text string, yield func(w, last word, span, pair Span)) {
	start := 0
	for line := range strings.Lines(text) {
		var last word
		var lastStart, counted, characters int
		for word := range stemmedWords(line) {
			// Words come in order, so each character is counted once.
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
