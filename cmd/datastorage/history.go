package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

type historyOptions struct {
	params client.GetHistoryParams
	all    bool
}

func newHistory(a *app) *cobra.Command {
	var options historyOptions
	command := &cobra.Command{
		Use:   "history ID",
		Short: "Show the journal of a remediation and verify its hashes",
		Long: `Show the journal of a remediation, oldest first. The hash of every entry is recomputed from its canonical text; if one differs,
the command exits with code 1.`,
		Example: `  datastorage history rem-2026-0001
  datastorage history rem-2026-0001 --json | jq -r '.data[].canonical'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.showHistory(cmd.Context(), args[0], options) },
	}
	flags := command.Flags()
	flags.IntVar(&options.params.Limit, "limit", 100, "entries on a page, 1 to 1000")
	flags.StringVar(&options.params.Cursor, "cursor", "", "continue after a page")
	flags.BoolVar(&options.all, "all", false, "every page, not only one")
	return command
}

func (a *app) showHistory(ctx context.Context, id string, options historyOptions) error {
	if options.params.Limit == 0 {
		return newCommandError(exitUsage, "cannot show the history", errors.New("--limit must be 1 to 1000"), "datastorage history --help")
	}
	recorder := new(responseRecorder)
	api, err := a.newClient(ctx, recorder.clientOption())
	if err != nil {
		return err
	}
	params := options.params
	var doubts error
	for {
		page, err := api.History(ctx, id, params)
		if err != nil {
			return a.newCallError(fmt.Sprintf("cannot show the history of remediation %q", id), err, "datastorage list")
		}
		for _, entry := range page.Data {
			doubts = errors.Join(doubts, entry.Verify())
		}
		if err := a.printResponse(recorder, func() error { return a.printJournalEntries(page.Data) }); err != nil {
			return err
		}
		if !page.Pagination.HasMore {
			break
		}
		if !options.all {
			a.printMoreHint(page.Pagination.NextCursor)
			break
		}
		params.Cursor = page.Pagination.NextCursor
	}
	if doubts != nil {
		return newCommandError(exitFailed, "journal entries do not match their hashes", doubts, "datastorage history "+id+" --json")
	}
	return nil
}

func (a *app) printJournalEntries(entries []client.HistoryEntry) error {
	columns := []console.Column{
		{Title: "RECORDED (UTC)"},
		{Title: "KIND"},
		{Title: "ACTOR", Most: 40},
		{Title: "ENTRY"},
		{Title: "VERIFIED"},
		{Title: "LEAF HASH", Most: 17},
	}
	rows := make([][]string, len(entries))
	for i, entry := range entries {
		verified := "yes"
		if entry.Verify() != nil {
			verified = "NO"
		}
		rows[i] = []string{
			a.formatTime(entry.RecordedAt), string(entry.Kind), entry.Actor, entry.EventID, verified, entry.LeafHash,
		}
	}
	return a.out.Table(columns, rows)
}
