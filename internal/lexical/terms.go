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

// Analyzer is the version of the rules that turn a text into terms. A change that changes any term of any text needs a new number: stored
// terms of an older one are made again by the maintain function.
const Analyzer = 2

// maxTerms bounds the distinct terms of a document and of a query; what is cut off comes last in the text.
const maxTerms = 2048

// Term is the identity of a word's stem, or of two stems that follow each other: the XXH64 of the stem, or of both with a space between.
type Term int64

func newTermOfStems(stems ...string) Term {
	return Term(xxhash.Sum64String(strings.Join(stems, " "))) //nolint:gosec // the bits are what counts
}

// Document is a signature's text as the index holds it: Counts[i] is how often Terms[i] occurs. Terms are distinct and sorted.
type Document struct {
	Terms  []Term
	Counts []int16
	// Length is how many words the text has, stop words aside.
	Length int32
}

// Analyze makes the terms of a signature's text. The first line, the alert's name, counts twice: it says in a few words what the rest
// tells at length. A word of a URL counts once, and only if the text did not have it before: a URL says where to read on, and its words
// are there to be found by, not to outweigh the rest.
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

// word is a word of a line: plain in lower case, its stem, and where the line has it, in bytes. What an abbreviation or a compound stands
// for is where that is.
type word struct {
	plain, stem string
	start, end  int
}

// stemmedWords yields a line's words that are no stop words, in their order. A compound or an abbreviation of the field is followed by what it
// stands for.
func stemmedWords(line string) iter.Seq[word] {
	return func(yield func(word) bool) {
		for rest := line; rest != ""; {
			var run string
			run, rest = nextRunBounds(rest)
			for at := len(line) - len(rest) - len(run); run != ""; {
				n := nextPartLength(run)
				for _, plain := range withPlainForms(strings.ToLower(run[:n])) {
					if !StopWord(plain) && !yield(word{plain: plain, stem: stemOfWord(plain), start: at, end: at + n}) {
						return
					}
				}
				run, at = run[n:], at+n
			}
		}
	}
}

// stemOfWord cuts an English word to its stem (Porter, "The English (Porter2) stemming algorithm", 2001). Words of other scripts stay.
func stemOfWord(word string) string {
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}
