package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// place is where a value stands. It decides where the value ends.
type place int

const (
	placeNone    place = iota
	placeWord          // a word of a command line, an environment variable: ends at white space
	placeField         // key=value lists, connection strings, printed structures: ends at white space or before the next field
	placeQuery         // the query of a URL, a form: ends at & or white space
	placeLine          // a YAML scalar, a header, a line of a configuration file: ends with the line
	placeCell          // a table: ends at |, a tab or two spaces
	placeEncoded       // a percent-encoded query or object: ends at an encoded delimiter
	placeTag           // an XML element: ends at <
	placeProse         // a word after the label alone: only what looks like a credential
	placeCall          // an argument: only a string
	placePair          // the item after the label in a list
	placeBlock         // a block of HCL that the label names
	placeColumn        // the column of a table whose header has the label
	placeMember        // a member of a parsed object: all of the string
	placeBelow         // the lines below the label, with more indentation
)

// assignment is a label and the value that it announces.
type assignment struct {
	class      class
	label      string
	labelStart int
	labelEnd   int
	flag       bool // a dash precedes the label
	labelQuote string
	place      place
	tight      bool   // no white space is between separator and value
	separator  byte   // = or :, if a field of the same form ends the value
	delimiters string // that stand between fields
	start, end int    // of the value, without its quotes
	quoted     bool
}

// findPlace reads the separator after the label and sets the place of the value and its start.
func (sc *scanner) findPlace(a *assignment) bool {
	s := sc.text
	i := sc.endOfClosedLabel(a)
	gap := ascii.PrefixLen(s[i:], ascii.IsBlank)
	next := i + gap
	if next == len(s) || s[next] == '\n' || s[next] == '\r' {
		a.place, a.start = placeBelow, next
		return true
	}
	switch c := s[next]; {
	case a.flag && gap > 0:
		a.place, a.start = placeWord, next
	case c == '=':
		return sc.findPlaceAfterEquals(a, next)
	case c == ':':
		return sc.findPlaceAfterColon(a, next, 1)
	case strings.HasPrefix(s[next:], "："):
		return sc.findPlaceAfterColon(a, next, len("："))
	case strings.HasPrefix(s[next:], "!="):
		a.place = placeCall
		a.start = skipBlanks(s, next+ascii.PrefixLen(s[next:], func(c byte) bool { return c == '!' || c == '=' }))
	case hasAnyPrefix(s[next:], "->", "→"):
		a.place, a.start = placeField, skipBlanks(s, next+len("->"))
		if c != '-' {
			a.start = skipBlanks(s, next+len("→"))
		}
	case hasAnyPrefix(s[next:], "%3D", "%3A", "%22%3A", "&#61;"):
		return sc.findPlaceInEncoded(a, next)
	case c == '{' && a.labelQuote != "":
		a.place, a.start = placeBlock, next
	case strings.HasPrefix(s[next:], "<-"):
		a.place, a.start = placeCall, skipBlanks(s, next+2)
	case c == '>' && gap == 0 || a.labelStart > 0 && isTagStart(s, a.labelStart):
		return sc.findPlaceInTag(a, next)
	case c == '(' && gap == 0:
		a.place, a.start = placeCall, next+1
	case strings.HasPrefix(s[next:], "</"):
		return sc.findPlaceInNextTag(a, next)
	case c == ',' && gap == 0 && a.labelQuote != "":
		if !sc.isItem(a) {
			return false
		}
		a.place, a.start = placePair, skipSpaces(s, next+1)
	case gap == 0 && (c == ',' || c == ')' || c == ';'):
		a.place, a.start = placeColumn, next
	case c == '|' && sc.startsCell(a.labelStart):
		a.place, a.start = placeCell, skipBlanks(s, next+1)
	case gap > 0:
		a.start = next
		a.place = placeProse
		if gap > 1 || s[i] == '\t' {
			a.place = placeCell
		}
	default:
		return false
	}
	return true
}

// endOfClosedLabel returns the end of the label with its quote and what closes it.
func (sc *scanner) endOfClosedLabel(a *assignment) int {
	i := a.labelEnd + len(a.labelQuote)
	if i < len(sc.text) && (sc.text[i] == ']' || sc.text[i] == '?') {
		i++ // settings["password"] = …, password?: …
	}
	return i
}

func skipBlanks(s string, i int) int { return i + ascii.PrefixLen(s[i:], ascii.IsBlank) }
func skipSpaces(s string, i int) int { return i + ascii.PrefixLen(s[i:], ascii.IsSpace) }

