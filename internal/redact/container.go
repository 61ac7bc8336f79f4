package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// scanContainer reads the values of the list or object that begins at a.start. The entries of an
// object have labels of their own; below a plural label, all of them label secrets.
func (sc *scanner) scanContainer(a *assignment) int {
	s := sc.text
	open := s[a.start]
	inner := skipSpaces(s, a.start+ascii.PrefixLen(s[a.start:], func(c byte) bool { return c == open }))
	if inner == len(s) {
		return 0
	}
	if open == '{' {
		if a.tight && a.separator == '=' && a.delimiters == ";" {
			return sc.scanBraced(a)
		}
		sc.entry = entry{a.class, a.label, inner + 256}
		if isPlural(a.label) {
			sc.group = group{labelSecret, a.start + containerLength(s[a.start:])}
		}
		if s[inner] != '}' && !isQuote(s[inner]) && s[inner] != '\\' {
			word := ascii.PrefixLen(s[inner:], ascii.IsDottedWord)
			if rest := s[inner+word:]; word == 0 || !strings.HasPrefix(rest, ":") && !strings.HasPrefix(strings.TrimLeft(rest, " "), "=") {
				if a.tight && a.separator == '=' {
					return sc.scanBraced(a)
				}
				return sc.scanValue(a)
			}
		}
		return 0
	}
	if end := nearLineEnd(s, a.start); !closesList(s[a.start:end]) && end >= inner {
		return sc.scanValue(a)
	}
	return sc.scanList(a, inner)
}

// scanBraced reads a value that begins with a brace: one of ODBC, whose end is a brace before a
// semicolon, or a password.
func (sc *scanner) scanBraced(a *assignment) int {
	s := sc.text
	line := s[a.start:nearLineEnd(s, a.start)]
	for i := 1; i < len(line); i++ {
		if line[i] != '}' {
			continue
		}
		if strings.HasPrefix(line[i:], "}}") {
			i++
		} else if i+1 == len(line) || strings.IndexByte(";\"' ", line[i+1]) >= 0 {
			a.end = a.start + i + 1
			return sc.redactValue(a)
		}
	}
	a.end = sc.bareEnd(a)
	return sc.redactValue(a)
}

// scanList redacts the items of a list.
func (sc *scanner) scanList(a *assignment, i int) int {
	s := sc.text
	last := 0
	for n := 0; i < len(s) && s[i] != ']' && n < 64; n++ {
		item := *a
		item.start, item.place, item.quoted = i, placeField, false
		sc.nest.moveTo(i)
		if s[i] == '{' || !sc.readValue(&item) {
			break
		}
		if !item.quoted && s[a.labelEnd:a.start] != "" {
			item.end = min(item.end, i+ascii.PrefixLen(s[i:item.end], func(c byte) bool { return c != ']' && c != ',' }))
		}
		if item.start < item.end && sc.isSecret(&item) {
			last = sc.add(item.start, item.end, labelAction(a.class, a.label))
		}
		i = item.end
		if item.quoted {
			i += len(openingQuote(s[i:]))
		}
		i = skipSpaces(s, i)
		if i >= len(s) || s[i] != ',' {
			break
		}
		i = skipSpaces(s, i+1)
	}
	return last
}

// closesList reports whether a bracket in the line ends a list rather than being a part of a
// password.
func closesList(line string) bool {
	n := strings.IndexByte(line, ']')
	return n >= 0 && (n+1 == len(line) || strings.IndexByte(" ,;)}]\"'\\", line[n+1]) >= 0)
}

