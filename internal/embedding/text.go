package embedding

import (
	"strings"
	"unicode"
)

// truncateText trims white space and cuts the text to at most limit runes: at the last white space
// if that loses at most an eighth, else between two runes.
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

// runeOffset returns the byte offset of rune n, or the length of a text with at most n runes.
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

func truncateTexts(texts []string, limit int) []string {
	cut := make([]string, len(texts))
	for i, text := range texts {
		cut[i] = truncateText(text, limit)
	}
	return cut
}