func (sc *scanner) findPlaceAfterEquals(a *assignment, i int) bool {
	s := sc.text
	a.separator, a.delimiters = '=', sc.delimitersAt(a.labelStart, '=')
	isQuery := a.labelStart > 0 && (s[a.labelStart-1] == '?' || s[a.labelStart-1] == '&')
	isVariable := sc.startsWord(a.labelStart) && strings.ToUpper(a.label) == a.label && i == a.labelEnd && i+1 < len(s) && !ascii.IsBlank(s[i+1])
	switch rest := s[i+1:]; {
	case isQuery, isVariable && !startsOperand(rest):
	case isComparison(rest) && strings.HasPrefix(rest, "~"):
		return false
	case isComparison(rest):
		a.place, a.start = placeCall, skipBlanks(s, i+1+ascii.PrefixLen(rest, func(c byte) bool { return c == '=' }))
		return true
	case strings.HasPrefix(rest, ">") && (rest == ">" || strings.IndexByte(" \"':", rest[1]) >= 0):
		a.place, a.start = placeField, skipBlanks(s, i+2)
		return true
	}
	a.start = skipBlanks(s, i+1)
	a.tight = i == a.labelEnd+len(a.labelQuote) && a.start == i+1
	switch {
	case !a.tight && sc.startsLine(a.labelStart):
		a.place = placeLine
	case isQuery:
		a.place = placeQuery
	case a.tight && !a.flag && !isVariable && sc.startsLine(a.labelStart) && isPassphrase(a.label) && !hasFunctionWord(s[a.start:nearLineEnd(s, a.start)]):
		a.place = placeLine
	case a.flag, isVariable:
		a.place = placeWord
	default:
		a.place = placeField
	}
	return true
}

// isPassphrase reports whether the label names a secret of several words.
func isPassphrase(label string) bool { return strings.HasSuffix(strings.ToLower(label), "passphrase") }

// startsOperand reports whether rest is an operator and white space or a string.
func startsOperand(rest string) bool {
	operand := strings.TrimLeft(rest, "=~>")
	return operand != rest && (operand == "" || strings.IndexByte(" \t\"'", operand[0]) >= 0)
}

// isComparison reports whether rest, the text after an equals sign, completes an operator that
// compares: ==, ===, =~.
func isComparison(rest string) bool {
	operand := strings.TrimLeft(rest, "=~")
	if operand == rest || operand == "" {
		return operand != rest
	}
	const shortestName = 3
	name := ascii.PrefixLen(operand, func(c byte) bool { return ascii.IsDottedWord(c) && !ascii.IsDigit(c) })
	return strings.IndexByte(" \t\"'", operand[0]) >= 0 || rest[0] == '=' && name >= shortestName && startsValueEnd(operand[name:])
}

// startsValueEnd reports whether rest is empty or begins with what follows a name in a program.
func startsValueEnd(rest string) bool {
	return rest == "" || strings.IndexByte(" \t\n);,(", rest[0]) >= 0
}

// anyDelimiter has the delimiters of fields, where the field before shows no other.
const anyDelimiter = ",;&"

// delimitersAt returns the characters that may stand between the field that begins at i and the next:
// the one before it, or none if white space separates fields.
func (sc *scanner) delimitersAt(i int, separator byte) string {
	s := sc.text
	if i == 0 || s[i-1] == '\n' || isQuote(s[i-1]) {
		return anyDelimiter
	}
	switch c := s[i-1]; c {
	case ',', ';', '&':
		return s[i-1 : i]
	case ' ', '\t':
		before := strings.TrimRight(s[max(0, i-maxLabel):i], " \t")
		if before != "" && strings.IndexByte(",;", before[len(before)-1]) >= 0 {
			return before[len(before)-1:]
		}
		if word := before[strings.LastIndexAny(before, " \t\n")+1:]; strings.IndexByte(word, separator) > 0 {
			return ""
		}
	}
	return anyDelimiter
}

func (sc *scanner) findPlaceAfterColon(a *assignment, i, width int) bool {
	s := sc.text
	rest := s[i+width:]
	switch {
	case strings.HasPrefix(rest, "//"):
		return false
	case strings.HasPrefix(rest, "= "):
		a.place, a.start = placeField, skipBlanks(s, i+2)
		return true
	case strings.HasPrefix(rest, ":"):
		switch {
		case strings.HasPrefix(rest, ": "), strings.HasPrefix(s[max(0, a.labelStart-1):], "="): // LDIF, a workflow command
			width++
		case a.class != labelPassword || a.labelStart > 0 && s[a.labelStart-1] == ':':
			return false // a path of a program
		}
	case a.labelStart > 1 && s[a.labelStart-1] == ':' && ascii.IsAlnum(s[a.labelStart-2]):
		return false // a part of a name, as in arn:aws:…:secret:db
	}
	a.start = skipBlanks(s, i+width)
	a.tight = a.start == i+width
	a.separator, a.delimiters = ':', sc.delimitersAt(a.labelStart, ':')
	if a.start == len(s) || s[a.start] == '\n' || s[a.start] == '\r' {
		a.place = placeBelow
		return true
	}
	a.place = placeField
	if sc.isObjectInSentence(a) {
		a.place = placeProse
	}
	if !a.tight && a.labelQuote == "" && (sc.startsLine(a.labelStart) || sc.startsString(a.labelStart)) {
		a.place = placeLine
	}
	return true
}

