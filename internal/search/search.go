// Package search finds the incidents that resemble a query: retrievers propose signatures, fusion
// combines their scores, and the store summarizes the remediations of the incidents. The package is
// independent of Lambda and the API's types, and contains no SQL.
package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// Mode selects the retrievers of a search.
type Mode string

// The search modes of the API.
const (
	Hybrid   Mode = "hybrid"
	Lexical  Mode = "lexical"
	Semantic Mode = "semantic"
)

// Detail selects how much is returned of each incident.
type Detail string

// The details of the API: Normal is without workflows.
const (
	Short  Detail = "short"
	Normal Detail = "normal"
	Full   Detail = "full"
)

// Query holds the parameters of a search.
type Query struct {
	Mode Mode
	// Text is sanitized and normalized as signatures are. With an Example it is ignored.
	Text string
	// Example is a remediation whose signature is searched for, nil to search for Text.
	Example *audit.Stored
	// Filter selects the remediations that are searched and counted.
	Filter audit.Filter
	// Limit is the maximum number of incidents, at least 1.
	Limit int
	// Newest is the number of remediations to return per incident; none with Short.
	Newest int
	// Detail selects what is returned of each incident; only Full reads workflows.
	Detail Detail
	// MinScore excludes incidents with a lower score; -1 excludes none. A semantic search has scores
	// from -1 to 1, the others from 0 to 1.
	MinScore float64
	// Explain includes the matched terms in the result.
	Explain bool
}

// Result is the result of a search.
type Result struct {
	// Incidents are best first, at most Query.Limit.
	Incidents []Incident
	// Recurrence is the incident of Query.Example, which is not in Incidents. It is nil if the
	// filter matches none of its other remediations.
	Recurrence *Incident
	// NothingSimilar means that all Incidents are weak and there is no Recurrence.
	NothingSimilar bool
	// Model is the embedding model of the search, empty for a search without one.
	Model string
	// Degraded is the reason why a hybrid search ran without its semantic retriever, otherwise nil.
	Degraded error
}

// Incident is an incident with its best match. Its remediations are those that match the filter,
// except the example.
type Incident struct {
	Match
	postgres.Incident
}

// Find searches store with the active model of models. It returns audit.ErrUnavailable if the
// database or, in semantic mode, the provider cannot be reached, and audit.ValidationErrors if the
// provider refuses the text.
//
// A search is retried as a whole, with at most postgres.Attempts attempts, whether a connection was
// lost or a result was replaced meanwhile. The store's calls are not retried individually.
func Find(ctx context.Context, store *postgres.Store, models embedding.Models, query Query) (Result, error) {
	limit := query.Limit
	if query.Example != nil {
		query.Text = query.Example.Signature().Text
		// The example's own incident is the nearest and does not count toward the limit.
		query.Limit++
	}
	if query.Detail == Short {
		query.Newest = 0
	}
	f := &finder{store: store.WithoutRetries(), models: models, query: query}
	result, err := postgres.Retry(ctx, postgres.Attempts, isRetryable, f.attemptSearch)
	if err == nil && query.Example != nil {
		result = separateExample(query, result, limit)
	}
	result.NothingSimilar = result.Recurrence == nil && !slices.ContainsFunc(result.Incidents, isSimilar)
	return result, err
}

func isSimilar(found Incident) bool { return !found.Weak() }

// errReplaced means that a signature or the model that one statement used was replaced before the
// next.
var errReplaced = fmt.Errorf("%w: what the search found was replaced meanwhile", audit.ErrUnavailable)

// isRetryable reports whether a search may succeed if it is restarted. The embedding provider has
// its own retries.
func isRetryable(err error) bool {
	return postgres.Transient(err) && !errors.Is(err, embedding.ErrUnavailable)
}

// finder is one search.
type finder struct {
	store  *postgres.Store
	models embedding.Models
	query  Query
	// degraded is the reason to run without the semantic retriever, in later attempts too.
	degraded error
}

// attemptSearch is one attempt. Its statements do not share a snapshot
// (docs/decisions/021-search-snapshot.md): remediations may be updated or renormalized between
// them, so that a later statement misses what an earlier one found. In that case it returns
// errReplaced.
func (f *finder) attemptSearch(ctx context.Context) (Result, error) {
	result, matches, err := f.rankMatches(ctx)
	result.Degraded = f.degraded
	if err == nil {
		result.Incidents, err = f.readIncidents(ctx, matches)
	}
	return result, err
}

// readIncidents reads the remediations of the matches' incidents. It omits an incident whose only
// remediation is the example.
func (f *finder) readIncidents(ctx context.Context, matches []Match) (incidents []Incident, err error) {
	if len(matches) == 0 {
		return nil, nil
	}
	ids := make([]audit.ID, len(matches))
	for i, match := range matches {
		ids[i] = match.IncidentID
	}
	options := postgres.IncidentOptions{Newest: f.query.Newest, Workflows: f.query.Detail == Full}
	if f.query.Example != nil {
		options.Except = &f.query.Example.RemediationID
	}
	stored, err := f.store.Incidents(ctx, ids, f.query.Filter, options)
	if err != nil {
		return nil, err
	}
	for _, match := range matches {
		incident := stored[match.IncidentID]
		switch {
		case incident == nil && f.query.Example != nil && f.query.isExample(match.IncidentID):
			continue
		case incident == nil, len(incident.Newest) == 0 && f.query.Newest > 0:
			return nil, errReplaced
		}
		slices.SortStableFunc(incident.Actions, compareActions)
		incidents = append(incidents, Incident{match, *incident})
	}
	return incidents, nil
}

// isExample reports whether the incident is the example's. For normalizer 1, each signature is its
// own incident.
func (q Query) isExample(incident audit.ID) bool {
	return incident == q.Example.SignatureID || incident == q.Example.Signature().IncidentID
}

// compareActions orders actions best first by the lower bound of their success rate, so that 1
// success of 1 does not beat 48 of 50. Actions without an outcome come last.
func compareActions(a, b postgres.ActionCounts) int {
	return cmp.Or(
		cmp.Compare(successLowerBound(b.Outcome), successLowerBound(a.Outcome)),
		cmp.Compare(b.Outcome.Success+b.Outcome.Failure, a.Outcome.Success+a.Outcome.Failure),
		strings.Compare(a.ActionType, b.ActionType),
	)
}

func successLowerBound(outcome audit.Outcome) float64 {
	if _, low, _, ok := outcome.Rate(); ok {
		return low
	}
	return -1
}

// separateExample moves the example's incident from Incidents to Recurrence.
func separateExample(query Query, result Result, limit int) Result {
	others := result.Incidents[:0]
	for _, incident := range result.Incidents {
		if query.isExample(incident.IncidentID) {
			result.Recurrence = &incident
			continue
		}
		others = append(others, incident)
	}
	result.Incidents = others[:min(len(others), limit)]
	return result
}
