package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

// Span is a range of characters (Unicode code points) of a cell: from Start up to, not including, End, counted from 0.
type Span struct{ Start, End int }

// Cell is a cell of a table.
type Cell struct {
	Text string
	// Strong are the parts to show in bold if the stream supports it.
	Strong []Span
}

// Cells returns cells without bold parts.
func Cells(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, text := range texts {
		cells[i].Text = text
	}
	return cells
}

// glyph is what a terminal shows as one character: a grapheme cluster, made safe, and how many columns it takes.
type glyph struct {
	text   string
	width  int
	strong bool
}

// glyphs returns the glyphs of a cell's text on one line.
func (c Cell) glyphs() []glyph {
	var all []glyph
	runes := []rune(c.Text)
	for _, part := range c.styledParts(len(runes)) {
		text := Text(string(runes[part.Start:part.End]))
		for state := -1; text != ""; {
			g := glyph{strong: part.strong}
			g.text, text, g.width, state = uniseg.FirstGraphemeClusterInString(text, state)
			all = append(all, g)
		}
	}
	return all
}

type part struct {
	Span
	strong bool
}

// styledParts splits a text of length characters into bold and plain parts; spans may overlap and exceed the text.
func (c Cell) styledParts(length int) []part {
	spans := slices.Clone(c.Strong)
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var parts []part
	at := 0
	for _, span := range spans {
		start, end := max(span.Start, at), min(span.End, length)
		if start >= end {
			continue
		}
		parts = append(parts, part{Span: Span{at, start}}, part{Span{start, end}, true})
		at = end
	}
	return append(parts, part{Span: Span{at, length}})
}

func displayWidth(glyphs []glyph) int {
	n := 0
	for _, g := range glyphs {
		n += g.width
	}
	return n
}

// fittingGlyphs returns the number of glyphs that fit into a number of columns.
func fittingGlyphs(glyphs []glyph, columns int) int {
	for i, g := range glyphs {
		if columns -= g.width; columns < 0 {
			return i
		}
	}
	return len(glyphs)
}

var ellipsis = glyph{text: "…", width: 1}

// truncateGlyphs shortens a line to a number of columns; 0 is no limit.
func truncateGlyphs(line []glyph, columns int) []glyph {
	if columns == 0 || displayWidth(line) <= columns {
		return line
	}
	return slices.Concat(line[:fittingGlyphs(line, columns-1)], []glyph{ellipsis})
}

// wrapGlyphs breaks a text into lines of a number of columns, between words if possible.
func wrapGlyphs(text []glyph, columns int) [][]glyph {
	var lines [][]glyph
	for len(text) > 0 {
		n := max(fittingGlyphs(text, columns), 1)
		next := n
		if n < len(text) {
			for at := n; at > 0; at-- {
				if text[at].text == " " {
					n, next = at, at+1
					break
				}
			}
		}
		lines = append(lines, text[:n])
		text = text[next:]
	}
	return lines
}

// excerptLines selects at most limit lines: the first one, and the consecutive lines with the most bold text. If several runs have as
// much, it takes the earliest.
func excerptLines(lines [][]glyph, limit int) [][]glyph {
	if len(lines) <= limit {
		return lines
	}
	best, bestStrong := 1, -1
	for start := 1; start+limit-1 <= len(lines); start++ {
		strong := 0
		for _, g := range slices.Concat(lines[start : start+limit-1]...) {
			if g.strong {
				strong++
			}
		}
		if strong > bestStrong {
			best, bestStrong = start, strong
		}
	}
	shown := slices.Concat(lines[:1], lines[best:best+limit-1])
	if best > 1 {
		shown[1] = slices.Concat([]glyph{ellipsis}, shown[1])
	}
	if last := len(shown) - 1; best+limit-1 < len(lines) {
		shown[last] = slices.Concat(shown[last], []glyph{ellipsis})
	}
	return shown
}

// Bold and its end (ECMA-48, SGR 1 and 22).
const strongOn, strongOff = "\x1b[1m", "\x1b[22m"

// renderGlyphs returns the text of glyphs, with bold parts if the stream supports them.
func (s *Stream) renderGlyphs(glyphs []glyph) string {
	var text strings.Builder
	strong := false
	turn := func(to bool) {
		switch {
		case strong == to || !s.Escapes:
		case to:
			text.WriteString(strongOn)
		default:
			text.WriteString(strongOff)
		}
		strong = to
	}
	for _, g := range glyphs {
		turn(g.strong)
		text.WriteString(g.text)
	}
	turn(false)
	return text.String()
}
