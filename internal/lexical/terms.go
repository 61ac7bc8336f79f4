package lexical

import (
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/cespare/xxhash/v2"
)

// Analyzer is the version of the rules that turn text into terms. Increment it with every rule
// change that alters a term. The maintain function analyzes signatures of older versions again.
const Analyzer = 3

// maxTerms limits the distinct terms of a document and of a query. Later terms are dropped.
const maxTerms = 2048

// Term identifies a stem, or two adjacent stems: it is the XXH64 of the stem, or of both joined by
// a space.
type Term int64

func newTermOfStems(stems ...string) Term {
	return Term(xxhash.Sum64String(strings.Join(stems, " "))) //nolint:gosec // the bits are what counts
}

// Document is a signature's text as indexed: Terms[i] occurs Counts[i] times. Terms are distinct
// and sorted.
type Document struct {
	Terms  []Term
	Counts []int16
	// Length is the number of words in the text, without stop words.
	Length int32
	// Locations are words of the names of targets, namespaces and clusters where the signature
	// occurred: those of the query, because the text does not have them.
	Locations []string
}

// Analyze returns the terms of a signature's text. Words of the first line, the name of the alert,
// count twice, since they summarize the rest. Words of a URL count once, and only if they have not
// occurred before: they should match but not dominate the text.
func Analyze(text string) Document {
	counts := map[Term]int{}
	length := 0
	for line := range strings.Lines(text) {
		weight := 1
		if length == 0 {
			weight = 2
		}
		last := ""
		links := urlSpans(line)
		for word := range stemmedWords(line) {
			var linked bool
			if links, linked = skipPassedSpans(links, word); linked {
				if last = ""; counts[newTermOfStems(word.stem)] == 0 {
					length++
					addTermCount(counts, newTermOfStems(word.stem), 1)
				}
				continue
			}
			length += weight
			addTermCount(counts, newTermOfStems(word.stem), weight)
			if last != "" {
				addTermCount(counts, newTermOfStems(last, word.stem), 1)
			}
			last = word.stem
		}
	}
	d := Document{Terms: slices.Sorted(maps.Keys(counts)), Length: int32(min(length, math.MaxInt32))} //nolint:gosec // bounded
	for _, term := range d.Terms {
		d.Counts = append(d.Counts, int16(min(counts[term], math.MaxInt16))) //nolint:gosec // bounded
	}
	return d
}

func addTermCount(counts map[Term]int, term Term, n int) {
	if counts[term] > 0 || len(counts) < maxTerms {
		counts[term] += n
	}
}

// word is a word of a line with its case folded, its stem and its byte offsets in the line. The long
// form of an abbreviation or a compound has the offsets of the short one.
type word struct {
	plain, stem string
	byteRange
}

// stemmedWords yields the words of a line in order, without stop words. Abbreviations and compounds
// are followed by their long forms. In scripts without spaces, the words are the bigrams.
func stemmedWords(line string) iter.Seq[word] {
	return func(yield func(word) bool) {
		normal := normalizeLine(line)
		for at, unspaced := range normal.parts() {
			if unspaced {
				for _, pair := range bigrams(normal.text[at.start:at.end]) {
					pair = byteRange{at.start + pair.start, at.start + pair.end}
					plain := normal.text[pair.start:pair.end]
					if !yield(word{plain: plain, stem: plain, byteRange: normal.source(pair)}) {
						return
					}
				}
				continue
			}
			for _, plain := range withPlainForms(foldCase(normal.text[at.start:at.end])) {
				if !StopWord(plain) && !yield(word{plain: plain, stem: stemOfWord(plain), byteRange: normal.source(at)}) {
					return
				}
			}
		}
	}
}

// stemOfWord returns the stem of an English word (Porter, "The English (Porter2) stemming
// algorithm", 2001). Words of other scripts are unchanged.
func stemOfWord(word string) string {
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}
