// Package search finds the incidents that resemble a query: retrievers propose signatures, fusion
// adds up what they find each of them worth, and the store counts what happened to the incidents.
// It knows neither Lambda nor the API's types, and SQL only through the store.
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

// The modes.
const (
	Hybrid   Mode = "hybrid"
	Lexical  Mode = "lexical"
	Semantic Mode = "semantic"
)

// Query is what to search for.
type Query struct {
	Mode Mode
	// Text is sanitized and normalized as signatures are. With an Example it is ignored.
	Text string
	// Example is a remediation whose signature is searched for, nil to search for Text.
	Example *audit.Stored
	// Filter selects the remediations that are searched and counted.
	Filter audit.Filter
	// Limit is the number of incidents, from 1.
	Limit int
	// Newest is the number of remediations shown of each incident.
	Newest int
	// MinScore excludes incidents of a lower score; -1 excludes none.
	MinScore float64
	// Explain asks for the terms that matched.
	Explain bool
}

// Result is what a search found.
type Result struct {
	// Incidents are best first, at most Query.Limit.
	Incidents []Incident
	// Recurrence is the incident of Query.Example, which Incidents leaves out. It is nil if the
	// filter matches no other remediation of it.
	Recurrence *Incident
	// Model is the embedding model that was searched with, empty if none was.
	Model string
	// Degraded is why a hybrid search did without its semantic retriever, nil if it did not.
	Degraded error
}

// Incident is an incident by its best match. Its remediations are those that the filter matches,
// without the example.
type Incident struct {
	Match
	postgres.Incident
}

// Find searches store with the active one of models. If the database or, in mode semantic, the
// provider cannot be reached, the error is audit.ErrUnavailable; a text that the provider refuses
// is an audit.ValidationErrors.
//
// All second chances of a search have one bound: it is attempted as a whole, at most
// postgres.Attempts times, whether a connection was lost or what it found was replaced meanwhile.
// The store's calls in it are not repeated.
func Find(ctx context.Context, store *postgres.Store, models embedding.Models, query Query) (Result, error) {
	limit := query.Limit
	if query.Example != nil {
		query.Text = query.Example.Signature().Text
		// The example's own incident, which is the nearest, is found on top of the limit.
		query.Limit++
	}
	f := &finder{store: store.WithoutRetries(), models: models, query: query}
	result, err := postgres.Retry(ctx, postgres.Attempts, isRetryable, f.findIncidents)
	if err != nil || query.Example == nil {
		return result, err
	}
	return separateExample(query, result, limit), nil
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

// isExample reports whether the incident is the example's. A signature of normalizer 1 is an
// incident of its own.
func (q Query) isExample(incident audit.ID) bool {
	return incident == q.Example.SignatureID || incident == q.Example.Signature().IncidentID
}

// errReplaced means that a signature or the model that one statement used was replaced before the
// next.
var errReplaced = fmt.Errorf("%w: what the search found was replaced meanwhile", audit.ErrUnavailable)

// isRetryable reports whether a search may succeed when it starts again. The embedding provider has
// its own retries.
func isRetryable(err error) bool {
	return postgres.Transient(err) && !errors.Is(err, embedding.ErrUnavailable)
}

// finder is one search.
type finder struct {
	store  *postgres.Store
	models embedding.Models
	query  Query
	// degraded is why the search does without its semantic retriever, in later attempts too.
	degraded error
}

// findIncidents is one attempt. Its statements do not share a snapshot
// (docs/decisions/021-search-snapshot.md): remediations may be updated or renormalized between
// them, so that a later statement misses what an earlier one found. Then the error is errReplaced.
func (f *finder) findIncidents(ctx context.Context) (Result, error) {
	result, matches, err := f.rankMatches(ctx)
	result.Degraded = f.degraded
	if err == nil {
		result.Incidents, err = f.readIncidents(ctx, matches)
	}
	return result, err
}

// readIncidents reads the remediations of the matches' incidents. It leaves out the incident that
// has no other remediation than the example.
func (f *finder) readIncidents(ctx context.Context, matches []Match) (incidents []Incident, err error) {
	if len(matches) == 0 {
		return nil, nil
	}
	ids := make([]audit.ID, len(matches))
	for i, match := range matches {
		ids[i] = match.IncidentID
	}
	var except *string
	if f.query.Example != nil {
		except = &f.query.Example.RemediationID
	}
	stored, err := f.store.Incidents(ctx, ids, f.query.Filter, f.query.Newest, except)
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

// compareActions orders actions best first by the lower bound of their success rate, so that one
// success of one does not beat 48 of 50. An action without an outcome comes last.
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
