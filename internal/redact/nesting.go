package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// nesting follows the quotation marks and brackets that are open at a position of a line. They tell
// where an unquoted value ends: before the mark that closes the string around it, and before the
// brackets that close what was opened before its label.
type nesting struct {
	text  string
	at    int // the text before it has been read
	depth int
	open  [maxNesting]delimiter // outermost first
}

// maxNesting is the number of open marks that are remembered; inner ones are ignored.
const maxNesting = 16

// maxEscapes is the largest number of backslashes before a mark that is counted: that of seven nested
// strings.
const maxEscapes = 127

// delimiter is an opening bracket or a quotation mark. Backslashes precede the mark if the string
// is inside another: one, or three if nested twice.
type delimiter struct {
	mark        byte
	backslashes uint8
}

func (d delimiter) isQuote() bool { return isQuote(d.mark) }

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// matches reports whether a quotation mark after that many backslashes ends the string. Some of the
// backslashes may be escaped ones.
func (d delimiter) matches(mark byte, backslashes int) bool {
	own := int(d.backslashes)
	return d.mark == mark && backslashes%(2*own+2) == own
}

// moveTo reads the text up to the index. Indexes must not decrease, except within the line that
// was read last.
func (n *nesting) moveTo(to int) {
	if start := strings.LastIndexByte(n.text[min(n.at, to):to], '\n'); start >= 0 {
		n.at, n.depth = min(n.at, to)+start+1, 0
	}
	for ; n.at < to; n.at++ {
		switch c := n.text[n.at]; c {
		case '"', '\'', '`':
			n.addQuote(c)
		case '(', '[', '{':
			n.push(delimiter{mark: c})
		case ')', ']', '}':
			n.closeBracket(c)
		}
	}
}

// skipTo moves to the index without reading the text before it, which is a value.
func (n *nesting) skipTo(to int) { n.at = max(n.at, to) }

func (n *nesting) push(d delimiter) {
	if n.depth < maxNesting {
		n.open[n.depth] = d
		n.depth++
	}
}

func (n *nesting) addQuote(mark byte) {
	backslashes := backslashesBefore(n.text, n.at)
	for i := n.depth - 1; i >= 0; i-- {
		if n.open[i].matches(mark, backslashes) {
			n.depth = i
			return
		}
	}
	if before := n.at - backslashes; mark != '\'' || before == 0 || !ascii.IsAlnum(n.text[before-1]) {
		n.push(delimiter{mark, uint8(min(backslashes, maxEscapes))})
	}
}

func (n *nesting) closeBracket(mark byte) {
	if n.depth > 0 && closes(n.open[n.depth-1].mark, mark) {
		n.depth--
	}
}

func closes(open, mark byte) bool {
	return open == '(' && mark == ')' || open == '[' && mark == ']' || open == '{' && mark == '}'
}

// closesString reports whether the quotation mark at i ends a string that is open.
func (n *nesting) closesString(i int) bool {
	if n.depth == 0 {
		return false
	}
	backslashes := backslashesBefore(n.text, i)
	for _, d := range n.open[:n.depth] {
		if d.matches(n.text[i], backslashes) {
			return true
		}
	}
	return false
}

// inString reports whether a string is open.
func (n *nesting) inString() bool {
	for _, d := range n.open[:n.depth] {
		if d.isQuote() {
			return true
		}
	}
	return false
}

// isOpen reports whether a bracket is open that the mark closes.
func (n *nesting) isOpen(mark byte) bool {
	for _, d := range n.open[:n.depth] {
		if closes(d.mark, mark) {
			return true
		}
	}
	return false
}

// inBracket reports whether a bracket is open inside the innermost string.
func (n *nesting) inBracket() bool { return n.depth > 0 && !n.open[n.depth-1].isQuote() }

// inBraces reports whether the innermost open mark is a brace.
func (n *nesting) inBraces() bool { return n.depth > 0 && n.open[n.depth-1].mark == '{' }

// trimClosing returns the end of a value without the brackets that close what is open around it.
func (n *nesting) trimClosing(start, end int) int {
	for i := n.depth - 1; i >= 0 && !n.open[i].isQuote(); i-- {
		stop := end
		for stop > start && strings.IndexByte(",;.", n.text[stop-1]) >= 0 {
			stop--
		}
		if stop == start || !closes(n.open[i].mark, n.text[stop-1]) || n.closesLater(end, n.text[stop-1]) {
			break
		}
		end = stop - 1
	}
	return end
}

// closesLater reports whether a bracket that was opened before i is closed after it on the line.
func (n *nesting) closesLater(i int, mark byte) bool {
	const reach = 256
	depth := 0
	for _, c := range []byte(n.text[i:min(len(n.text), i+reach)]) {
		switch {
		case c == '\n':
			return false
		case closes(c, mark):
			depth++
		case c == mark:
			if depth--; depth < 0 {
				return true
			}
		}
	}
	return false
}

// backslashesBefore returns the number of backslashes that precede index i.
func backslashesBefore(s string, i int) int {
	n := 0
	for n < i && s[i-1-n] == '\\' {
		n++
	}
	return n
}
