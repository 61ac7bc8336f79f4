package api

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/search"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// Limits of a search.
const (
	maxQuery           = 8 << 10
	maxSignatures      = 100
	defaultSignatures  = 10
	maxPerIncident     = 100
	defaultPerIncident = 3
	// maxShortText is the size of a text in the short form, in bytes of JSON.
	maxShortText = 140
)

// SearchQuery reads the body of POST /v1/search.
func (r *Request) SearchQuery(now time.Time) (search.Query, error) {
	f, err := r.readBodyWithParameters((*parameterReader).checkConsistency)
	if err != nil {
		return search.Query{}, err
	}
	query := search.Query{
		Text:     f.readSearchText(r.actions),
		Limit:    f.readBoundedInteger("limit", 1, maxSignatures, defaultSignatures),
		Newest:   f.readBoundedInteger("per_signature", 0, maxPerIncident, defaultPerIncident),
		MinScore: f.readScore("min_score"),
		Explain:  f.readOptionalBoolean("explain"),
		Mode:     readWord(f, "mode", searchModes(), search.Hybrid),
		Detail:   readWord(f, "detail", searchDetails(), search.Normal),
	}
	query.Filter = f.readFilters(now)
	f.reportUnread()
	return query, f.errs.Err()
}

// SimilarQuery reads the remediation id and the parameters of GET
// /v1/remediations/{example_id}/similar. The caller sets Example.
func (r *Request) SimilarQuery(now time.Time) (remediationID string, query search.Query, err error) {
	var errs audit.ValidationErrors
	id := r.checkedRemediationID(&errs)
	p := r.queryParameters(&errs)
	query = search.Query{
		Mode:     readEnum(p, "mode", searchModes(), search.Hybrid),
		Limit:    p.readInteger("limit", 1, maxSignatures, defaultSignatures),
		Newest:   p.readInteger("per_signature", 1, maxPerIncident, defaultPerIncident),
		Detail:   readEnum(p, "detail", searchDetails(), search.Normal),
		Explain:  p.readBoolean("explain"),
		MinScore: -1,
		Filter:   p.readFilter(now),
	}
	p.checkConsistency()
	p.reportUnread()
	return id, query, errs.Err()
}

func searchModes() []search.Mode {
	return []search.Mode{search.Semantic, search.Lexical, search.Hybrid}
}

func searchDetails() []search.Detail {
	return []search.Detail{search.Short, search.Normal, search.Full}
}

func (f *fieldReader) readSearchText(actions redact.Actions) string {
	text := typedValue[string](f, "query", f.readRequired("query"), "a string")
	switch {
	case text == nil:
		return ""
	case len(*text) > maxQuery:
		f.addError("query", audit.CodeTooLong, fmt.Sprintf("must not be longer than %d KiB", maxQuery>>10))
		return ""
	}
	normal := signature.Normalize(redact.Text(*text, actions))
	if strings.TrimSpace(normal) == "" {
		f.addError("query", audit.CodeEmpty, "must not be empty")
	}
	return normal
}

// readBoundedInteger returns an integer from low to high, or fallback if it is absent.
func (f *fieldReader) readBoundedInteger(name string, low, high, fallback int64) int {
	before := len(*f.errs)
	n := f.readOptionalInteger(name)
	if n == nil {
		if len(*f.errs) > before {
			(*f.errs)[len(*f.errs)-1].Detail = fmt.Sprintf("must be an integer from %d to %d", low, high)
		}
		return int(fallback)
	}
	if *n < low || *n > high {
		f.addError(name, audit.CodeRange, fmt.Sprintf("must be from %d to %d", low, high))
	}
	return int(*n)
}

// readScore returns a score from -1 to 1, or -1 if it is absent.
func (f *fieldReader) readScore(name string) float64 {
	x := f.readOptionalNumber(name)
	if x == nil {
		return -1
	}
	if math.Abs(*x) > 1 {
		f.addError(name, audit.CodeRange, "must be from -1 to 1")
	}
	return *x
}

// readWord returns one value of a set, or fallback if it is absent.
func readWord[T ~string](f *fieldReader, name string, set []T, fallback T) T {
	word := f.readOptionalString(name)
	if word == nil {
		return fallback
	}
	if !slices.Contains(set, T(*word)) {
		f.addError(name, audit.CodeEnum, mustBeOneOf(set))
	}
	return T(*word)
}

// readFilters reads the member filters, whose members are strings like the query parameters of a
// list, or lists of strings.
func (f *fieldReader) readFilters(now time.Time) audit.Filter {
	p := newParameterReader(map[string][]string{}, f.path+"filters.", f.errs)
	p.lists = map[string]bool{}
	for name, value := range f.readOptionalObject("filters") {
		texts, ok := stringsOf(value)
		if !ok {
			p.addError(name, audit.CodeType, "must be a string or a list of strings")
			continue
		}
		p.values[name] = texts
		_, p.lists[name] = value.([]any)
	}
	filter := p.readFilter(now)
	p.reportUnread()
	return filter
}

// stringsOf returns a string or the strings of a list; ok is false for anything else than these and
// null.
func stringsOf(value any) (texts []string, ok bool) {
	switch value := value.(type) {
	case nil:
		return nil, true
	case string:
		return []string{value}, true
	case []any:
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			texts = append(texts, text)
		}
		return texts, true
	}
	return nil, false
}

// RespondSearch returns the response to a search.
func RespondSearch(query search.Query, result search.Result) *Response {
	return NewResponse(http.StatusOK, client.SearchResults{
		NothingSimilar: result.NothingSimilar, Data: wireIncidents(query, result), Search: wireSearchInfo(query, result),
	})
}

