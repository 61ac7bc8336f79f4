package api

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/search"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// Limits of a search.
const (
	maxQuery            = 8 << 10
	maxSignatures       = 100
	defaultSignatures   = 10
	maxPerSignature     = 100
	defaultPerSignature = 3
)

// SearchQuery reads the body of POST /v1/search.
func (r *Request) SearchQuery(now time.Time) (search.Query, error) {
	f, err := r.fieldsBeside((*parameters).consistency)
	if err != nil {
		return search.Query{}, err
	}
	query := search.Query{
		Text:     f.searchText(r.actions),
		Limit:    f.bounded("limit", 1, maxSignatures, defaultSignatures),
		Newest:   f.bounded("per_signature", 0, maxPerSignature, defaultPerSignature),
		MinScore: f.score("min_score"),
		Explain:  f.optionalBoolean("explain"),
		Mode:     f.mode(),
	}
	query.Filter = f.filters(now)
	f.finish()
	return query, f.faults.Err()
}

// SimilarQuery reads the path's remediation and the parameters of a search for incidents like it. The caller sets Example.
func (r *Request) SimilarQuery(now time.Time) (remediationID string, query search.Query, err error) {
	var faults audit.ValidationErrors
	id := r.remediationID(&faults)
	p := queryParameters(r.event.RawQueryString, &faults)
	query = search.Query{
		Mode:     p.mode(),
		Limit:    p.number("limit", 1, maxSignatures, defaultSignatures),
		Newest:   p.number("per_signature", 1, maxPerSignature, defaultPerSignature),
		Explain:  p.flag("explain"),
		MinScore: -1,
		Filter:   p.filter(now),
	}
	p.consistency()
	p.finish()
	return id, query, faults.Err()
}

func (p *parameters) mode() search.Mode {
	word, ok := p.get("mode")
	if !ok {
		return search.Hybrid
	}
	if !client.SearchMode(word).Valid() {
		p.fault("mode", audit.CodeEnum, "must be semantic, lexical or hybrid")
	}
	return search.Mode(word)
}

func (f *fields) searchText(actions redact.Actions) string {
	text := as[string](f, "query", f.required("query"), "a text")
	switch {
	case text == nil:
		return ""
	case len(*text) > maxQuery:
		f.fault("query", audit.CodeTooLong, fmt.Sprintf("longer than %d KiB", maxQuery>>10))
		return ""
	}
	normal := signature.Normalize(redact.Text(*text, actions))
	if strings.TrimSpace(normal) == "" {
		f.fault("query", audit.CodeEmpty, "must not be empty")
	}
	return normal
}

func (f *fields) bounded(name string, low, high, fallback int64) int {
	before := len(*f.faults)
	n := f.optionalInteger(name)
	if n == nil {
		if len(*f.faults) > before {
			(*f.faults)[len(*f.faults)-1].Detail = fmt.Sprintf("must be a whole number from %d to %d", low, high)
		}
		return int(fallback)
	}
	if *n < low || *n > high {
		f.fault(name, audit.CodeRange, fmt.Sprintf("must be from %d to %d", low, high))
	}
	return int(*n)
}

func (f *fields) score(name string) float64 {
	x := f.optionalNumber(name)
	if x == nil {
		return -1
	}
	if math.Abs(*x) > 1 {
		f.fault(name, audit.CodeRange, "must be from -1 to 1")
	}
	return *x
}

func (f *fields) mode() search.Mode {
	text := f.optionalText("mode")
	if text == nil {
		return search.Hybrid
	}
	if !client.SearchMode(*text).Valid() {
		f.fault("mode", audit.CodeEnum, "must be semantic, lexical or hybrid")
	}
	return search.Mode(*text)
}

func (f *fields) filters(now time.Time) audit.Filter {
	p := &parameters{values: map[string]string{}, path: f.path + "filters.", faults: f.faults, read: map[string]bool{}}
	for name, value := range f.object("filters") {
		text, ok := value.(string)
		if !ok && value != nil {
			p.fault(name, audit.CodeType, "must be a text; separate values by commas")
			continue
		}
		if value != nil {
			p.values[name] = text
		}
	}
	filter := p.filter(now)
	p.finish()
	return filter
}

// RespondSearch makes the response to a search.
func RespondSearch(query search.Query, result search.Result) *Response {
	return NewAnswer(http.StatusOK, client.SearchResults{Data: wireIncidents(query, result), Search: wireSearchInfo(query, result)})
}

// RespondSimilar makes the response to a search by example.
func RespondSimilar(query search.Query, result search.Result) *Response {
	similar := client.SimilarResults{Data: wireIncidents(query, result), Search: wireSearchInfo(query, result)}
	if result.Recurrence != nil {
		recurrence := wireExplained(query, result.Model, *result.Recurrence)
		similar.Recurrence = &recurrence
	}
	return NewAnswer(http.StatusOK, similar)
}

func wireSearchInfo(query search.Query, result search.Result) client.SearchInfo {
	info := client.SearchInfo{Mode: client.SearchMode(query.Mode), Model: result.Model}
	if result.Degraded != nil {
		info.Degraded = []client.SearchLeg{client.SearchLegSemantic}
	}
	return info
}

func wireIncidents(query search.Query, result search.Result) []client.SearchResult {
	return mapped(result.Incidents, func(found search.Incident) client.SearchResult { return wireExplained(query, result.Model, found) })
}

// wireExplained is wireIncident with an explanation if the query asks for it.
func wireExplained(query search.Query, model string, found search.Incident) client.SearchResult {
	result := wireIncident(found)
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

func wireContribution(c *search.Contribution, model string) *client.ExplainLeg {
	if c == nil {
		return nil
	}
	wire := &client.ExplainLeg{Raw: c.Raw, Normalized: c.Normalized, Weight: c.Weight, Score: c.Score()}
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
		wire.Terms = append(wire.Terms, client.ExplainTerm{Term: term.Text, Score: term.Score, Spans: spans})
	}
	return wire
}

func wireIncident(found search.Incident) client.SearchResult {
	result := client.SearchResult{
		IncidentID:   found.IncidentID.String(),
		SignatureID:  found.SignatureID.String(),
		SignatureIds: mapped(found.Signatures, audit.ID.String),
		Text:         found.Text,
		Score:        found.Score,
		Occurrences:  found.Total,
		FirstSeen:    found.FirstSeen,
		LastSeen:     found.LastSeen,
		SuccessRate:  wireRate(found.Outcome),
		Actions:      make([]client.ActionRate, len(found.Actions)),
		Remediations: mapped(found.Newest, wireSummary),
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
