package redact

import (
	"strings"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

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
