package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

type searchOptions struct {
	filters            filterValues
	mode, detail       string
	limit, perIncident int
	minScore           float64
	explain            bool
}

func newSearch(a *app) *cobra.Command {
	var options searchOptions
	command := &cobra.Command{
		Use:   "search WORDS…",
		Short: "Search for similar incidents and what fixed them",
		Long: `Search by plain words, an alert or a log line. Each result is an incident: how often it occurred, what was done about it and how
often that helped. A weak result has little in common with the query. On a terminal matching words are bold, in any form that the incident has them. Filters are those of list.`,
		Example: `  datastorage search pod killed, out of memory
  datastorage search "connection refused" --environment production --limit 3
  kubectl logs api-0 | tail -1 | xargs -0 datastorage search --json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			input := options.searchInput(strings.Join(args, " "))
			if cmd.Flags().Changed("min-score") {
				input.MinScore = &options.minScore
			}
			return a.searchIncidents(cmd.Context(), input, options)
		},
	}
	options.filters = addFilterFlags(command)
	addSearchFlags(command, &options)
	flags := command.Flags()
	flags.IntVar(&options.limit, "limit", 10, "incidents, 1 to 100")
	flags.IntVar(&options.perIncident, "per-signature", 3, "remediations shown for each incident, 0 to 100")
	flags.Float64Var(&options.minScore, "min-score", -1, "lowest score to show, -1 to 1")
	return command
}

// addSearchFlags adds the flags that search and similar share.
func addSearchFlags(command *cobra.Command, options *searchOptions) {
	flags := command.Flags()
	flags.StringVar(&options.mode, "mode", string(client.SearchModeHybrid), "hybrid, lexical or semantic")
	flags.StringVar(&options.detail, "detail", string(client.SearchDetailNormal), "full shows the workflow of the last success; short is for agents, with --json")
	flags.BoolVar(&options.explain, "explain", false, "show what each retriever adds to the score")
	completeWords(command, "mode", stringsOf(client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic))
	completeWords(command, "detail", stringsOf(client.SearchDetailShort, client.SearchDetailNormal, client.SearchDetailFull))
}

func (o searchOptions) searchInput(query string) client.SearchInput {
	input := client.SearchInput{
		Query: query, Mode: new(client.SearchMode(o.mode)), Filters: new(client.SearchFilters), Limit: &o.limit,
		PerSignature: &o.perIncident, Detail: new(client.SearchDetail(o.detail)),
	}
	o.filters.copyTo(input.Filters)
	return input
}

func (a *app) searchIncidents(ctx context.Context, input client.SearchInput, options searchOptions) error {
	recorder := new(responseRecorder)
	api, err := a.newClient(ctx, recorder.clientOption())
	if err != nil {
		return err
	}
	input.Explain = new(options.explain || a.highlightsMatches())
	found, err := api.Search(ctx, input)
	if err != nil {
		return a.newCallError("cannot search", err, "datastorage search --help")
	}
	a.warnIfDegraded(found.Search)
	a.noteNothingSimilar(found.NothingSimilar, len(found.Data))
	return a.printResponse(recorder, func() error { return a.printIncidents(found.Data, options) })
}

// highlightsMatches reports whether matching words are shown in bold; the service must then explain the matches.
func (a *app) highlightsMatches() bool { return a.out.Escapes && !a.json }

func (a *app) warnIfDegraded(how client.SearchInfo) {
	for _, retriever := range how.Degraded {
		a.talk.Line("the %s retriever failed: these are the results of the other", retriever)
	}
}

// noteNothingSimilar says that a search found nothing similar, and what its results are, if it has some.
func (a *app) noteNothingSimilar(nothing bool, results int) {
	switch {
	case nothing && results > 0:
		a.talk.Line("nothing similar was found: these results are weak, and probably about something else")
	case nothing:
		a.talk.Line("nothing similar was found")
	}
}

// textLines is the maximum number of lines shown of an incident's text; the longest texts have a hundred.
const textLines = 3

// workflowLines is the maximum number of lines shown of a workflow; datastorage get shows all.
const workflowLines = 8

func (a *app) printIncidents(results []client.SearchResult, options searchOptions) error {
	columns := []console.Column{
		{Title: "SCORE"},
		{Title: "SEEN"},
		{Title: "LAST (UTC)"},
		{Title: "SOLVED"},
		{Title: "BEST ACTION", Most: 40},
		{Title: "REMEDIATIONS", Most: 60},
		{LinesBelow: textLines},
		{Title: "tried", LinesBelow: 2},
		{Title: "last success", LinesBelow: 1},
	}
	full := options.detail == string(client.SearchDetailFull)
	if full {
		columns = append(columns, console.Column{Title: "workflow", LinesBelow: workflowLines})
	}
	if options.explain {
		columns = append([]console.Column{{Title: "LEXICAL"}, {Title: "SEMANTIC"}, {Title: "FEEDBACK"}}, columns...)
		columns = append(columns, console.Column{Title: "matched", LinesBelow: textLines})
	}
	rows := make([][]console.Cell, len(results))
	for i, result := range results {
		rows[i] = append(console.Cells(
			formatScore(result), strconv.FormatInt(result.Occurrences, 10), a.formatTime(result.LastSeen),
			formatRate(result.SuccessRate.Success, result.SuccessRate.Failure), formatBestAction(result), formatRemediationIDs(result),
		), incidentTextCell(result), console.Cell{Text: formatTriedActions(result)}, console.Cell{Text: formatLastSuccess(result)})
		if full {
			rows[i] = append(rows[i], console.Cell{Text: lastWorkflow(result)})
		}
		if options.explain {
			rows[i] = addExplanation(rows[i], result)
		}
	}
	return a.out.StyledTable(columns, rows)
}

func formatScore(result client.SearchResult) string {
	score := strconv.FormatFloat(result.Score, 'f', 3, 64)
	if result.Weak {
		score += " weak"
	}
	return score
}

// incidentTextCell returns the incident's text on one line, with the matches in bold.
func incidentTextCell(result client.SearchResult) console.Cell {
	cell := console.Cell{Text: strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, result.Text)}
	for _, term := range explainedTerms(result) {
		if strings.Contains(term.Term, " ") {
			continue // The words of a pair are highlighted as single words, without the text between them.
		}
		for _, span := range term.Spans {
			cell.Strong = append(cell.Strong, console.Span{Start: span.Start, End: span.End})
		}
	}
	return cell
}

func explainedTerms(result client.SearchResult) []client.ExplainTerm {
	if result.Explain == nil || result.Explain.Lexical == nil {
		return nil
	}
	return result.Explain.Lexical.Terms
}

// formatBestAction formats the action with the highest lower bound of its success rate, which the service lists first.
func formatBestAction(result client.SearchResult) string {
	if len(result.Actions) == 0 {
		return ""
	}
	return formatActionRate(result.Actions[0])
}

func formatActionRate(a client.ActionRate) string {
	return strings.TrimSpace(a.ActionType + " " + formatRate(a.Success, a.Failure))
}

// formatTriedActions lists all actions, best first, if there is more than one.
func formatTriedActions(result client.SearchResult) string {
	if len(result.Actions) < 2 {
		return ""
	}
	all := make([]string, len(result.Actions))
	for i, one := range result.Actions {
		all[i] = formatActionRate(one)
	}
	return strings.Join(all, ", ")
}

// formatLastSuccess names the newest success; datastorage get shows its workflow.
func formatLastSuccess(result client.SearchResult) string {
	last := result.LastSuccess
	if last == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s)", last.RemediationID, last.ActionType)
}

func lastWorkflow(result client.SearchResult) string {
	if result.LastSuccess == nil {
		return ""
	}
	return stringOrEmpty(result.LastSuccess.WorkflowYAML)
}

func formatRemediationIDs(result client.SearchResult) string {
	ids := make([]string, len(result.Remediations))
	for i, remediation := range result.Remediations {
		ids[i] = remediation.RemediationID
	}
	return strings.Join(ids, ",")
}

// addExplanation adds to a row the score of each retriever and of the feedback, and the matching terms with their scores.
func addExplanation(row []console.Cell, result client.SearchResult) []console.Cell {
	explain := result.Explain
	if explain == nil {
		explain = &client.Explain{}
	}
	row = append(console.Cells(formatRetrieverScore(explain.Lexical), formatRetrieverScore(explain.Semantic), formatRetrieverScore(explain.Feedback)), row...)
	return append(row, console.Cell{Text: formatMatchedTerms(result)})
}

func formatRetrieverScore(retriever *client.Contribution) string {
	if retriever == nil {
		return ""
	}
	return strconv.FormatFloat(retriever.Score, 'f', 3, 64)
}

// formatMatchedTerms lists the matching terms, highest score first, with the incident's own forms of them.
func formatMatchedTerms(result client.SearchResult) string {
	text := []rune(result.Text)
	var all []string
	for _, term := range explainedTerms(result) {
		described := term.Term + " " + strconv.FormatFloat(term.Score, 'f', 2, 64)
		var others []string
		for _, span := range term.Spans {
			if strings.Contains(term.Term, " ") {
				break // The words of a pair are listed as single words.
			}
			// The response is not trusted: spans may be out of range.
			start := min(max(span.Start, 0), len(text))
			end := min(max(span.End, start), len(text))
			other := strings.Join(strings.Fields(string(text[start:end])), " ")
			if !strings.EqualFold(other, term.Term) && !slices.Contains(others, other) {
				others = append(others, other)
			}
		}
		if len(others) > 0 {
			described += " (" + strings.Join(others, ", ") + ")"
		}
		all = append(all, described)
	}
	return strings.Join(all, "; ")
}
