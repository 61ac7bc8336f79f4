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

// Mode is the way a search looks: by words, by meaning, or both.
type Mode = client.SearchMode

// The modes.
const (
	ModeHybrid   = client.SearchModeHybrid
	ModeLexical  = client.SearchModeLexical
	ModeSemantic = client.SearchModeSemantic
)

// SearchQuery is a parsed POST /v1/search.
type SearchQuery struct {
	Mode Mode
	// Text is the query, sanitised and normalised as signatures are.
	Text         string
	Filter       audit.Filter
	Limit        int
	PerSignature int
	// MinScore is the least score, -1 when all are wanted.
	MinScore float64
	Explain  bool
	// Example is the remediation that is searched by, nil when a text is.
	Example *audit.Stored
}

// SearchQuery reads the body of a search; what was done to the query's text is counted in actions.
func (r *Request) SearchQuery(now time.Time) (*SearchQuery, error) {
	f, err := r.fieldsBeside((*parameters).consistency)
	if err != nil {
		return nil, err
	}
	query := &SearchQuery{
		Text:         f.searchText(r.actions),
		Limit:        f.bounded("limit", 1, maxSignatures, defaultSignatures),
		PerSignature: f.bounded("per_signature", 0, maxPerSignature, defaultPerSignature),
		MinScore:     f.score("min_score"),
		Explain:      f.optionalBoolean("explain"),
		Mode:         f.mode(),
	}
	query.Filter = f.filters(now)
	f.finish()
	return query, f.faults.Err()
}

// SimilarQuery reads the path's remediation and the parameters of a search by that example; Text and Example are the caller's to fill in.
func (r *Request) SimilarQuery(now time.Time) (string, *SearchQuery, error) {
	var faults audit.ValidationErrors
	id := r.remediationID(&faults)
	p := queryParameters(r.event.RawQueryString, &faults)
	query := &SearchQuery{
		Mode:         p.mode(),
		Limit:        p.number("limit", 1, maxSignatures, defaultSignatures),
		PerSignature: p.number("per_signature", 1, maxPerSignature, defaultPerSignature),
		Explain:      p.flag("explain"),
		MinScore:     -1,
		Filter:       p.filter(now),
	}
	p.consistency()
	p.finish()
	return id, query, faults.Err()
}

