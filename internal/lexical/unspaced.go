package lexical

import "unicode"

// isUnspaced reports whether a letter belongs to a script whose words are not, or not reliably,
// separated by spaces: those of East Asia, with Hangul, whose words carry particles, and the scripts
// of class SA of UAX #14, which a line breaks by a dictionary.
func isUnspaced(r rune) bool {
	const firstUnspaced, prolongedSound = 0x0E00, 'ー' // the block of Thai; the mark belongs to no script
	return r >= firstUnspaced && (r == prolongedSound || unicode.In(r,
		unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo, unicode.Yi,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet))
}

// nextScriptLength returns the length of the longest prefix of a part whose letters are all in scripts
// without spaces or all in others, and which of the two. Marks belong to the letter before them.
func nextScriptLength(part string) (n int, unspaced bool) {
	for i, r := range part {
		switch {
		case i == 0:
			unspaced = isUnspaced(r)
		case isUnspaced(r) != unspaced && !unicode.IsMark(r):
			return i, unspaced
		}
	}
	return len(part), unspaced
}

// bigrams returns each two adjacent characters of a text, or its only character. They stand for the
// words of scripts without spaces, as in Lucene's CJKAnalyzer: a word of two characters is a bigram,
// a longer one several, so that it is found in any sentence, without a dictionary. A character is a
// letter with its marks.
func bigrams(text string) []byteRange {
	var starts []int
	for i, r := range text {
		if i == 0 || !unicode.IsMark(r) {
			starts = append(starts, i)
		}
	}
	if len(starts) == 1 {
		return []byteRange{{0, len(text)}}
	}
	starts = append(starts, len(text))
	pairs := make([]byteRange, 0, len(starts))
	for i := range len(starts) - 2 {
		pairs = append(pairs, byteRange{starts[i], starts[i+2]})
	}
	return pairs
}
