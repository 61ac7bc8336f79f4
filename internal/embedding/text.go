package embedding

import (
	"strings"
	"unicode"
)

// truncate trims white space from both ends of a text and cuts it to at most limit runes: at the last white space if that
// costs no more than an eighth, else between two runes.
func truncate(text string, limit int) string {
	text = strings.TrimSpace(text)
	end := offset(text, limit)
	if end == len(text) {
		return text
	}
	if space := strings.LastIndexFunc(text[:end], unicode.IsSpace); space >= end-end/8 {
		end = space
	}
	return strings.TrimSpace(text[:end])
}

// offset is where in a text the rune begins that n runes precede; the text's length if it has no more than n.
func offset(text string, n int) int {
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

// truncateAll is truncate for each text of a batch.
func truncateAll(texts []string, limit int) []string {
	cut := make([]string, len(texts))
	for i, text := range texts {
		cut[i] = truncate(text, limit)
	}
	return cut
}
