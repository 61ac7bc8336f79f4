package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// scanTable redacts the column below the label if the label is in the header of a table: CSV, cells
// between pipes, tabs, or columns of blanks; or the values of an INSERT statement. It returns 0 if
// the label is not in a header.
func (sc *scanner) scanTable(a *assignment) int {
	s := sc.text
	if next := sc.scanInsert(a); next > 0 {
		return next
	}
	line := nearLineStart(s, a.labelStart)
	end := nearLineEnd(s, a.labelStart)
	header := strings.TrimRight(s[line:end], "\r")
	if a.flag || end == len(s) || s[end] != '\n' || line < sc.tableEnd || line > 0 && s[line-1] != '\n' {
		return 0
	}
	for _, separator := range [...]string{",", "\t", "|", ";", "  "} {
		if cells := splitCells(header, separator); (len(cells) > 1 && strings.Trim(header, "| ") != a.label || separator == "|" && len(cells) > 2) && areHeaderCells(cells) && (separator != "|" || isRule(s[end+1:nearLineEnd(s, end+1)]) || startsTable(s, line, a.labelStart)) {
			return sc.scanColumn(a, line, end, separator, len(cells))
		}
	}
	return 0
}

// startsTable reports whether the line is the first of a table between pipes, and the label is not in
// the first column, which could have the keys of a table without a header.
func startsTable(s string, line, label int) bool {
	isFirst := line == 0 || s[nearLineStart(s, line-1)] != '|'
	return isFirst && s[line] == '|' && strings.Count(s[line:label], "|") > 1
}

// scanRow redacts the value after the label in a row of two cells: password,X.
func (sc *scanner) scanRow(a *assignment) int {
	s := sc.text
	start, end := a.start+1, nearLineEnd(s, a.start)
	value := strings.TrimRight(s[min(start, end):end], "\r")
	if !sc.startsLine(a.labelStart) || s[a.start] == ')' || !looksLikePassword(value) || strings.ContainsAny(value, ",;") {
		return 0
	}
	return sc.add(start, start+len(value), labelAction(a.class, a.label))
}

// splitCells splits a row. Cells of a table of blanks are separated by two blanks or more.
func splitCells(row, separator string) []string {
	if separator == "  " {
		return strings.FieldsFunc(strings.ReplaceAll(row, "  ", "\x00"), func(r rune) bool { return r == 0 })
	}
	return strings.Split(row, separator)
}

// areHeaderCells reports whether all cells are names, and one or more is not empty.
func areHeaderCells(cells []string) bool {
	names := 0
	for _, cell := range cells {
		cell = strings.Trim(cell, " \t\"'`|")
		if len(cell) > maxLabel/2 || ascii.PrefixLen(cell, func(c byte) bool { return ascii.IsDottedWord(c) || c == ' ' || c == '*' || c == '#' }) != len(cell) || !isWordlike(strings.Trim(cell, " *#")) && cell != "" {
			return false
		}
		if cell != "" {
			names++
		}
	}
	return names > 0
}

// scanColumn redacts the cells below the label.
func (sc *scanner) scanColumn(a *assignment, line, end int, separator string, width int) int {
	s := sc.text
	column := len(splitCells(s[line:a.labelStart]+"x", separator)) - 1
	last := 0
	for end < len(s) {
		start := end + 1
		end = endOfLine(s, start)
		if isRule(s[start:end]) {
			continue
		}
		from, to, cells := cellBounds(s[start:end], separator, column)
		if cells != width {
			break
		}
		sc.tableEnd = end // its rows are not headers
		cell := strings.TrimSpace(s[start+from : start+to])
		from += strings.Index(s[start+from:start+to], cell)
		if quote := openingQuote(cell); quote != "" && len(cell) > 1 && strings.HasSuffix(cell, quote) {
			from, cell = from+len(quote), cell[len(quote):len(cell)-len(quote)]
		}
		if cell != "" && !isReference(cell) && (a.class == labelPassword || !isStatus(cell) && !isDictionaryName(cell) && !isCount(a, cell)) && a.class != labelRandom {
			last = sc.add(start+from, start+from+len(cell), labelAction(a.class, a.label))
		}
	}
	return last
}

// isRule reports whether a row is a line between rows.
func isRule(row string) bool { return row != "" && strings.Trim(row, "-+|=: \t\r") == "" }

// cellBounds returns the bounds of a cell and the number of cells in a row. Separators inside
// quotation marks do not separate.
func cellBounds(row, separator string, column int) (from, to, cells int) {
	from, to = 0, len(row)
	quoted := false
	for i := 0; i < len(row); {
		if row[i] == '"' {
			quoted = !quoted
		}
		if quoted || !strings.HasPrefix(row[i:], separator) {
			i++
			continue
		}
		next := i + len(separator)
		if separator == "  " {
			next = i + ascii.PrefixLen(row[i:], func(c byte) bool { return c == ' ' })
		}
		if cells == column {
			to = i
		}
		cells++
		if cells == column {
			from = next
		}
		i = next
	}
	return from, to, cells + 1
}

// scanInsert redacts the value of a column in INSERT INTO t (name, password) VALUES ('a', 'X').
func (sc *scanner) scanInsert(a *assignment) int {
	s := sc.text
	rest := s[a.labelEnd:min(len(s), a.labelEnd+512)]
	close := strings.IndexByte(rest, ')')
	open := strings.LastIndexByte(s[max(0, a.labelStart-512):a.labelStart], '(')
	if close < 0 || open < 0 || strings.ContainsAny(rest[:close], "='(") {
		return 0
	}
	open += max(0, a.labelStart-512)
	after := strings.TrimLeft(rest[close+1:], " \n\t")
	if !ascii.HasPrefixFold(after, "values") {
		return 0
	}
	column := strings.Count(s[open:a.labelStart], ",")
	i := a.labelEnd + strings.Index(rest[close:], after) + close + len("values")
	i = skipSpaces(s, i)
	if !strings.HasPrefix(s[i:], "(") {
		return 0
	}
	for n := 0; i < len(s); n++ {
		item := *a
		item.place, item.quoted = placeField, false
		item.start = skipSpaces(s, i+1)
		sc.nest.moveTo(item.start)
		if !sc.readValue(&item) {
			return 0
		}
		if n == column {
			if !item.quoted || isReference(s[item.start:item.end]) {
				return 0
			}
			return sc.add(item.start, item.end, labelAction(a.class, a.label))
		}
		i = item.end
		for i < len(s) && s[i] != ',' && s[i] != ')' {
			i++
		}
		if i == len(s) || s[i] == ')' {
			return 0
		}
	}
	return 0
}
