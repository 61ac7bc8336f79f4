package api

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// Limits of a search.
const (
	maxQuery            = 8 << 10
	maxSignatures       = 100
	defaultSignatures   = 10
	maxPerSignature     = 100
	defaultPerSignature = 3
)

// SearchQuery is a parsed POST /v1/search.
type SearchQuery struct {
	// Text is the query, sanitised and normalised as signatures are.
	Text         string
	Filter       audit.Filter
	Limit        int
	PerSignature int
	// MinScore is the least cosine similarity, -1 when all are wanted.
	MinScore float64
	Explain  bool
}

// SearchQuery reads the body of a search; what was done to the query's text is counted in actions.
func (r *Request) SearchQuery(actions audit.Actions, now time.Time) (*SearchQuery, error) {
	f, err := r.fields(actions)
	if err != nil {
		return nil, err
	}
	query := &SearchQuery{
		Text:         f.searchText(actions),
		Limit:        f.bounded("limit", 1, maxSignatures, defaultSignatures),
		PerSignature: f.bounded("per_signature", 0, maxPerSignature, defaultPerSignature),
		MinScore:     f.score("min_score"),
		Explain:      f.optionalBoolean("explain"),
	}
	f.mode()
	query.Filter = f.filters(now)
	f.finish()
	return query, f.faults.Err()
}

func (f *fields) searchText(actions audit.Actions) string {
	text := as[string](f, "query", f.required("query"), "a text")
	switch {
	case text == nil:
		return ""
	case len(*text) > maxQuery:
		f.fault("query", audit.CodeTooLong, fmt.Sprintf("longer than %d KiB", maxQuery>>10))
		return ""
	}
	normal := audit.NormalizeText(audit.SanitizeText(*text, actions))
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

func (f *fields) mode() {
	mode := f.optionalText("mode")
	switch {
	case mode == nil, *mode == "semantic":
	case *mode == "lexical", *mode == "hybrid":
		f.fault("mode", audit.CodeUnsupported, "is not served by this version; semantic is")
	default:
		f.fault("mode", audit.CodeEnum, "must be semantic")
	}
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

// Found is one signature that a search found.
type Found struct {
	SignatureID         audit.ID
	Text                string
	Score               float64
	Occurrences         int64
	FirstSeen, LastSeen time.Time
	Outcome             audit.Outcome
	Actions             []FoundAction
	Newest              []audit.Stored
}

// FoundAction is an action that was tried for a signature.
type FoundAction struct {
	ActionType string
	Outcome    audit.Outcome
}

// Answer writes what was found, best first, made by the model.
func (q *SearchQuery) Answer(found []Found, model string) *Answer {
	results := client.SearchResults{
		Data:   make([]client.SearchResult, 0, len(found)),
		Search: client.SearchInfo{Mode: "semantic", Model: model},
	}
	for rank, one := range found {
		result := wireFound(one)
		if q.Explain {
			result.Explain = &client.Explain{Semantic: &client.ExplainLeg{Rank: rank + 1, Score: one.Score}}
		}
		results.Data = append(results.Data, result)
	}
	return NewAnswer(http.StatusOK, results)
}

func wireFound(found Found) client.SearchResult {
	result := client.SearchResult{
		SignatureID:  found.SignatureID.String(),
		Text:         found.Text,
		Score:        found.Score,
		Occurrences:  found.Occurrences,
		FirstSeen:    found.FirstSeen,
		LastSeen:     found.LastSeen,
		SuccessRate:  wireRate(found.Outcome),
		Actions:      make([]client.ActionRate, 0, len(found.Actions)),
		Remediations: mapped(found.Newest, wireSummary),
	}
	for _, action := range found.Actions {
		rate := wireRate(action.Outcome)
		result.Actions = append(result.Actions, client.ActionRate{
			ActionType: action.ActionType, Success: rate.Success, Failure: rate.Failure,
			Rate: rate.Rate, Low: rate.Low, High: rate.High,
		})
	}
	// Best first by the lower bound, so that one success of one does not beat 48 of 50; an action without an outcome comes last.
	slices.SortStableFunc(result.Actions, func(a, b client.ActionRate) int {
		return cmp.Or(cmp.Compare(low(b), low(a)), cmp.Compare(b.Success+b.Failure, a.Success+a.Failure),
			strings.Compare(a.ActionType, b.ActionType))
	})
	return result
}

func low(a client.ActionRate) float64 {
	if a.Low == nil {
		return -1
	}
	return *a.Low
}
