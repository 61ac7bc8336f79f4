package console

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Column is a column of a table.
type Column struct {
	Title string
	// Most is how many characters of a cell are shown on a terminal; 0 shows all.
	Most int
}

// Table writes rows: on a terminal aligned under titles, into a pipe separated by tabs and without titles, whole.
func (s *Stream) Table(columns []Column, rows [][]string) error {
	if !s.Terminal {
		return s.separated(rows)
	}
	table := tabwriter.NewWriter(s, 0, 0, 2, ' ', 0)
	titles := make([]string, len(columns))
	for i, column := range columns {
		titles[i] = column.Title
	}
	// A tabwriter keeps its first error for Flush.
	_, _ = fmt.Fprintln(table, strings.Join(titles, "\t"))
	for _, row := range rows {
		cells := safe(row)
		for i := range cells {
			cells[i] = cut(cells[i], columns[i].Most)
		}
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// Field is a named value.
type Field struct{ Name, Value string }

// Record writes fields, one below the other; those without a value are left out. On a terminal a value of several lines is
// shown as such.
func (s *Stream) Record(fields []Field) error {
	rows := make([][]string, 0, len(fields))
	widest := 0
	for _, field := range fields {
		if field.Value != "" {
			rows = append(rows, []string{field.Name, field.Value})
			widest = max(widest, len(field.Name))
		}
	}
	if !s.Terminal {
		return s.separated(rows)
	}
	for _, row := range rows {
		indent := "\n" + strings.Repeat(" ", widest+2)
		value := strings.ReplaceAll(Lines(strings.TrimRight(row[1], "\n")), "\n", indent)
		if _, err := fmt.Fprintf(s, "%-*s  %s\n", widest, row[0], value); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
	}
	return nil
}

func (s *Stream) separated(rows [][]string) error {
	for _, row := range rows {
		if _, err := fmt.Fprintln(s, strings.Join(safe(row), "\t")); err != nil {
			return fmt.Errorf("write the rows: %w", err)
		}
	}
	return nil
}

// JSON writes a JSON text as it stands, and a line break after it; on a terminal, unsafe characters are written as escapes.
func (s *Stream) JSON(text []byte) error {
	text = append([]byte(nil), text...)
	if s.Terminal {
		text = escapeJSON(text)
	}
	if len(text) == 0 || text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if _, err := s.Write(text); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

func safe(cells []string) []string {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = Text(cell)
	}
	return safe
}

func cut(cell string, most int) string {
	runes := []rune(cell)
	if most == 0 || len(runes) <= most {
		return cell
	}
	return string(runes[:most-1]) + "…"
}
