package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

func printRankings(out io.Writer, rankings []ranking) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "set\tmodel\tmode\tqueries\tnDCG@10\tMRR@10\thit@1\thit@5\tfalse no\ttrue no\tmedian ms") // Flush reports errors
	for _, r := range rankings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f\n", r.set, r.model, r.mode, r.queries,
			r.scores.ndcg, r.scores.mrr, r.scores.hit1, r.scores.hit5, r.falseNo, r.trueNo, float64(r.median)/float64(time.Millisecond))
	}
	return table.Flush()
}

func printFoldings(out io.Writer, foldings []folding) error {
	for _, f := range foldings {
		_, err := fmt.Fprintf(out,
			"%s: %.2f signatures per judged template, %.2f %% of documents wrongly merged (%d templates, %d documents)\n",
			f.set, f.signatures, 100*f.mergedWrongly, f.templates, f.documents)
		if err != nil {
			return err
		}
	}
	return nil
}
