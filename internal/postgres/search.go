package postgres

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// maxExact is the largest number of matching remediations for which a search scores all their
// signatures instead of using the index. Measured for the design: 7 ms instead of 43 ms if 0.07 %
// of a million match.
const maxExact = 10_000

// Retrieved holds the signatures that the two retrievers of a hybrid search found, each best first.
type Retrieved struct {
	// Nearest is from the semantic retriever.
	Nearest []Nearest
	// Lexical is from the lexical retriever; Scorer has the weights of the query's terms.
	Lexical []audit.ID
	Scorer  *lexical.Scorer
}

// Retrieve combines Nearest with Weigh and Lexical, for the same limit. They run concurrently as
// far as the pool has connections; the remediations that match the filter are counted once for
// both.
func (s *Store) Retrieve(
	ctx context.Context, vector []float32, query lexical.Query, f audit.Filter, limit int,
) (found Retrieved, err error) {
	var matches int64
	var statistics lexical.Statistics
	// A failure of one does not cancel the other: cancelling a query closes its connection.
	var first, second errgroup.Group
	first.Go(func() (err error) {
		matches, err = s.countMatches(ctx, f)
		return err
	})
	found.Scorer, statistics, err = s.Weigh(ctx, query)
	if err := errors.Join(err, first.Wait()); err != nil {
		return Retrieved{}, err
	}
	second.Go(func() (err error) {
		found.Nearest, err = s.searchNearest(ctx, vector, f, matches <= maxExact, limit)
		return err
	})
	found.Lexical, err = s.searchLexical(ctx, found.Scorer, statistics, f, matches, maxHybridPostings, limit)
	return found, errors.Join(err, second.Wait())
}

// countMatches counts the remediations that match the filter, up to maxExact + 1. If the filter is
// empty, it returns that limit without counting.
func (s *Store) countMatches(ctx context.Context, f audit.Filter) (int64, error) {
	if f.All() {
		return maxExact + 1, nil
	}
	return retry(ctx, s, "count what matches", func(ctx context.Context) (int64, error) {
		return s.queries.SearchCount(ctx, s.pool, dbsqlc.SearchCountParams{Filter: filterJSON(f), MaxCount: maxExact + 1})
	})
}

// Nearest is a signature near the query. Distance is the cosine distance, 0 to 2.
type Nearest struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	Text        string
	Distance    float64
}

// Nearest returns up to limit signatures that have a remediation that matches the filter, ordered
// by their distance to a unit vector of the store's model, nearest first: fewer than limit only if
// fewer have a vector. If the database does not have the model, it returns ErrModelUnknown.
func (s *Store) Nearest(ctx context.Context, vector []float32, f audit.Filter, limit int) ([]Nearest, error) {
	matches, err := s.countMatches(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.searchNearest(ctx, vector, f, matches <= maxExact, limit)
}

// searchNearest implements Nearest with either an exact search or the HNSW index.
func (s *Store) searchNearest(ctx context.Context, vector []float32, f audit.Filter, exact bool, limit int) ([]Nearest, error) {
	return retry(ctx, s, "search", func(ctx context.Context) ([]Nearest, error) {
		model, err := s.registeredModel(ctx)
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
			// The index search ended before it found enough matching signatures: they are few or
			// far away.
			params.Exact = true
			rows, err = s.queries.SearchNearest(ctx, s.pool, params)
		}
		if err == nil && len(rows) == 0 {
			// The result is also empty if the model was dropped meanwhile.
			err = s.checkStillRegistered(ctx, model)
		}
		nearest := make([]Nearest, len(rows))
		for i, row := range rows {
			nearest[i] = Nearest{SignatureID: row.SignatureID, IncidentID: row.IncidentID, Text: row.Text, Distance: row.Distance}
		}
		return nearest, err
	})
}

func nearestParams(model dbsqlc.EmbeddingModel, vector []float32, f audit.Filter, limit int) dbsqlc.SearchNearestParams {
	return dbsqlc.SearchNearestParams{
		Filter: filterJSON(f), Resources: countedBy(f),
		Dimensions: model.Dimensions, ModelID: model.ID, Query: vector, PageSize: int64(limit),
	}
}

// Candidate is a signature with the data by which both retrievers score it.
type Candidate struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	Text        string
	Document    lexical.Document
	// Distance is the cosine distance from the query vector, 2 if the signature or the query has no
	// vector.
	Distance float64
}

// Candidates returns signatures in the order of their IDs. vector may be nil. The locations of a
// Document are those of the scorer.
func (s *Store) Candidates(
	ctx context.Context, signatures []audit.ID, vector []float32, scorer *lexical.Scorer,
) ([]Candidate, error) {
	return retry(ctx, s, "read candidates", func(ctx context.Context) ([]Candidate, error) {
		params := dbsqlc.SearchCandidatesParams{Query: vector, Ids: signatures, Words: lexicalParams(scorer, audit.Filter{}, 0).Words}
		if vector != nil {
			model, err := s.registeredModel(ctx)
			if err != nil {
				return nil, err
			}
			params.ModelID = model.ID
		}
		rows, err := s.queries.SearchCandidates(ctx, s.pool, params)
		candidates := make([]Candidate, len(rows))
		for i, row := range rows {
			document := lexical.Document{Counts: row.Counts, Length: row.Length, Locations: row.Locations}
			for _, term := range row.Terms {
				document.Terms = append(document.Terms, lexical.Term(term))
			}
			candidates[i] = Candidate{
				SignatureID: row.ID, IncidentID: row.IncidentID, Text: row.Text, Document: document, Distance: row.Distance,
			}
		}
		return candidates, err
	})
}

// Alike returns the cosine distances of signatures from an example in the store's model. It omits
// signatures without a vector. The map is empty if the example has none.
func (s *Store) Alike(ctx context.Context, example audit.ID, signatures []audit.ID) (map[audit.ID]float64, error) {
	return retry(ctx, s, "compare candidates", func(ctx context.Context) (map[audit.ID]float64, error) {
		model, err := s.registeredModel(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := s.queries.SearchAlike(ctx, s.pool, dbsqlc.SearchAlikeParams{ModelID: model.ID, Example: example, Ids: signatures})
		distances := make(map[audit.ID]float64, len(rows))
		for _, row := range rows {
			distances[row.SignatureID] = row.Distance
		}
		return distances, err
	})
}
