package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

type listOptions struct {
	filters filterValues
	params  client.ListRemediationsParams
	all     bool
}

func newList(a *app) *cobra.Command {
	var options listOptions
	command := &cobra.Command{
		Use:   "list",
		Short: "List remediations, newest first",
		Long: `List remediations, newest first.

A filter takes several values, separated by commas, one of which must match; all filters must match. With --all and --json, each
page is a line.`,
		Example: `  datastorage list --namespace payments --status failure --since 7d
  datastorage list --severity critical,high --limit 20 --json
  datastorage list --environment production --all | cut -f2 | sort | uniq -c`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.listRemediations(cmd.Context(), options) },
	}
	options.filters = addFilterFlags(command)
	flags := command.Flags()
	flags.IntVar(&options.params.Limit, "limit", 100, "remediations on a page, 1 to 1000")
	flags.StringVar(&options.params.Cursor, "cursor", "", "continue after a page, with the same filters")
	flags.IntVar(&options.params.Offset, "offset", 0, "remediations to skip, instead of a cursor")
	flags.StringVar((*string)(&options.params.Sort), "sort", string(client.SortNewestFirst), "start_time or -start_time")
	flags.BoolVar(&options.params.IncludeTotal, "include-total", false, "count all that match")
	flags.BoolVar(&options.all, "all", false, "every page, not only one")
	completeWords(command, "sort", stringsOf(client.SortOldestFirst, client.SortNewestFirst))
	return command
}

// listRemediations prints one page or, with --all, all pages.
func (a *app) listRemediations(ctx context.Context, options listOptions) error {
	if options.params.Limit == 0 {
		return newCommandError(exitUsage, "cannot list remediations", errors.New("--limit must be 1 to 1000"), "datastorage list --help")
	}
	recorder := new(responseRecorder)
	api, err := a.newClient(ctx, recorder.clientOption())
	if err != nil {
		return err
	}
	params := options.params
	options.filters.copyTo(&params)
	for {
		page, err := api.ListRemediations(ctx, params)
		if err != nil {
			return a.newCallError("cannot list remediations", err, "datastorage list --help")
		}
		if err := a.printResponse(recorder, func() error { return a.printRemediations(page.Data) }); err != nil {
			return err
		}
		a.printTotal(page.Pagination)
		if !page.Pagination.HasMore {
			return nil
		}
		next := page.Pagination.NextCursor
		if !options.all {
			a.printMoreHint(next)
			return nil
		}
		params.Cursor, params.Offset, params.IncludeTotal = next, 0, false
		if next == "" && page.Pagination.Offset != nil {
			params.Offset = *page.Pagination.Offset + len(page.Data)
		}
	}
}

func (a *app) printTotal(page client.Pagination) {
	if page.Total != nil {
		a.talk.Line("%d match", *page.Total)
	}
}

func (a *app) printMoreHint(cursor string) {
	if cursor == "" {
		a.talk.Line("there are more: --all shows them")
		return
	}
	a.talk.Line("there are more: --all shows them, --cursor %s the next page", cursor)
}

func (a *app) printRemediations(remediations []client.Remediation) error {
	columns := []console.Column{
		{Title: "STARTED (UTC)"},
		{Title: "REMEDIATION"},
		{Title: "NAME", Most: 40},
		{Title: "NAMESPACE", Most: 30},
		{Title: "SEVERITY"},
		{Title: "ACTION", Most: 30},
		{Title: "PHASE"},
		{Title: "STATUS"},
		{Title: "TOOK"},
	}
	rows := make([][]string, len(remediations))
	for i, r := range remediations {
		rows[i] = []string{
			a.formatTime(r.StartTime), r.RemediationID, r.Name, r.Namespace, string(r.Severity), r.ActionType, string(r.Phase),
			string(r.Status), formatMilliseconds(r.DurationMS),
		}
	}
	return a.out.Table(columns, rows)
}