// RespondSimilar returns the response to a search by example.
func RespondSimilar(query search.Query, result search.Result) *Response {
	similar := client.SimilarResults{
		NothingSimilar: result.NothingSimilar, Data: wireIncidents(query, result), Search: wireSearchInfo(query, result),
	}
	if result.Recurrence != nil {
		recurrence := wireExplained(query, result.Model, *result.Recurrence)
		similar.Recurrence = &recurrence
	}
	return NewResponse(http.StatusOK, similar)
}

func wireSearchInfo(query search.Query, result search.Result) client.SearchInfo {
	info := client.SearchInfo{Mode: client.SearchMode(query.Mode), Model: result.Model}
	if result.Degraded != nil {
		info.Degraded = []client.Retriever{client.RetrieverSemantic}
	}
	return info
}

func wireIncidents(query search.Query, result search.Result) []client.SearchResult {
	return convertSlice(result.Incidents, func(found search.Incident) client.SearchResult {
		return wireExplained(query, result.Model, found)
	})
}

// wireExplained returns an incident in the detail that the query requests, with an explanation if it
// requests one.
func wireExplained(query search.Query, model string, found search.Incident) client.SearchResult {
	result := wireIncident(found)
	if query.Detail == search.Short {
		shortenResult(&result)
	}
	if query.Explain {
		result.Explain = &client.Explain{
			Lexical:  wireContribution(found.Lexical, ""),
			Semantic: wireContribution(found.Semantic, model),
			Feedback: wireContribution(found.Feedback, model),
			Filters:  query.Filter.Fields(),
		}
	}
	return result
}

func wireContribution(c *search.Contribution, model string) *client.Contribution {
	if c == nil {
		return nil
	}
	wire := &client.Contribution{Raw: c.Raw, Normalized: c.Normalized, Weight: c.Weight, Score: c.Score()}
	if c.Rank > 0 {
		wire.Rank = &c.Rank
	}
	if model != "" {
		wire.Model = &model
	}
	for _, term := range c.Terms {
		spans := make([]client.TextSpan, len(term.Spans))
		for i, span := range term.Spans {
			spans[i] = client.TextSpan{Start: span.Start, End: span.End}
		}
		wire.Terms = append(wire.Terms, client.ExplainTerm{Term: term.Text, Score: term.Score, Location: term.Location, Spans: spans})
	}
	return wire
}

func wireIncident(found search.Incident) client.SearchResult {
	result := client.SearchResult{
		IncidentID:   found.IncidentID.String(),
		SignatureID:  found.SignatureID.String(),
		SignatureIds: convertSlice(found.Signatures, audit.ID.String),
		Text:         found.Text,
		Score:        found.Score,
		Weak:         found.Weak(),
		Occurrences:  found.Total,
		FirstSeen:    found.FirstSeen,
		LastSeen:     found.LastSeen,
		SuccessRate:  wireRate(found.Outcome),
		Actions:      make([]client.ActionRate, len(found.Actions)),
		Remediations: convertSlice(found.Newest, wireSummary),
	}
	if s := found.Solved; s != nil {
		result.LastSuccess = &client.LastSuccess{
			RemediationID: s.RemediationID, ActionType: s.ActionType, StartTime: s.StartTime, WorkflowYAML: s.WorkflowYAML,
		}
	}
	for i, action := range found.Actions {
		rate := wireRate(action.Outcome)
		result.Actions[i] = client.ActionRate{
			ActionType: action.ActionType, Success: rate.Success, Failure: rate.Failure,
			Rate: rate.Rate, Low: rate.Low, High: rate.High,
		}
	}
	return result
}

// shortenResult leaves out what the short form does not have: what fixed the incident, how often, and
// the IDs to ask for more remain.
func shortenResult(result *client.SearchResult) {
	result.Text = shortenText(result.Text, maxShortText)
	result.Score = *roundShort(&result.Score)
	result.SuccessRate.Rate, result.SuccessRate.Low, result.SuccessRate.High =
		roundShort(result.SuccessRate.Rate), roundShort(result.SuccessRate.Low), roundShort(result.SuccessRate.High)
	result.Actions = result.Actions[:min(len(result.Actions), 1)]
	for i := range result.Actions {
		best := &result.Actions[i]
		best.Rate, best.Low, best.High = roundShort(best.Rate), roundShort(best.Low), roundShort(best.High)
	}
	result.SignatureIds, result.FirstSeen, result.Remediations = nil, time.Time{}, nil
}

// roundShort rounds to four decimals.
func roundShort(x *float64) *float64 {
	if x == nil {
		return nil
	}
	return new(math.Round(*x*1e4) / 1e4)
}

// shortenText returns the beginning of a text on one line, at most limit bytes as json.Marshal writes
// them, with … where it was cut.
func shortenText(text string, limit int) string {
	line := strings.Join(strings.Fields(text), " ")
	size, cut := 0, 0
	for i, r := range line {
		if size <= limit-len("…") {
			cut = i
		}
		size += jsonLength(r)
	}
	if size <= limit {
		return line
	}
	return line[:cut] + "…"
}

// jsonLength returns the number of bytes of a character in a string as json.Marshal writes it, which
// also escapes the brackets of placeholders.
func jsonLength(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return len(`\"`)
	case r < ' ' || strings.ContainsRune("<>&\u2028\u2029", r):
		return len(`\u003c`)
	}
	return utf8.RuneLen(r)
}
