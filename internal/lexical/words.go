// Package lexical analyzes text into the terms that lexical search compares, and scores them. It
// does not depend on SQL or vectors.
package lexical

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Runs yields the runs of letters, marks and digits in a text, without the placeholders of
// normalized text, such as <ip>.
func Runs(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := text; rest != ""; {
			var run string
			run, rest = nextRunBounds(rest)
			if run != "" && !yield(run) {
				return
			}
		}
	}
}

// Parts yields the words of a run in lower case. A change of case separates words:
// KubePodCrashLooping gives kube, pod, crash, looping.
func Parts(run string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for run != "" {
			n := nextPartLength(run)
			if !yield(strings.ToLower(run[:n])) {
				return
			}
			run = run[n:]
		}
	}
}

// nextRunBounds returns the first run of word runes in text and the rest after it. The run is empty
// if there is none.
func nextRunBounds(text string) (run, rest string) {
	for text != "" {
		if n := placeholderLength(text); n > 0 {
			text = text[n:]
			continue
		}
		if n := prefixLength(text, isWordRune); n > 0 {
			return text[:n], text[n:]
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return "", ""
}

// maxPlaceholder is the maximum length of a placeholder in bytes, brackets included.
const maxPlaceholder = 16

// placeholderLength returns the length of the placeholder at the start of text: lower-case ASCII
// letters in angle brackets; 0 if there is none.
func placeholderLength(text string) int {
	if text[0] != '<' {
		return 0
	}
	name := text[1:min(len(text), maxPlaceholder)]
	n := prefixLength(name, func(r rune) bool { return 'a' <= r && r <= 'z' })
	if n == 0 || n == len(name) || name[n] != '>' {
		return 0
	}
	return n + len("<>")
}

// prefixLength returns the length in bytes of the longest prefix of text whose runes are all in the
// class.
func prefixLength(text string, class func(rune) bool) int {
	if n := strings.IndexFunc(text, func(r rune) bool { return !class(r) }); n >= 0 {
		return n
	}
	return len(text)
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// nextPartLength returns the length of the first word of a run. A word begins at an upper-case
// letter that follows another kind of rune (pod|Crash) or precedes a lower-case letter
// (HTTP|Server).
func nextPartLength(run string) int {
	afterUpper := true
	for i, r := range run {
		upper := unicode.IsUpper(r)
		if i > 0 && upper && (!afterUpper || lowerCaseFollows(run[i:])) {
			return i
		}
		afterUpper = upper
	}
	return len(run)
}

// lowerCaseFollows reports whether the second rune of a text is a lower-case letter.
func lowerCaseFollows(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	next, _ := utf8.DecodeRuneInString(text[size:])
	return unicode.IsLower(next)
}

// StopWord reports whether a word is an English function word. Frequent words that distinguish
// incidents, such as no, not, up, down, out and off, are not stop words.
func StopWord(word string) bool {
	switch word {
	case "a", "about", "above", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
		"because", "been", "before", "being", "below", "between", "both", "but", "by", "can", "could", "did", "do", "does",
		"doing", "during", "each", "few", "for", "from", "further", "had", "has", "have", "having", "he", "her", "here",
		"hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "itself", "just", "me", "more", "most",
		"my", "nor", "now", "of", "on", "once", "only", "or", "other", "our", "ours", "own", "same", "she", "should", "so",
		"some", "such", "than", "that", "the", "their", "theirs", "them", "then", "there", "these", "they", "this",
		"those", "through", "to", "too", "until", "very", "was", "we", "were", "what", "when", "where", "which", "while",
		"who", "whom", "why", "will", "with", "would", "you", "your", "yours":
		return true
	}
	return false
}
