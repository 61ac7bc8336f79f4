package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
)

func newSimilar(a *app) *cobra.Command {
	var options searchOptions
	command := &cobra.Command{
		Use:   "similar ID",
		Short: "Show incidents similar to a remediation: the same one at other times, and others",
		Long: `Show incidents similar to a remediation. The first row, marked same, is its own incident at other times, if there were any; the
others are the most similar incidents. The remediation itself is not counted. On a terminal shared words are bold. Filters are those of list.`,
		Example: `  datastorage similar rem-2026-0001
  datastorage similar rem-2026-0001 --environment production --explain`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showSimilar(cmd.Context(), args[0], options) },
	}
	options.filters = addFilterFlags(command)
	addSearchFlags(command, &options)
	flags := command.Flags()
	flags.IntVar(&options.limit, "limit", 10, "other incidents, 1 to 100")
	flags.IntVar(&options.perIncident, "per-signature", 3, "remediations shown for each incident, 1 to 100")
	return command
}

func (a *app) showSimilar(ctx context.Context, id string, options searchOptions) error {
	recorder := new(responseRecorder)
	api, err := a.newClient(ctx, recorder.clientOption())
	if err != nil {
		return err
	}
	params := client.FindSimilarParams{
		Mode: client.SearchMode(options.mode), Limit: options.limit, PerSignature: options.perIncident,
		Detail: client.SearchDetail(options.detail), Explain: options.explain || a.highlightsMatches(),
	}
	options.filters.copyTo(&params)
	similar, err := api.Similar(ctx, id, params)
	if err != nil {
		return a.newCallError(fmt.Sprintf("cannot show incidents similar to remediation %q", id), err, "datastorage list")
	}
	a.warnIfDegraded(similar.Search)
	results := similar.Data
	if similar.Recurrence != nil {
		results = append([]client.SearchResult{markAsRecurrence(*similar.Recurrence)}, results...)
	}
	a.noteNothingSimilar(similar.NothingSimilar, len(results))
	return a.printResponse(recorder, func() error { return a.printIncidents(results, options) })
}

// markAsRecurrence labels the incident as the example's own. All of its text matches, so nothing is highlighted.
func markAsRecurrence(result client.SearchResult) client.SearchResult {
	result.Text = "same: " + result.Text
	all := explainedTerms(result)
	for i := range all {
		all[i].Spans = nil
	}
	return result
}
