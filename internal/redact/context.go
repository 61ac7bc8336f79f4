package redact

import (
	"strings"
	"unicode/utf8"

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
	i := a.labelEnd
	if a.labelQuote != "" {
		i += len(a.labelQuote)
	}
	if i < len(s) && (s[i] == ']' || s[i] == '?') {
		i++ // settings["password"] = …, password?: …
	}
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

// readValue sets the bounds of the value that begins at a.start. It returns false if there is none.
func (sc *scanner) readValue(a *assignment) bool {
	s := sc.text
	if a.start >= len(s) || s[a.start] == '\n' || s[a.start] == '\r' {
		return false
	}
	if a.place == placeLine {
		a.start = skipAnchor(s, a.start)
	}
	a.start = skipWrapper(s, skipType(s, a.start))
	if a.flag && isFlag(s[a.start:]) {
		return false
	}
	if sc.readQuoted(a) {
		return a.start < a.end
	}
	if a.place == placeCall || a.place == placePair && a.labelQuote != "" {
		return false
	}
	a.end = sc.endOfReference(a)
	if a.end == 0 {
		a.end = sc.bareEnd(a)
	}
	return a.start < a.end
}

// skipAnchor returns the start of the scalar after a YAML anchor or tag: &name value, !!str value.
func skipAnchor(s string, i int) int {
	if s[i] != '&' && !strings.HasPrefix(s[i:], "!!") {
		return i
	}
	start := i + 1 + ascii.PrefixLen(s[i+1:], func(c byte) bool { return ascii.IsWord(c) || c == '!' })
	next := skipBlanks(s, start)
	if start == next || next == len(s) || s[next] == '#' || s[next] == '\n' || s[next] == '\r' {
		return i
	}
	return next
}

// wrappers are functions and constructors around a value that is in the text.
var wrappers = []string{"Some(", "Just(", "Ok(", "Sensitive(", "Secret(", "SecretStr(", "SecretString(", "String(", "str(", "Text(", "Optional(", "Password(", "[]byte(", "Value(", "PASSWORD(", "password(", "hash("}

// skipWrapper returns the start of the argument of one of wrappers.
func skipWrapper(s string, i int) int {
	for _, wrapper := range wrappers {
		if strings.HasPrefix(s[i:], wrapper) {
			return i + len(wrapper)
		}
	}
	return i
}

// skipType returns the start of the value after a type, as in password: str = "…".
func skipType(s string, i int) int {
	word := ascii.PrefixLen(s[i:min(len(s), i+maxLabel)], func(c byte) bool { return ascii.IsAlnum(c) || c == '[' || c == ']' || c == '|' || c == '.' })
	if word > 0 && strings.HasPrefix(s[i+word:], " = ") {
		return i + word + len(" = ")
	}
	return i
}

// isFlag reports whether s begins with a flag of a command line: -v, --dry-run.
func isFlag(s string) bool {
	name := strings.TrimLeft(s[:min(len(s), maxLabel)], "-")
	if dashes := len(s[:min(len(s), maxLabel)]) - len(name); dashes == 0 || dashes > 2 {
		return false
	}
	n := ascii.PrefixLen(name, func(c byte) bool { return ascii.IsLower(c) || c == '-' })
	return n == len(name) || ascii.IsSpace(name[n]) || name[n] == '=' && n > 1
}

// readQuoted reads a quoted value. It returns false if there is no quotation mark, or if more of a
// word follows the closing one, as in 'it”s'x of a command line.
func (sc *scanner) readQuoted(a *assignment) bool {
	s := sc.text
	i := a.start
	for n, prefix := range []string{"b", "r", "u", "f", "@", "$", "N", "L"} { // of string literals
		if n > 0 && a.start != i {
			break
		}
		if strings.HasPrefix(s[i:], prefix) && i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == '"') && a.place != placeWord && a.place != placeQuery {
			i++
		}
	}
	quote := openingQuote(s[i:])
	if quote == "" || a.place == placeTag || a.place == placeEncoded || sc.nest.closesString(i+len(quote)-1) {
		return false
	}
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], triple) && strings.Contains(s[i+len(triple):], triple) {
		quote = triple
	}
	start := i + len(quote)
	end := sc.endOfQuoted(start, quote)
	if next := sc.endOnNextLine(end, quote); a.class == labelPassword && next > 0 {
		end = next
	}
	if after := end + len(quote); strings.HasPrefix(s[end:], quote) {
		if a.place == placeCell && !endsCell(s[after:]) || after < len(s) && (!endsQuotedValue(s[after:]) || a.place == placeWord && strings.HasPrefix(s[after:], `\'`)) {
			return false
		}
	} else if a.place == placeWord || a.place == placeField && a.tight || a.place == placeQuery || a.place == placeLine || a.place == placeCell {
		return false // the password begins with a quotation mark
	}
	a.start, a.end, a.quoted = start, end, true
	return true
}

