package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// line of the table. A line without a goal is a comparison.
type line struct {
	what, result, floor string
	// ratio is the result divided by the floor, or a figure in the goal's unit.
	ratio float64
	goal  goal
}

// goal is the bound of a ratio or, with a unit, of a figure. At most one of the two bounds is set.
type goal struct {
	least, most float64
	unit        string
}

func (g goal) String() string {
	switch {
	case g.least > 0:
		return fmt.Sprintf("≥ %v", g.least)
	case g.most > 0:
		return strings.TrimSpace(fmt.Sprintf("≤ %v %s", g.most, g.unit))
	default:
		return ""
	}
}

func (g goal) verdictOn(ratio float64) string {
	switch {
	case g == goal{}:
		return ""
	case g.least > 0 && ratio < g.least, g.most > 0 && ratio > g.most:
		return "missed"
	default:
		return "met"
	}
}

func printTable(out io.Writer, machine string, lines []line) error {
	if _, err := fmt.Fprintln(out, machine); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "what\tresult\tfloor\tratio\tgoal\t") // Flush tells
	for _, l := range lines {
		ratio := ""
		if l.ratio > 0 {
			ratio = strings.TrimSpace(fmt.Sprintf("%.2f %s", l.ratio, l.goal.unit))
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.what, l.result, l.floor, ratio, l.goal, l.goal.verdictOn(l.ratio))
	}
	return table.Flush()
}
