package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// assignment is a label, a separator and a value.
type assignment struct {
	label      string
	labelStart int
	separator  byte // one of = : >
	class      class
	start, end int // of the value, without its quotes
	quoted     bool
}

// labelBeforeSeparator reads the label before the separator at i. ok is false if there is none.
func labelBeforeSeparator(s string, i int) (a assignment, ok bool) {
	a.separator = s[i]
	stop := i
	if s[i] == '=' && i > 0 && s[i-1] == ':' {
		stop-- // label := value
	}
	if a.separator == '>' && !closesXMLTag(s, i) {
		return a, false
	}
	start, end := labelBounds(s, stop)
	a.label, a.labelStart = s[start:end], start
	return a, start < end
}

// closesXMLTag reports whether the > at i ends <label> or </label>.
func closesXMLTag(s string, i int) bool {
	from := i
	for from > 0 && i-from < maxLabel && ascii.IsDottedWord(s[from-1]) {
		from--
	}
	return from < i && from > 0 && s[from-1] == '<'
}

// labelBounds returns the bounds of the label before the separator at i. Quotes, spaces and a
// closing bracket between the two are skipped.
func labelBounds(s string, i int) (start, end int) {
	end = i
	for end > 0 && i-end < maxLabel && (ascii.IsBlank(s[end-1]) || strings.IndexByte("\"'`\\]", s[end-1]) >= 0) {
		end--
	}
	start = end
	for start > 0 && end-start <= maxLabel && ascii.IsDottedWord(s[start-1]) {
		start--
	}
	return start, end
}

// wordBeforeLabel returns the word before a label on its line. lineStart reports that only
// indentation, dashes and quotes precede the label.
func wordBeforeLabel(s string, label int) (before string, lineStart bool) {
	end := label
	for end > 0 && label-end < maxLabel && strings.IndexByte(" \t-\"'`\\", s[end-1]) >= 0 {
		end--
	}
	if end == 0 || s[end-1] == '\n' {
		return "", true
	}
	start := end
	for start > 0 && end-start < maxLabel && ascii.IsAlnum(s[start-1]) {
		start--
	}
	return s[start:end], false
}

// readValue sets the bounds of the value that starts at i, after the separator. It returns false if
// there is no value, or if its first characters show that it is not a secret.
func (a *assignment) readValue(s string, i int) bool {
	switch {
	case i < len(s) && s[i] == '>', strings.HasPrefix(s[i:], ": "): // => of a map, :: of LDIF
		i++
	case i < len(s) && strings.IndexByte("=:~", s[i]) >= 0, strings.HasPrefix(s[i:], "//"): // ==, ::, :=, =~, ://
		return false
	}
	i += ascii.PrefixLen(s[i:], ascii.IsBlank)
	if i < len(s) && s[i] == '[' && !strings.HasPrefix(s[i:], redacted) {
		i++
	}
	if i >= len(s) || s[i] == '\n' || s[i] == '\r' {
		return false
	}
	if s[i] == '|' || s[i] == '>' {
		return a.readBlockScalar(s, i)
	}
	quote := openingQuote(s[i:])
	a.quoted = quote != ""
	a.start = i + len(quote)
	rest := s[a.start:]
	if a.class != labelName && (startsWithReference(rest) || !a.quoted && startsWithExpression(rest)) || a.quoted && endsQuotedString(rest) {
		return false
	}
	if a.quoted {
		a.end = a.start + quotedValueLength(rest, quote)
	} else {
		a.end = a.start + bareValueLength(rest)
	}
	return a.start < a.end
}

// endsQuotedString reports whether the quotation mark before s ends a string literal,
// as in "parse key: ", err.
func endsQuotedString(s string) bool { return s == "" || strings.IndexByte(",) \n", s[0]) >= 0 }

// readBlockScalar sets the bounds of the YAML block scalar whose indicator is at i: the lines with
// more indentation than the label's.
func (a *assignment) readBlockScalar(s string, i int) bool {
	end := endOfLine(s, i)
	if !ascii.IsBlockIndicator(strings.TrimRight(s[i:end], " \t\r")) {
		return false
	}
	outer := indentationWidth(s[strings.LastIndexByte(s[:a.labelStart], '\n')+1:])
	a.quoted = true
	for end < len(s) {
		start := end + 1
		depth := indentationWidth(s[start:])
		end = endOfLine(s, start)
		if strings.TrimSpace(s[start:end]) == "" {
			continue
		}
		if depth <= outer {
			break
		}
		if a.start == 0 {
			a.start = start + depth
		}
		a.end = end
	}
	return a.start < a.end && !startsWithReference(s[a.start:a.end])
}

// indentationWidth returns the number of blanks and list dashes at the start of a line.
func indentationWidth(line string) int {
	return ascii.PrefixLen(line, func(c byte) bool { return c == ' ' || c == '\t' || c == '-' })
}

// openingQuote returns the quotation mark at the start of s, including backslashes that escape it
// inside another string, or "".
func openingQuote(s string) string {
	n := ascii.PrefixLen(s[:min(len(s), 3)], func(c byte) bool { return c == '\\' })
	if n < len(s) && strings.IndexByte("\"'`", s[n]) >= 0 {
		return s[:n+1]
	}
	return ""
}

// quotedValueLength returns the length of the text before the closing quote. An unclosed quote ends
// with the line.
func quotedValueLength(s, quote string) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\n', strings.HasPrefix(s[i:], quote):
			return i
		case s[i] == '\\' && len(quote) == 1 && quote != "'":
			i++
		}
	}
	return len(s)
}

// bareValueLength returns the length of an unquoted value. It ends at white space, a quote, an
// unmatched closing bracket, or a delimiter (, ; &) followed by the next assignment or nothing.
func bareValueLength(s string) int {
	if strings.HasPrefix(s, redacted) {
		return len(redacted)
	}
	depth, n := 0, 0
	for ; n < len(s); n++ {
		switch c := s[n]; {
		case ascii.IsSpace(c), strings.IndexByte("\"'`<>\\", c) >= 0:
			return trimPunctuation(s[:n])
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			if depth--; depth < 0 {
				return trimPunctuation(s[:n])
			}
		case (c == ',' || c == ';' || c == '&') && endsValue(s[n+1:]):
			return trimPunctuation(s[:n])
		}
	}
	return trimPunctuation(s)
}

// trimPunctuation returns the length of s without the punctuation that ends a sentence.
func trimPunctuation(s string) int {
	return len(strings.TrimRight(s, ".,;:"))
}

// endsValue reports whether rest, the text after a delimiter, is empty or starts with white space,
// a bracket or another assignment.
func endsValue(rest string) bool {
	n := ascii.PrefixLen(rest[:min(len(rest), maxLabel)], func(c byte) bool { return ascii.IsDottedWord(c) || c == ' ' || c == '%' })
	return n == 0 || n == len(rest) || ascii.IsSpace(rest[0]) || strings.IndexByte("=:&,;", rest[n]) >= 0
}
