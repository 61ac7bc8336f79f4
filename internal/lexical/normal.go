package lexical

import (
	"iter"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// normalLine is a line in Unicode's form NFKC: full-width letters, ligatures and other compatibility
// forms are plain letters, and letters are composed with their marks (UAX #15).
type normalLine struct {
	text string
	// segments are the parts of the line that were normalized on their own, in order, and the end
	// of both texts. It is empty if the line was in the form.
	segments []segment
}

// segment has the offsets in bytes at which a segment begins in the normalized and in the source
// text.
type segment struct{ normal, source int }

func normalizeLine(line string) normalLine {
	if norm.NFKC.IsNormalString(line) {
		return normalLine{text: line}
	}
	var n normalLine
	var text []byte
	var next norm.Iter
	next.InitString(norm.NFKC, line)
	for !next.Done() {
		// A letter that stands for a phrase gives several.
		if last := len(n.segments) - 1; last < 0 || n.segments[last].source < next.Pos() {
			n.segments = append(n.segments, segment{len(text), next.Pos()})
		}
		text = append(text, next.Next()...)
	}
	n.segments = append(n.segments, segment{len(text), len(line)})
	n.text = string(text)
	return n
}

// source returns the bytes of the source from which a part of the normalized text was made: whole
// segments.
func (n normalLine) source(part byteRange) byteRange {
	if len(n.segments) == 0 {
		return part
	}
	compare := func(s segment, offset int) int { return s.normal - offset }
	first, begins := slices.BinarySearchFunc(n.segments, part.start, compare)
	if !begins {
		first--
	}
	end, _ := slices.BinarySearchFunc(n.segments, part.end, compare)
	return byteRange{n.segments[first].source, n.segments[end].source}
}

// parts yields the words of the normalized text, and the stretches of scripts without spaces, in
// order.
func (n normalLine) parts() iter.Seq2[byteRange, bool] {
	return func(yield func(part byteRange, unspaced bool) bool) {
		for rest := n.text; rest != ""; {
			var run string
			run, rest = nextRunBounds(rest)
			for at := len(n.text) - len(rest) - len(run); run != ""; {
				length, unspaced := nextScriptLength(run[:nextPartLength(run)])
				if !yield(byteRange{at, at + length}, unspaced) {
					return
				}
				run, at = run[length:], at+length
			}
		}
	}
}

// foldCase returns a word as it is compared, regardless of its case, by full case folding (Unicode
// Standard, section 5.18): ß is ss. The four letters i of Turkish are one, because a text does not
// name its language.
func foldCase(word string) string {
	if isASCII(word) {
		return strings.ToLower(word)
	}
	// Folding may undo the composition.
	folded := norm.NFKC.String(cases.Fold().String(word))
	return strings.ReplaceAll(strings.ReplaceAll(folded, "i\u0307", "i"), "ı", "i")
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