// containerLength returns the length of the object or list at the start of s, at most 4 KiB.
func containerLength(s string) int {
	const longest = 4096
	depth := 0
	for i := 0; i < min(len(s), longest); i++ {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return min(len(s), longest)
}

// plurals are the last words of labels of several secrets.
var plurals = wordsOf("passwords passwds passphrases secrets tokens apikeys keys credentials creds")

func isPlural(text string) bool {
	l := splitLabel(text)
	return l.count > 0 && plurals[l.words[l.count-1].text]
}

// scanBelow reads the value on the lines below the label: a scalar, or the items of a list or map
// below a plural label.
func (sc *scanner) scanBelow(a *assignment) int {
	s := sc.text
	i := skipSpaces(s, a.start)
	if i == len(s) || a.start == len(s) {
		return 0
	}
	labelLine := nearLineStart(s, a.labelStart)
	line := nearLineStart(s, i)
	outer, inner := indentationWidth(s[labelLine:]), indentationWidth(s[line:])
	separator := strings.TrimRight(s[a.labelEnd:a.start], " \t")
	switch {
	case strings.HasPrefix(s[i:], ": ") && separator == "": // ? password\n: value
		a.start, a.place = skipBlanks(s, i+1), placeLine
		return sc.scanValue(a)
	case strings.HasPrefix(s[i:], "- ") && (a.flag || isPlural(a.label)):
		return sc.scanItemsBelow(a, i)
	case separator == "" || line == labelLine:
		return sc.scanTable(a)
	case inner <= outer && (outer > 0 || inner > 0 || startsAssignment(s[i:])):
		return 0
	case startsAssignment(s[i:]):
		if isPlural(a.label) && inner > outer {
			sc.group = group{labelSecret, endOfIndented(s, i, outer)}
		}
		return 0
	}
	if inner <= outer && a.class != labelPassword {
		return 0
	}
	a.start, a.place = i, placeLine
	if inner <= outer {
		a.place = placeCell
	}
	return sc.scanValue(a)
}

// startsAssignment reports whether a line begins with a key and a colon or equals sign.
func startsAssignment(line string) bool {
	line = strings.TrimLeft(line, "-\"' ")
	n := ascii.PrefixLen(line, func(c byte) bool { return ascii.IsDottedWord(c) || c == '"' || c == '\'' || c == '/' })
	rest := strings.TrimLeft(line[n:], " ")
	return n > 0 && (strings.HasPrefix(line[n:], ": ") || strings.HasPrefix(line[n:], ":\n") || strings.HasPrefix(line[n:], ":\r") || line[n:] == ":" || strings.HasPrefix(rest, "="))
}

// endOfIndented returns the end of the lines from i on with more than the given indentation.
func endOfIndented(s string, i, outer int) int {
	const longest = 4096
	for limit := min(len(s), i+longest); i < limit; {
		end := endOfLine(s, i)
		if end == len(s) {
			return end
		}
		i = end + 1
		if strings.TrimSpace(s[i:endOfLine(s, i)]) != "" && indentationWidth(s[i:]) <= outer {
			return i
		}
	}
	return i
}

// scanItemsBelow redacts the items of a YAML list below the label, or the one that follows a flag.
func (sc *scanner) scanItemsBelow(a *assignment, i int) int {
	s := sc.text
	last := 0
	for strings.HasPrefix(s[i:], "- ") {
		item := *a
		item.start, item.place, item.tight, item.labelQuote = skipBlanks(s, i+2), placeLine, true, ""
		if startsAssignment(s[item.start:]) || !sc.readValue(&item) {
			break
		}
		if s[item.start] != '-' && sc.isSecret(&item) {
			last = sc.add(item.start, item.end, labelAction(a.class, a.label))
		}
		if a.flag {
			break
		}
		i = skipSpaces(s, endOfLine(s, item.end))
	}
	return last
}

// scanBlockScalar redacts the YAML block scalar whose indicator is at a.start: the lines with more
// indentation than the label's.
func (sc *scanner) scanBlockScalar(a *assignment) int {
	s := sc.text
	end := endOfLine(s, a.start)
	if !ascii.IsBlockIndicator(strings.TrimRight(s[a.start:end], " \t\r")) {
		return sc.scanValue(a)
	}
	outer := indentationWidth(s[nearLineStart(s, a.labelStart):])
	start, last := 0, 0
	for end < len(s) {
		line := end + 1
		depth := indentationWidth(s[line:])
		end = endOfLine(s, line)
		if strings.TrimSpace(s[line:end]) == "" {
			continue
		}
		if depth <= outer {
			break
		}
		if start == 0 {
			start = line + depth
		}
		last = end
	}
	if start == 0 || isReference(s[start:last]) || hasAnyPrefix(s[start:last], "-----BEGIN", redacted, "{{") || a.class <= labelRandom && !isRandomWord(strings.TrimSpace(s[start:last])) {
		return 0
	}
	return sc.add(start, start+len(strings.TrimRight(s[start:last], " \r")), labelAction(a.class, a.label))
}

// indentationWidth returns the number of blanks and list dashes at the start of a line.
func indentationWidth(line string) int {
	return ascii.PrefixLen(line, func(c byte) bool { return c == ' ' || c == '\t' || c == '-' })
}