// endOnNextLine returns the index of the quotation mark that closes, at the end of the next line, the
// string of which the index ends the first line; or 0.
func (sc *scanner) endOnNextLine(end int, quote string) int {
	if end == len(sc.text) || sc.text[end] != '\n' {
		return 0
	}
	line := sc.text[end+1 : nearLineEnd(sc.text, end+1)]
	n := strings.Index(line, quote)
	if n < 0 || strings.TrimRight(line[n+len(quote):], " \t\r,;") != "" {
		return 0
	}
	return end + 1 + n
}

// endsCell reports whether rest, the text after a closing quotation mark, ends a cell of a table.
func endsCell(rest string) bool {
	n := ascii.PrefixLen(rest, ascii.IsBlank)
	return n > 1 || n == len(rest) || strings.IndexByte("|\n\r;,", rest[n]) >= 0
}

// openingQuote returns the quotation mark at the start of s, including backslashes that escape it
// inside another string, or "".
func openingQuote(s string) string {
	n := ascii.PrefixLen(s[:min(len(s), 7)], func(c byte) bool { return c == '\\' })
	if n < len(s) && isQuote(s[n]) {
		return s[:n+1]
	}
	for _, reference := range [...]string{"&quot;", "&#34;", "&#39;", "&apos;", `\u0022`} {
		if strings.HasPrefix(s, reference) {
			return reference
		}
	}
	return ""
}

// endOfQuoted returns the index of the quotation mark that closes the string whose text starts at
// i, or the end of the line. A mark is escaped by backslashes or by doubling. A mark before what
// cannot follow a string, or after a backslash, closes it if there is no other.
func (sc *scanner) endOfQuoted(i int, quote string) int {
	s := sc.text
	if !isQuote(quote[len(quote)-1]) {
		line := s[i:nearLineEnd(s, i)]
		return i + strings.Index(line+quote, quote)
	}
	escapes := strings.Count(quote, `\`)
	own := delimiter{quote[len(quote)-1], uint8(escapes)}
	first, escaped := -1, -1
	n := i
	for limit := len(s); n < limit && s[n] != '\n'; n++ {
		if s[n] != own.mark {
			continue
		}
		limit = min(limit, n+4*reach)
		backslashes := backslashesBefore(s[i:], n-i)
		switch {
		case len(quote) == 3 && quote[0] == quote[1]:
			if strings.HasPrefix(s[n:], quote) {
				return n
			}
		case !own.matches(own.mark, backslashes):
			if own.mark == '\'' && own.backslashes == 0 && sc.endsString(n+1) {
				return n // in SQL, YAML and shells, a backslash does not escape it
			}
			escaped = n - escapes
		case own.backslashes == 0 && n+1 < len(s) && s[n+1] == own.mark:
			n++ // doubled
		case sc.endsString(n + 1):
			return n - escapes
		case first < 0:
			first = n - escapes
		}
	}
	if first >= 0 {
		return first
	}
	if escaped >= i && own.backslashes == 0 {
		return escaped
	}
	return n
}

// endsString reports whether the text at i, after a closing quotation mark, is what follows a string
// in its place: white space, a delimiter, or what closes something that is open.
func (sc *scanner) endsString(i int) bool {
	if i == len(sc.text) || ascii.IsSpace(sc.text[i]) {
		return true
	}
	switch c := sc.text[i]; c {
	case ',', ';', '|':
		return true
	case '.', ':':
		return i+1 == len(sc.text) || ascii.IsSpace(sc.text[i+1])
	case '"', '\'', '`':
		return sc.nest.closesString(i)
	case '\\':
		return sc.nest.inString()
	case ')', ']', '}':
		return sc.nest.isOpen(c)
	default:
		return c >= utf8.RuneSelf || strings.HasPrefix(sc.text[i:], "/>") || c == '>'
	}
}

