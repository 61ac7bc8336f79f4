package postgres

import (
	"context"
	"fmt"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// exactBelow is how many matching remediations a filter may leave for a search to measure all their signatures instead of walking the
// HNSW index: measured for the design, 7 ms against 43 ms where 0.07 % of a million match.
const exactBelow = 10_000

// Nearest is a signature near the query. Distance is the cosine distance, 0 to 2.
type Nearest struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	Text        string
	Distance    float64
}

// Nearest answers the signatures nearest to a unit vector of the store's model among those with a remediation that the filter
// leaves, nearest first: limit of them whenever so many have a vector. If the model is not, or not any more, in the database, it is
// ErrModelUnknown.
func (s *Store) Nearest(ctx context.Context, vector []float32, f audit.Filter, limit int) ([]Nearest, error) {
	exact, err := s.fewMatch(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.nearest(ctx, vector, f, exact, limit)
}

// nearest is Nearest by the exact route or by the index.
func (s *Store) nearest(ctx context.Context, vector []float32, f audit.Filter, exact bool, limit int) ([]Nearest, error) {
	return retry(ctx, s, "search", func(ctx context.Context) ([]Nearest, error) {
		model, err := s.registered(ctx)
		if err != nil {
			return nil, err
		}
		if len(vector) != int(model.Dimensions) {
			return nil, fmt.Errorf("the query vector has %d dimensions, model %s has %d", len(vector), model.Name, model.Dimensions)
		}
		params := nearestParams(model, vector, f, limit)
		params.Exact = exact
		rows, err := s.queries.SearchNearest(ctx, s.pool, params)
		if err == nil && len(rows) < limit && !exact {
			// The walk along the index ended before enough passed the filter: what matches is few or far away.
			params.Exact = true
			rows, err = s.queries.SearchNearest(ctx, s.pool, params)
		}
		if err == nil && len(rows) == 0 {
			// Nothing is also what there is of a model that was dropped a moment ago.
			err = s.stillRegistered(ctx, model)
		}
		nearest := make([]Nearest, len(rows))
		for i, row := range rows {
			nearest[i] = Nearest{SignatureID: row.SignatureID, IncidentID: row.IncidentID, Text: row.Text, Distance: row.Distance}
		}
		return nearest, err
	})
}

// fewMatch reports whether the exact route is the faster one.
func (s *Store) fewMatch(ctx context.Context, f audit.Filter) (bool, error) {
	if f.All() {
		return false, nil
	}
	return retry(ctx, s, "count what matches", func(ctx context.Context) (bool, error) {
		count, err := s.queries.RemediationCount(ctx, s.pool, dbsqlc.RemediationCountParams{Filter: filterJSON(f), MaxCount: exactBelow + 1})
		return count <= exactBelow, err
	})
}

func nearestParams(model dbsqlc.EmbeddingModel, vector []float32, f audit.Filter, limit int) dbsqlc.SearchNearestParams {
	return dbsqlc.SearchNearestParams{
		Filter:     filterJSON(f),
		Dimensions: model.Dimensions, ModelID: model.ID, Query: vector, PageSize: int64(limit),
	}
}