// isItem reports whether the string that ends with the label is an item of a list or an argument
// rather than the value of a member, as in {"kind":"Secret","name":"db"}.
func (sc *scanner) isItem(a *assignment) bool {
	before := strings.TrimRight(sc.text[max(0, sc.stringStart(a)-maxLabel):sc.stringStart(a)], " \t\r\n")
	return before == "" || strings.IndexByte(":=", before[len(before)-1]) < 0
}

// isObjectInSentence reports whether the quoted label is the name of an object after a noun, as in
// secret "db-password": not found. Inside braces it is a key.
func (sc *scanner) isObjectInSentence(a *assignment) bool {
	if a.labelQuote == "" {
		return false
	}
	start := sc.stringStart(a)
	sc.nest.moveTo(start)
	return !sc.nest.inBraces() && sc.proseBefore(start) != ""
}

// stringStart returns the index of the quotation mark that opens the string around a quoted label.
func (sc *scanner) stringStart(a *assignment) int {
	from := max(0, a.labelStart-2*maxLabel)
	return from + max(0, strings.LastIndex(sc.text[from:a.labelStart], a.labelQuote))
}

// findPlaceInEncoded finds the value after a separator that is percent-encoded or a character
// reference of HTML.
func (sc *scanner) findPlaceInEncoded(a *assignment, i int) bool {
	s := sc.text
	for _, mark := range [...]string{"%22", "%3D", "%3A", "%20", "%22", "&#61;"} {
		if strings.HasPrefix(s[i:], mark) {
			i += len(mark)
		}
	}
	a.place, a.start, a.tight = placeEncoded, i, true
	return true
}

// isTagStart reports whether < or a namespace after < precedes the index.
func isTagStart(s string, i int) bool {
	if s[i-1] == ':' {
		i--
		for i > 0 && ascii.IsAlnum(s[i-1]) {
			i--
		}
	}
	return i > 0 && s[i-1] == '<'
}

// findPlaceInTag finds the text of <password>…</password>, whose tag may have attributes.
func (sc *scanner) findPlaceInTag(a *assignment, i int) bool {
	s := sc.text
	if a.labelStart == 0 || !isTagStart(s, a.labelStart) {
		return false
	}
	end := strings.IndexAny(s[i:min(len(s), i+4*maxLabel)], ">\n")
	if end < 0 || s[i+end] == '\n' || end > 0 && s[i+end-1] == '/' {
		return false
	}
	a.place, a.start, a.tight = placeTag, i+end+1, true
	return strings.HasPrefix(s[sc.bareEnd(a):], "</")
}

// findPlaceInNextTag finds the text of the element after the one that ends at i, as in a property
// list: <key>password</key><string>…</string>.
func (sc *scanner) findPlaceInNextTag(a *assignment, i int) bool {
	s := sc.text
	end := strings.IndexByte(s[i:min(len(s), i+maxLabel)], '>')
	if end < 0 {
		return false
	}
	next := skipSpaces(s, i+end+1)
	if !strings.HasPrefix(s[next:], "<") || strings.HasPrefix(s[next:], "</") {
		return false
	}
	end = strings.IndexByte(s[next:min(len(s), next+maxLabel)], '>')
	a.place, a.start, a.tight = placeTag, next+end+1, true
	return end > 0
}

// startsLine reports whether only white space, list dashes, comment and diff marks precede the index
// on its line.
func (sc *scanner) startsLine(i int) bool {
	for i > 0 && strings.IndexByte(" \t-+~#*?!;:|<>", sc.text[i-1]) >= 0 {
		i--
	}
	return i == 0 || sc.text[i-1] == '\n' || sc.text[i-1] == '\r' || i > 1 && sc.text[i-1] == 'n' && sc.text[i-2] == '\\'
}

// startsCell reports whether the index begins a line or a cell between pipes.
func (sc *scanner) startsCell(i int) bool {
	before := strings.TrimRight(sc.text[max(0, i-maxLabel):i], " \t")
	return before == "" || strings.IndexByte("|\n", before[len(before)-1]) >= 0
}

// startsString reports whether a quotation mark precedes the index, as in -H "X-Api-Key: …".
func (sc *scanner) startsString(i int) bool { return i > 0 && isQuote(sc.text[i-1]) }

// startsWord reports whether the index begins a word of a command line.
func (sc *scanner) startsWord(i int) bool {
	return i == 0 || ascii.IsSpace(sc.text[i-1]) || isQuote(sc.text[i-1])
}