// endsQuotedValue reports whether rest, the text after a closing quotation mark, begins with white
// space or punctuation that may follow a string.
func endsQuotedValue(rest string) bool {
	return rest == "" || ascii.IsSpace(rest[0]) || strings.IndexByte(",;:)]}>.|&\\\"'`", rest[0]) >= 0 || rest[0] >= utf8.RuneSelf
}

// bareEnd returns the end of the unquoted value that starts at a.start, or the index that is out of
// reach. Then add reads on, so the text of values that are no secrets is not read for each label in it.
func (sc *scanner) bareEnd(a *assignment) int {
	if strings.HasPrefix(sc.text[a.start:], redacted) {
		return a.start + len(redacted)
	}
	near := min(len(sc.text), a.start+reach)
	end := sc.readBare(a, a.start, near)
	if end == near && near < len(sc.text) {
		sc.unread = *a
		sc.unread.end = near
		return near
	}
	return sc.trimEnd(a, end)
}

// endOfUnread returns the end of the value of which bareEnd read the part before the index.
func (sc *scanner) endOfUnread(from int) int {
	return sc.trimEnd(&sc.unread, sc.readBare(&sc.unread, from, len(sc.text)))
}

// readBare returns the index between n and limit at which the unquoted value ends, or the limit.
func (sc *scanner) readBare(a *assignment, n, limit int) int {
	s, i, p := sc.text, a.start, a.place
loop:
	for ; n < limit; n++ {
		switch c := s[n]; {
		case c == '\n', c == '\r':
			break loop
		case c == ' ', c == '\t':
			if p == placeLine && !endsLineValue(s[n:]) || p == placeCell && c == ' ' && n+1 < len(s) && !ascii.IsSpace(s[n+1]) && s[n+1] != '|' || p == placeTag {
				continue
			}
			break loop
		case isQuote(c) && sc.nest.closesString(n) && endsQuotedValue(s[n+1:]):
			n -= sc.escapesBefore(n, i)
			break loop
		case c == '\\' && n+1 < len(s) && strings.IndexByte("nrt", s[n+1]) >= 0 && sc.nest.inString() && backslashesBefore(s, n)%2 == 0:
			break loop
		case p == placeEncoded && (strings.IndexByte("&\"'<", c) >= 0 || hasAnyPrefix(s[n:], "%26", "%22", "%2C", "%7D", "%20", "%3B")):
			break loop
		case p == placeQuery && (c == '&' && startsParameter(s[n+1:]) || c == '#' && a.class != labelPassword), p == placeTag && c == '<', p == placeCell && c == '|' && n > i && s[n-1] == ' ':
			break loop
		case (p == placeField || p == placeProse || p == placeLine && sc.nest.inBracket()) && n > i && strings.IndexByte(",;&", c) >= 0 && sc.startsField(a, n):
			break loop
		}
	}
	return n
}

// escapesBefore returns the number of backslashes that belong to the closing mark at i.
func (sc *scanner) escapesBefore(i, from int) int {
	return min(backslashesBefore(sc.text[from:], i-from), sc.nest.escapes(sc.text[i]))
}

// escapes returns the number of backslashes before the open mark.
func (n *nesting) escapes(mark byte) int {
	for i := n.depth - 1; i >= 0; i-- {
		if n.open[i].mark == mark {
			return int(n.open[i].backslashes)
		}
	}
	return 0
}

// trimEnd returns the end of an unquoted value without what closes the structure around it.
func (sc *scanner) trimEnd(a *assignment, end int) int {
	start := a.start
	end = sc.nest.trimClosing(start, end)
	switch {
	case a.place == placeLine, a.place == placeCell:
		return start + len(strings.TrimRight(sc.text[start:end], " \t"))
	case a.place == placeProse, a.place == placeField && a.delimiters == anyDelimiter:
		return start + len(strings.TrimRight(sc.text[start:end], ".,;:"))
	case a.place == placeField:
		return start + len(strings.TrimRight(sc.text[start:end], a.delimiters))
	}
	return end
}

