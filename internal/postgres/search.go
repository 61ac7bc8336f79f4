package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// exactBelow is how many matching remediations a filter may leave for a search to measure all their signatures instead of walking the
// HNSW index: measured for the design, 7 ms against 43 ms where 0.07 % of a million match.
const exactBelow = 10_000

// Nearest is a signature near the query. Distance is the cosine distance, 0 to 2.
type Nearest struct {
	SignatureID audit.ID
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
	return retry(ctx, "search", func(ctx context.Context) ([]Nearest, error) {
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
			nearest[i] = Nearest{SignatureID: row.SignatureID, Text: row.Text, Distance: row.Distance}
		}
		return nearest, err
	})
}

// fewMatch reports whether the exact route is the faster one.
func (s *Store) fewMatch(ctx context.Context, f audit.Filter) (bool, error) {
	if f.All() {
		return false, nil
	}
	return retry(ctx, "count what matches", func(ctx context.Context) (bool, error) {
		count, err := s.queries.RemediationCount(ctx, s.pool, countParams(f, exactBelow+1))
		return count <= exactBelow, err
	})
}

func nearestParams(model dbsqlc.EmbeddingModel, vector []float32, f audit.Filter, limit int) dbsqlc.SearchNearestParams {
	return dbsqlc.SearchNearestParams{
		Ids: f.IDs, RemediationIds: f.RemediationIDs, Names: f.Names, Namespaces: f.Namespaces, Phases: f.Phases,
		Statuses: f.Statuses, Severities: f.Severities, Environments: f.Environments, ClusterNames: f.ClusterNames,
		ActionTypes: f.ActionTypes, Fingerprints: f.AlertFingerprints, Targets: f.TargetResources, SignatureIds: f.SignatureIDs,
		Since: f.Since, Until: f.Until,
		Dimensions: model.Dimensions, ModelID: model.ID, Query: vector, PageSize: int64(limit),
	}
}

// Occurrences is what the filter leaves of one signature's remediations.
type Occurrences struct {
	Counts
	// Actions are the actions tried, in the order of their names.
	Actions []ActionCounts
	// Newest are the newest remediations, without their long texts, newest first.
	Newest []audit.Stored
}

// Counts tells how often, when, and with what outcome.
type Counts struct {
	Total               int64
	FirstSeen, LastSeen time.Time
	Outcome             audit.Outcome
}

// ActionCounts are the Counts of one action.
type ActionCounts struct {
	ActionType string
	Counts
}

// Occurrences answers, for each of the signatures, its remediations that the filter leaves: counted, and the newest of them. The
// remediation except, if it is not nil, is in neither.
func (s *Store) Occurrences(
	ctx context.Context, signatures []audit.ID, f audit.Filter, newest int, except *string,
) (map[audit.ID]*Occurrences, error) {
	return retry(ctx, "count the occurrences", func(ctx context.Context) (map[audit.ID]*Occurrences, error) {
		found := make(map[audit.ID]*Occurrences, len(signatures))
		counts, err := s.queries.SearchOutcomes(ctx, s.pool, outcomesParams(signatures, f, except))
		if err != nil {
			return nil, err
		}
		// A signature's total comes before its actions: the empty action_type sorts first.
		for _, row := range counts {
			counted := Counts{
				Total: row.Occurrences, FirstSeen: row.FirstSeen.UTC(), LastSeen: row.LastSeen.UTC(),
				Outcome: audit.Outcome{Success: row.Success, Failure: row.Failure},
			}
			if row.ActionType == "" {
				found[row.SignatureID] = &Occurrences{Counts: counted}
				continue
			}
			of := found[row.SignatureID]
			of.Actions = append(of.Actions, ActionCounts{ActionType: row.ActionType, Counts: counted})
		}
		if newest == 0 {
			return found, nil
		}
		return found, s.newest(ctx, newestParams(signatures, f, newest, except), found)
	})
}

func (s *Store) newest(ctx context.Context, params dbsqlc.SearchRemediationsParams, found map[audit.ID]*Occurrences) error {
	rows, err := s.queries.SearchRemediations(ctx, s.pool, params)
	if err != nil {
		return err
	}
	for _, row := range rows {
		// Written between the two statements: not counted, so not shown.
		if of := found[row.SignatureID]; of != nil {
			of.Newest = append(of.Newest, summary(row))
		}
	}
	return nil
}

func outcomesParams(signatures []audit.ID, f audit.Filter, except *string) dbsqlc.SearchOutcomesParams {
	return dbsqlc.SearchOutcomesParams{
		Ids: f.IDs, RemediationIds: f.RemediationIDs, Names: f.Names, Namespaces: f.Namespaces, Phases: f.Phases,
		Statuses: f.Statuses, Severities: f.Severities, Environments: f.Environments, ClusterNames: f.ClusterNames,
		ActionTypes: f.ActionTypes, Fingerprints: f.AlertFingerprints, Targets: f.TargetResources, SignatureIds: f.SignatureIDs,
		Since: f.Since, Until: f.Until, Found: signatures, Except: except,
	}
}

func newestParams(signatures []audit.ID, f audit.Filter, newest int, except *string) dbsqlc.SearchRemediationsParams {
	return dbsqlc.SearchRemediationsParams{
		Ids: f.IDs, RemediationIds: f.RemediationIDs, Names: f.Names, Namespaces: f.Namespaces, Phases: f.Phases,
		Statuses: f.Statuses, Severities: f.Severities, Environments: f.Environments, ClusterNames: f.ClusterNames,
		ActionTypes: f.ActionTypes, Fingerprints: f.AlertFingerprints, Targets: f.TargetResources, SignatureIds: f.SignatureIDs,
		Since: f.Since, Until: f.Until, Found: signatures, Except: except, PerSignature: int64(newest),
	}
}

func summary(row dbsqlc.SearchRemediationsRow) audit.Stored {
	return stored(dbsqlc.RemediationAudit{
		ID: row.ID, RemediationID: row.RemediationID, Name: row.Name, Namespace: row.Namespace, ClusterName: row.ClusterName,
		Environment: row.Environment, Severity: row.Severity, ActionType: row.ActionType, TargetResource: row.TargetResource,
		Phase: row.Phase, Status: row.Status, StartTime: row.StartTime, EndTime: row.EndTime, DurationMs: row.DurationMs,
		SignatureID: row.SignatureID,
	})
}
