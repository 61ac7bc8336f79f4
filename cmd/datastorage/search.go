package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

type searchOptions struct {
	filters             client.ListRemediationsParams
	mode                string
	limit, perSignature int
	minScore            float64
	explain             bool
}

func newSearch(a *app) *cobra.Command {
	var options searchOptions
	command := &cobra.Command{
		Use:   "search WORDS…",
		Short: "Ask whether something has happened before, and what fixed it",
		Long: `Ask in plain words, or with an alert or a line of a log, whether something has happened before. Each answer is an incident: how
often it occurred, what was done about it and how often that helped. Filters are those of list.`,
		Example: `  datastorage search pod killed, out of memory
  datastorage search "connection refused" --environment production --limit 3
  kubectl logs api-0 | tail -1 | xargs -0 datastorage search --json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			input := options.input(strings.Join(args, " "))
			if cmd.Flags().Changed("min-score") {
				input.MinScore = &options.minScore
			}
			return a.search(cmd.Context(), input)
		},
	}
	filterFlags(command, &options.filters)
	flags := command.Flags()
	flags.StringVar(&options.mode, "mode", string(client.SearchModeHybrid), "hybrid, lexical (by words) or semantic (by meaning)")
	flags.IntVar(&options.limit, "limit", 10, "incidents, 1 to 100")
	flags.IntVar(&options.perSignature, "per-signature", 3, "remediations shown for each incident, 0 to 100")
	flags.Float64Var(&options.minScore, "min-score", -1, "incidents less alike are left out, -1 to 1")
	flags.BoolVar(&options.explain, "explain", false, "show what the words and the meaning add to the score")
	completeWords(command, "mode", words(client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic))
	return command
}

func (o searchOptions) input(query string) client.SearchInput {
	return client.SearchInput{
		Query: query, Mode: new(client.SearchMode(o.mode)), Filters: searchFilters(o.filters), Limit: &o.limit,
		PerSignature: &o.perSignature, Explain: &o.explain,
	}
}

func (a *app) search(ctx context.Context, input client.SearchInput) error {
	tape := new(tape)
	api, err := a.connect(tape.recorded())
	if err != nil {
		return err
	}
	found, err := api.Search(ctx, input)
	if err != nil {
		return refused("cannot search", err, "datastorage search --help")
	}
	a.degraded(found.Search)
	if len(found.Data) == 0 {
		a.talk.Line("nothing like it was found")
	}
	return a.show(tape, func() error { return a.found(found.Data, *input.Explain) })
}

func (a *app) degraded(how client.SearchInfo) {
	for _, leg := range how.Degraded {
		a.talk.Line("the %s part of the search did not answer: this is what the rest found", leg)
	}
}

func (a *app) found(results []client.SearchResult, explain bool) error {
	columns := []console.Column{
		{Title: "SCORE"},
		{Title: "SEEN"},
		{Title: "LAST (UTC)"},
		{Title: "SOLVED"},
		{Title: "BEST ACTION", Most: 40},
		{Title: "REMEDIATIONS"},
		{Title: "INCIDENT", Most: 70},
	}
	if explain {
		columns = append([]console.Column{{Title: "WORDS"}, {Title: "MEANING"}, {Title: "MATCHED", Most: 40}}, columns...)
	}
	rows := make([][]string, len(results))
	for i, result := range results {
		rows[i] = []string{
			strconv.FormatFloat(result.Score, 'f', 3, 64), strconv.FormatInt(result.Occurrences, 10), a.at(result.LastSeen),
			share(result.SuccessRate.Success, result.SuccessRate.Failure), bestAction(result), shownIDs(result), oneLine(result.Text),
		}
		if explain {
			rows[i] = append(explained(result.Explain), rows[i]...)
		}
	}
	return a.out.Table(columns, rows)
}

// bestAction is the action that helped most surely; the service gives it first.
func bestAction(result client.SearchResult) string {
	if len(result.Actions) == 0 {
		return ""
	}
	best := result.Actions[0]
	return strings.TrimSpace(best.ActionType + " " + share(best.Success, best.Failure))
}

func shownIDs(result client.SearchResult) string {
	ids := make([]string, len(result.Remediations))
	for i, remediation := range result.Remediations {
		ids[i] = remediation.RemediationID
	}
	return strings.Join(ids, ",")
}

// explained is what each leg added to the score, and the terms that matched.
func explained(explain *client.Explain) []string {
	if explain == nil {
		return []string{"", "", ""}
	}
	return []string{part(explain.Lexical), part(explain.Semantic), matched(explain.Lexical)}
}

func part(leg *client.ExplainLeg) string {
	if leg == nil {
		return ""
	}
	return strconv.FormatFloat(leg.Score, 'f', 3, 64)
}

func matched(leg *client.ExplainLeg) string {
	if leg == nil {
		return ""
	}
	terms := make([]string, len(leg.Terms))
	for i, term := range leg.Terms {
		terms[i] = term.Term
	}
	return strings.Join(terms, ", ")
}

// oneLine folds the lines and spaces of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
