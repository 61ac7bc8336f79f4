// Package search finds the incidents that resemble a query: retrievers propose signatures, fusion adds up what they find each of them
// worth, and the store counts what happened to the incidents. It knows neither Lambda nor the API's types, and SQL only through the store.
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
	// Recurrence is the incident of Query.Example, which Incidents leaves out. It is nil if the filter matches no other remediation of it.
	Recurrence *Incident
	// Model is the embedding model that was searched with, empty if none was.
	Model string
	// Degraded is why a hybrid search did without its semantic retriever, nil if it did not.
	Degraded error
}

// Incident is an incident by its best match. Its remediations are those that the filter matches, without the example.
type Incident struct {
	Match
	postgres.Incident
}

// errMoved means that a signature was found and is gone: its remediations have another one now.
var errMoved = fmt.Errorf("%w: the signatures found were renormalized", audit.ErrUnavailable)

// Find searches store with the active one of models. If the database or, in mode semantic, the provider cannot be reached, the error is
// audit.ErrUnavailable; a text that the provider refuses is an audit.ValidationErrors.
func Find(ctx context.Context, store *postgres.Store, models embedding.Models, query Query) (Result, error) {
	limit := query.Limit
	if query.Example != nil {
		query.Text = query.Example.Signature().Text
		// The example's own incident, which is the nearest, is found on top of the limit.
		query.Limit++
	}
	result, err := finder{store: store, models: models, query: query}.findIncidents(ctx)
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

// isExample reports whether the incident is the example's. A signature of normalizer 1 is an incident of its own.
func (q Query) isExample(incident audit.ID) bool {
	return incident == q.Example.SignatureID || incident == q.Example.Signature().IncidentID
}

// finder is one search.
type finder struct {
	store  *postgres.Store
	models embedding.Models
	query  Query
}

// findIncidents ranks incidents and reads their remediations. Between the statements of a search remediations may be updated or renormalized, so that
// a later statement misses what an earlier one found: then the search starts again, a few times.
func (f finder) findIncidents(ctx context.Context) (result Result, err error) {
	for range 3 {
		var matches []Match
		var moved bool
		if result, matches, err = f.rankMatches(ctx); err == nil {
			result.Incidents, moved, err = f.readIncidents(ctx, matches)
		}
		if moved = moved || errors.Is(err, errMoved); !moved {
			break
		}
	}
	return result, err
}

// readIncidents reads the remediations of the matches' incidents. Incidents without any are left out; moved reports whether one of them had
// some when it was found.
func (f finder) readIncidents(ctx context.Context, matches []Match) (incidents []Incident, moved bool, err error) {
	if len(matches) == 0 {
		return nil, false, nil
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
		return nil, false, err
	}
	for _, match := range matches {
		incident := stored[match.IncidentID]
		if incident == nil {
			// The example may be the only remediation of its incident.
			moved = moved || f.query.Example == nil || !f.query.isExample(match.IncidentID)
			continue
		}
		moved = moved || len(incident.Newest) == 0 && f.query.Newest > 0
		slices.SortStableFunc(incident.Actions, compareActions)
		incidents = append(incidents, Incident{match, *incident})
	}
	return incidents, moved, nil
}

// compareActions orders actions best first by the lower bound of their success rate, so that one success of one does not beat 48 of 50.
// An action without an outcome comes last.
func compareActions(a, b postgres.ActionCounts) int {
	return cmp.Or(
		cmp.Compare(lowerBound(b.Outcome), lowerBound(a.Outcome)),
		cmp.Compare(b.Outcome.Success+b.Outcome.Failure, a.Outcome.Success+a.Outcome.Failure),
		strings.Compare(a.ActionType, b.ActionType),
	)
}

func lowerBound(outcome audit.Outcome) float64 {
	if _, low, _, ok := outcome.Rate(); ok {
		return low
	}
	return -1
}