func (p *parameters) mode() Mode {
	word, ok := p.get("mode")
	if !ok {
		return ModeHybrid
	}
	mode := Mode(word)
	if !mode.Valid() {
		p.fault("mode", audit.CodeEnum, "must be semantic, lexical or hybrid")
	}
	return mode
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

func (f *fields) mode() Mode {
	text := f.optionalText("mode")
	if text == nil {
		return ModeHybrid
	}
	mode := Mode(*text)
	if !mode.Valid() {
		f.fault("mode", audit.CodeEnum, "must be semantic, lexical or hybrid")
	}
	return mode
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

// Found is one incident that a search found, by the best of its signatures.
type Found struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	Text        string
	Score       float64
	// Signatures are all of the incident's signatures.
	Signatures          []audit.ID
	Occurrences         int64
	FirstSeen, LastSeen time.Time
	Outcome             audit.Outcome
	Actions             []FoundAction
	Newest              []audit.Stored
	// Solved is the newest remediation that succeeded.
	Solved *audit.Stored
	// Lexical and Semantic say what each leg of the search found, and Feedback how much it is like the best that they found together; nil
	// for what was not done.
	Lexical, Semantic, Feedback *Leg
}

// Leg is what one leg of a search found of a signature.
type Leg struct {
	// Rank is the place on this leg from 1 on, 0 for what it did not find.
	Rank int
	// Raw is BM25 or a cosine similarity, Normalized what that is worth between 0 and 1, Weight what the leg is worth in the score.
	Raw, Normalized, Weight float64
	// Terms are the terms that matched; they add up to Raw. Of the lexical leg alone.
	Terms []LegTerm
}

// LegTerm is a term that matched.
type LegTerm struct {
	Text  string
	Score float64
	// Spans are where the signature's text has it.
	Spans []LegSpan
}

// LegSpan are the characters (Unicode code points) from Start on and before End, counted from 0.
type LegSpan struct{ Start, End int }

// Score is what the leg adds to the signature's score; nothing if there is no leg.
func (l *Leg) Score() float64 {
	if l == nil {
		return 0
	}
	return l.Weight * l.Normalized
}

// How says how a search was done.
type How struct {
	// Model made the vectors, of the semantic leg.
	Model string
	// Degraded says that a hybrid search had to do without its semantic leg.
	Degraded bool
}

// FoundAction is an action that was tried for a signature.
type FoundAction struct {
	ActionType string
	Outcome    audit.Outcome
}

// Respond writes what was found, best first, and how.
func (q *SearchQuery) Respond(found []Found, how How) *Response {
	return NewAnswer(http.StatusOK, client.SearchResults{Data: mapped(found, q.wire(how)), Search: q.info(how)})
}

// RespondSimilar writes what was found by example: the example's own incident apart from the others.
func (q *SearchQuery) RespondSimilar(found []Found, how How) *Response {
	results := client.SimilarResults{Data: []client.SearchResult{}, Search: q.info(how)}
	for _, one := range found {
		result := q.wire(how)(one)
		if q.IsExample(one) {
			results.Recurrence = &result
			continue
		}
		results.Data = append(results.Data, result)
	}
	return NewAnswer(http.StatusOK, results)
}

// IsExample holds for the incident of the example. A signature of normalizer 1 is an incident of its own.
func (q *SearchQuery) IsExample(found Found) bool {
	return found.IncidentID == q.Example.SignatureID || found.IncidentID == q.Example.Signature().IncidentID
}

func (q *SearchQuery) info(how How) client.SearchInfo {
	info := client.SearchInfo{Mode: q.Mode, Model: how.Model}
	if how.Degraded {
		info.Degraded = []client.SearchLeg{client.SearchLegSemantic}
	}
	return info
}

func (q *SearchQuery) wire(how How) func(Found) client.SearchResult {
	return func(one Found) client.SearchResult {
		result := wireFound(one)
		if q.Explain {
			result.Explain = &client.Explain{
				Lexical: wireLeg(one.Lexical, ""), Semantic: wireLeg(one.Semantic, how.Model), Feedback: wireLeg(one.Feedback, how.Model),
				Filters: q.Filter.Fields(),
			}
		}
		return result
	}
}

func wireLeg(leg *Leg, model string) *client.ExplainLeg {
	if leg == nil {
		return nil
	}
	wire := &client.ExplainLeg{Raw: leg.Raw, Normalized: leg.Normalized, Weight: leg.Weight, Score: leg.Score()}
	if leg.Rank > 0 {
		wire.Rank = &leg.Rank
	}
	if model != "" {
		wire.Model = &model
	}
	for _, term := range leg.Terms {
		wire.Terms = append(wire.Terms, client.ExplainTerm{
			Term: term.Text, Score: term.Score, Spans: mapped(term.Spans, func(s LegSpan) client.TextSpan { return client.TextSpan{Start: s.Start, End: s.End} }),
		})
	}
	return wire
}

func wireFound(found Found) client.SearchResult {
	result := client.SearchResult{
		IncidentID:   found.IncidentID.String(),
		SignatureID:  found.SignatureID.String(),
		SignatureIds: mapped(found.Signatures, audit.ID.String),
		Text:         found.Text,
		Score:        found.Score,
		Occurrences:  found.Occurrences,
		FirstSeen:    found.FirstSeen,
		LastSeen:     found.LastSeen,
		SuccessRate:  wireRate(found.Outcome),
		Actions:      make([]client.ActionRate, 0, len(found.Actions)),
		Remediations: mapped(found.Newest, wireSummary),
	}
	if s := found.Solved; s != nil {
		result.LastSuccess = &client.LastSuccess{
			RemediationID: s.RemediationID, ActionType: s.ActionType, StartTime: s.StartTime, WorkflowYAML: s.WorkflowYAML,
		}
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