// endsLineValue reports whether rest, which begins with white space, begins a comment, a second
// column or another field.
func endsLineValue(rest string) bool {
	n := ascii.PrefixLen(rest, ascii.IsBlank)
	if n > 1 || rest[0] == '\t' || n == len(rest) || rest[n] == '#' || ascii.IsSpace(rest[n]) {
		return true
	}
	word := ascii.PrefixLen(rest[n:min(len(rest), n+maxLabel)], ascii.IsDottedWord)
	after := rest[n+word:]
	return word > 0 && (strings.HasPrefix(after, "=") || strings.HasPrefix(after, ": ")) || hasAnyPrefix(rest[n:], "-> ", "=> ", "~> ", "→ ", "| ", "|| ", "&& ")
}

// startsField reports whether another field, or nothing of the value, follows the delimiter at i.
func (sc *scanner) startsField(a *assignment, i int) bool {
	rest := sc.text[i+1:]
	if a.place == placeProse {
		return rest == "" || ascii.IsSpace(rest[0]) || isQuote(rest[0])
	}
	if rest != "" && isQuote(rest[0]) && sc.nest.closesString(i+1) {
		return true
	}
	if strings.IndexByte(a.delimiters, sc.text[i]) < 0 {
		return false
	}
	if rest == "" || ascii.IsSpace(rest[0]) {
		return true
	}
	n := ascii.PrefixLen(rest[:min(len(rest), maxLabel)], func(c byte) bool { return ascii.IsDottedWord(c) || c == '%' })
	const shortestName = 4
	if a.delimiters == anyDelimiter && (n < shortestName || strings.ContainsAny(rest[:n], "0123456789")) && !sc.nest.inBracket() {
		return false
	}
	if a.separator == '=' && n > 0 && n+1 < len(rest) && rest[n] == ' ' && ascii.IsUpper(rest[0]) && ascii.IsUpper(rest[n+1]) { // User Id=
		n += 1 + ascii.PrefixLen(rest[n+1:], ascii.IsAlnum)
	}
	if n == 0 {
		return len(strings.TrimLeft(rest, ")]};,&")) == 0
	}
	return n < len(rest) && rest[n] == a.separator || n == len(rest) && sc.text[i] == '&'
}

// startsParameter reports whether rest, the text after an ampersand, is empty or begins with the next
// parameter of a query.
func startsParameter(rest string) bool {
	n := ascii.PrefixLen(rest[:min(len(rest), maxLabel)], func(c byte) bool { return ascii.IsDottedWord(c) || strings.IndexByte("%[]$", c) >= 0 })
	return n == len(rest) || n > 0 && strings.IndexByte("=& \t\n\"'#;)", rest[n]) >= 0 || n > 0 && strings.HasPrefix(rest, "amp;")
}

// endOfReference returns the end of the reference that the value begins with, if the value ends with
// it; otherwise 0. What a reference has inside, such as spaces, does not end it.
func (sc *scanner) endOfReference(a *assignment) int {
	s := sc.text
	end := a.start + referenceLength(s[a.start:nearLineEnd(s, a.start)])
	if end == a.start {
		return 0
	}
	switch {
	case end == len(s), ascii.IsSpace(s[end]), strings.IndexByte(",;)]}&\"'`<|", s[end]) >= 0, strings.HasPrefix(s[end:], `\`):
		return end
	}
	return 0
}

// referenceLength returns the length of the bracketed reference at the start of s: <…>, ${…}, $(…),
// {{ … }}, #{…}, %{…} or @Name(…).
func referenceLength(s string) int {
	for _, pair := range [...][2]string{{"{{", "}}"}, {"<%", "%>"}, {"<<", ">>"}, {"<", ">"}, {"${{", "}}"}, {"${", "}"}, {"$((", "))"}, {"$(", ")"}, {"#{", "}"}, {"%{", "}"}} {
		if !strings.HasPrefix(s, pair[0]) {
			continue
		}
		if n := strings.Index(s, pair[1]); n > 0 {
			return n + len(pair[1])
		}
	}
	if name := strings.TrimPrefix(s, "@"); name != s {
		if n := ascii.PrefixLen(name, ascii.IsDottedWord); n > 0 && strings.HasPrefix(name[n:], "(") {
			if end := strings.IndexByte(s, ')'); end > 0 {
				return end + 1
			}
		}
	}
	return 0
}
