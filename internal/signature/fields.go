package signature

import (
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// record is a line that consists of named fields in any order: a JSON object or logfmt.
type record struct {
	open, separator, close string
	fields                 []string
}

// parseRecord splits a line into fields. Placeholders may stand for values.
func parseRecord(line string) (record, bool) {
	if len(line) > 2 && line[0] == '{' && line[len(line)-1] == '}' {
		members := splitMembers(line[1 : len(line)-1])
		return record{"{", ",", "}", members}, len(members) > 0
	}
	fields := splitLogfmt(line)
	return record{separator: " ", fields: fields}, len(fields) > 1
}

// join returns the line with its fields in order.
func (r record) join() string {
	slices.Sort(r.fields)
	return r.open + strings.Join(r.fields, r.separator) + r.close
}

// splitMembers returns the members of a JSON object, or nil if s does not look like members.
func splitMembers(s string) (members []string) {
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			members, from = append(members, strings.TrimSpace(s[from:i])), i+1
		}
	}
	members = append(members, strings.TrimSpace(s[from:]))
	if depth != 0 || quoted || !slices.ContainsFunc(members, isMember) {
		return nil
	}
	return members
}

func isMember(s string) bool { return strings.HasPrefix(s, `"`) && strings.Contains(s, `":`) }

// splitLogfmt returns the fields of a line that consists of key=value and key="value" only, or nil.
func splitLogfmt(line string) (fields []string) {
	for line != "" {
		n := logfmtFieldLength(line)
		if n == 0 || n < len(line) && line[n] != ' ' {
			return nil
		}
		fields = append(fields, line[:n])
		line = strings.TrimLeft(line[n:], " ")
	}
	return fields
}

// logfmtFieldLength returns the length of the field at the start of s, or 0.
func logfmtFieldLength(s string) int {
	n := ascii.PrefixLen(s, ascii.IsDottedWord)
	if n == 0 || n == len(s) || s[n] != '=' {
		return 0
	}
	n++
	if n == len(s) || s[n] != '"' {
		return n + ascii.PrefixLen(s[n:], func(c byte) bool { return c != ' ' && c != '"' })
	}
	for n++; n < len(s); n++ {
		switch s[n] {
		case '\\':
			n++
		case '"':
			return n + 1
		}
	}
	return 0
}
