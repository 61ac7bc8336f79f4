package console

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Column sets how a table prints a column.
type Column struct {
	Title string
	// Most is the maximum width of a cell on a terminal, in columns; 0 is no limit.
	Most int
	// LinesBelow is how many lines of the cell a terminal prints under the row (after the title); 0 prints it in the row.
	LinesBelow int
}

// gap separates columns.
const gap = "  "

// indent precedes the cells below a row.
const indent = "    "

// defaultColumns is the assumed width of a terminal of unknown size.
const defaultColumns = 80

// leastLast is the minimum width of the last column, which is truncated to fit the terminal.
const leastLast = 12

// Table writes rows: on a terminal aligned under titles with the last column truncated to fit, in a pipe complete, separated by tabs and
// without titles.
func (s *Stream) Table(columns []Column, rows [][]string) error {
	cells := make([][]Cell, len(rows))
	for i, row := range rows {
		cells[i] = Cells(row...)
	}
	return s.StyledTable(columns, cells)
}

// StyledTable is Table for cells with bold parts.
func (s *Stream) StyledTable(columns []Column, rows [][]Cell) error {
	if !s.Terminal {
		return s.writeTabSeparated(plainTexts(rows))
	}
	titles := make([]Cell, len(columns))
	for i, column := range columns {
		titles[i].Text = column.Title
	}
	lines := [][][]glyph{rowGlyphs(columns, titles)}
	for _, row := range rows {
		lines = append(lines, rowGlyphs(columns, row))
	}
	var text strings.Builder
	widths := columnWidths(lines)
	s.truncateLastColumn(lines, widths)
	for i, line := range lines {
		text.WriteString(s.alignCells(line, widths) + "\n")
		if i > 0 {
			s.writeCellsBelow(&text, columns, rows[i-1])
		}
	}
	if _, err := io.WriteString(s, text.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// rowGlyphs returns the glyphs of the cells in the row itself.
func rowGlyphs(columns []Column, row []Cell) [][]glyph {
	var line [][]glyph
	for i, cell := range row {
		if columns[i].LinesBelow == 0 {
			line = append(line, truncateGlyphs(cell.glyphs(), columns[i].Most))
		}
	}
	return line
}

func columnWidths(lines [][][]glyph) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	return widths
}

// truncateLastColumn shortens the last column so that the rows fit the terminal's width.
func (s *Stream) truncateLastColumn(lines [][][]glyph, widths []int) {
	last := len(widths) - 1
	available := s.Columns
	for _, width := range widths[:last] {
		available -= width + len(gap)
	}
	if s.Columns == 0 || available >= widths[last] {
		return
	}
	for _, line := range lines {
		line[last] = truncateGlyphs(line[last], max(available, leastLast))
	}
}

func (s *Stream) alignCells(line [][]glyph, widths []int) string {
	var text strings.Builder
	for i, cell := range line {
		if i > 0 {
			text.WriteString(gap)
		}
		text.WriteString(s.renderGlyphs(cell))
		if i < len(line)-1 {
			text.WriteString(strings.Repeat(" ", widths[i]-displayWidth(cell)))
		}
	}
	return text.String()
}

// writeCellsBelow writes the cells that belong under their row.
func (s *Stream) writeCellsBelow(text *strings.Builder, columns []Column, row []Cell) {
	// Two columns are reserved for the ellipses of an excerpt.
	available := max(cmp.Or(s.Columns, defaultColumns)-len(indent)-2, 1)
	for i, cell := range row {
		if columns[i].LinesBelow == 0 {
			continue
		}
		all := cell.glyphs()
		if title := columns[i].Title; title != "" && len(all) > 0 {
			all = append(Cell{Text: title + ": "}.glyphs(), all...)
		}
		for _, line := range excerptLines(wrapGlyphs(all, available), columns[i].LinesBelow) {
			text.WriteString(indent + s.renderGlyphs(line) + "\n")
		}
	}
}

func plainTexts(rows [][]Cell) [][]string {
	texts := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			texts[i] = append(texts[i], cell.Text)
		}
	}
	return texts
}

// Field is a named value.
type Field struct{ Name, Value string }

// Record writes fields one below the other and omits those without a value. On a terminal a multi-line value keeps its lines.
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
		return s.writeTabSeparated(rows)
	}
	for _, row := range rows {
		hanging := "\n" + strings.Repeat(" ", widest+2)
		value := strings.ReplaceAll(Lines(strings.TrimRight(row[1], "\n")), "\n", hanging)
		if _, err := fmt.Fprintf(s, "%-*s  %s\n", widest, row[0], value); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
	}
	return nil
}

func (s *Stream) writeTabSeparated(rows [][]string) error {
	for _, row := range rows {
		if _, err := fmt.Fprintln(s, strings.Join(safeTexts(row), "\t")); err != nil {
			return fmt.Errorf("write the rows: %w", err)
		}
	}
	return nil
}

// JSON writes a JSON text unchanged, followed by a line break; on a terminal, unsafe characters are escaped.
func (s *Stream) JSON(text []byte) error {
	text = append([]byte(nil), text...)
	if s.Terminal {
		text = escapeUnsafeJSON(text)
	}
	if len(text) == 0 || text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if _, err := s.Write(text); err != nil {
		return fmt.Errorf("write the response: %w", err)
	}
	return nil
}

func safeTexts(cells []string) []string {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = Text(cell)
	}
	return safe
}
