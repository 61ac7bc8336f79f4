package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

func (h handler) search(ctx context.Context, r *api.Request) (*api.Response, error) {
	query, err := r.SearchQuery(h.Now())
	if err != nil {
		return nil, err
	}
	found, how, err := h.find(ctx, query)
	if err != nil {
		return nil, err
	}
	return query.Respond(found, how), nil
}

// similar searches by a remediation. Its own incident, which is the nearest, comes on top of the limit.
func (h handler) similar(ctx context.Context, r *api.Request) (*api.Response, error) {
	id, query, err := r.SimilarQuery(h.Now())
	if err != nil {
		return nil, err
	}
	example, err := h.Store.Remediation(ctx, id)
	if err != nil {
		return nil, err
	}
	limit := query.Limit
	query.Example, query.Text, query.Limit = &example, example.Signature().Text, limit+1
	found, how, err := h.find(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(found) > limit && !slices.ContainsFunc(found, query.IsExample) {
		found = found[:limit]
	}
	return query.RespondSimilar(found, how), nil
}

// errMoved says that a signature was found and is gone: its remediations have another one now.
var errMoved = fmt.Errorf("%w: what was found is signed anew", audit.ErrUnavailable)

// find ranks incidents and adds their remediations. Between the statements of a search remediations may be updated or signed anew, so that what
// the first has found the next does not: then all is asked again, a few times.
func (h handler) find(ctx context.Context, query *api.SearchQuery) (found []api.Found, how api.How, err error) {
	for range 3 {
		var moved bool
		if found, how, err = h.rank(ctx, query); err == nil {
			found, moved, err = h.complete(ctx, query, found)
		}
		if moved = moved || errors.Is(err, errMoved); !moved {
			break
		}
	}
	return found, how, err
}

// complete adds to each incident what the filter leaves of its remediations. Incidents without any are left out; moved reports whether there
// is one that had some when it was found.
func (h handler) complete(ctx context.Context, query *api.SearchQuery, ranked []api.Found) (found []api.Found, moved bool, err error) {
	if len(ranked) == 0 {
		return nil, false, nil
	}
	ids := make([]audit.ID, len(ranked))
	for i, one := range ranked {
		ids[i] = one.IncidentID
	}
	var except *string
	if query.Example != nil {
		except = &query.Example.RemediationID
	}
	incidents, err := h.Store.Incidents(ctx, ids, query.Filter, query.PerSignature, except)
	if err != nil {
		return nil, false, err
	}
	found = ranked[:0]
	for _, one := range ranked {
		of := incidents[one.IncidentID]
		if of == nil {
			// The example alone is not counted in its incident.
			moved = moved || query.Example == nil || !query.IsExample(one)
			continue
		}
		moved = moved || len(of.Newest) == 0 && query.PerSignature > 0
		found = append(found, completed(one, of))
	}
	return found, moved, nil
}

func completed(found api.Found, of *postgres.Incident) api.Found {
	found.Signatures = of.Signatures
	found.Occurrences, found.FirstSeen, found.LastSeen = of.Total, of.FirstSeen, of.LastSeen
	found.Outcome, found.Newest, found.Solved = of.Outcome, of.Newest, of.Solved
	for _, action := range of.Actions {
		found.Actions = append(found.Actions, api.FoundAction{ActionType: action.ActionType, Outcome: action.Outcome})
	}
	return found
}
