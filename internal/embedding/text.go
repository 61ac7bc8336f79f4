package embedding

import (
	"strings"
	"unicode"
)

// truncateText trims white space from both ends of a text and cuts it to at most limit runes: at the last white space if that
// costs no more than an eighth, else between two runes.
func truncateText(text string, limit int) string {
	text = strings.TrimSpace(text)
	end := runeOffset(text, limit)
	if end == len(text) {
		return text
	}
	if space := strings.LastIndexFunc(text[:end], unicode.IsSpace); space >= end-end/8 {
		end = space
	}
	return strings.TrimSpace(text[:end])
}

// runeOffset is where in a text the rune begins that n runes precede; the text's length if it has no more than n.
func runeOffset(text string, n int) int {
	if len(text) <= n {
		return len(text)
	}
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return len(text)
}

// truncateTexts is truncate for each text of a batch.
func truncateTexts(texts []string, limit int) []string {
	cut := make([]string, len(texts))
	for i, text := range texts {
		cut[i] = truncateText(text, limit)
	}
	return cut
}
