package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
	pgvectorpgx "github.com/pgvector/pgvector-go/pgx"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// nearestCount is the k of recall@k.
const nearestCount = 10

// benchRecall measures how many of the signatures nearest by an exact scan Store.Nearest finds, and how long both take, under filters
// of decreasing selectivity.
func benchRecall(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.reopenStand(ctx, "bench_recall", searchDimensions)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	err = s.fillWithCorpus(ctx, corpus{e.options.fullOrShort(100_000, 1000), e.options.fullOrShort(1_000_000, 20_000), time.Second})
	if err != nil {
		return nil, err
	}
	r, err := newRecallBench(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeConnections(ctx)) }()
	for _, f := range recallFilters() {
		measured, err := r.measureFilter(ctx, f)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", f.what, err)
		}
		lines = append(lines, measured...)
	}
	return lines, nil
}

// recallBench is a filled stand, a store on it, and a connection for exact scans.
type recallBench struct {
	*stand
	store   *postgres.Store
	model   int16
	exact   *pgx.Conn
	queries []recallQuery
}

// recallQuery is a query's vector and the name of an unrelated alert.
type recallQuery struct {
	vector []float32
	other  string
}

func newRecallBench(ctx context.Context, s *stand) (*recallBench, error) {
	r := &recallBench{stand: s}
	for q := range s.options.fullOrShort(50, 10) {
		k := q * 1009 % s.options.fullOrShort(100_000, 1000)
		i := sampleIncident(k)
		vector, err := s.functions.Models[0].Query(ctx, fmt.Sprintf("%s of %s: %s", i.alert, i.service, i.failure))
		if err != nil {
			return nil, err
		}
		r.queries = append(r.queries, recallQuery{vector, sampleIncident(k + 1).alert})
	}
	var err error
	if r.exact, err = pgx.Connect(ctx, s.server.URL("postgres", s.database)); err != nil {
		return nil, err
	}
	if err := pgvectorpgx.RegisterTypes(ctx, r.exact); err != nil {
		return nil, err
	}
	name := s.functions.Models[0].Model().String()
	if err := r.exact.QueryRow(ctx, "SELECT id FROM embedding_model WHERE name = $1", name).Scan(&r.model); err != nil {
		return nil, err
	}
	r.store, err = postgres.Open(ctx, postgres.Config{URL: s.readerURL(), Model: name})
	return r, err
}

func (r *recallBench) closeConnections(ctx context.Context) error {
	r.store.Close()
	return r.exact.Close(context.WithoutCancel(ctx))
}

// recallFilter builds the filter of a query.
type recallFilter struct {
	what string
	of   func(recallQuery) audit.Filter
}

// recallFilters returns filters by cluster, since clusters are spread evenly over the signatures. The last filter matches none of the
// signatures nearest to the query, the hardest case for a walk that begins there.
func recallFilters() []recallFilter {
	clusters := func(names ...string) func(recallQuery) audit.Filter {
		return func(recallQuery) audit.Filter { return audit.Filter{ClusterNames: names} }
	}
	nested := []string{"one-in-10000", "one-in-1000", "one-in-100", "one-in-50", "one-in-10"}
	return []recallFilter{
		{"100 % of the remediations", clusters()},
		{"10 %", clusters(nested...)},
		{"2 %", clusters(nested[:4]...)},
		{"1 %", clusters(nested[:3]...)},
		{"0.1 %", clusters(nested[:2]...)},
		{"0.01 %", clusters(nested[:1]...)},
		{"2 %, all of another alert than the query", func(q recallQuery) audit.Filter {
			return audit.Filter{ClusterNames: nested, Names: []string{q.other}}
		}},
	}
}

// found is the result of one side: the distances, nearest first.
type found struct {
	distances []float64
	seconds   float64
}

func (r *recallBench) measureFilter(ctx context.Context, f recallFilter) ([]line, error) {
	var sum float64
	var times [2][]float64
	fewest := nearestCount
	for n, query := range r.queries {
		var err error
		var sides [2]found
		for turn := range 2 * 2 { // the first time of each warms up
			side := (n + turn) % 2
			if sides[side], err = r.findNearest(ctx, side, query.vector, f.of(query)); err != nil {
				return nil, err
			}
		}
		times[0], times[1] = append(times[0], sides[0].seconds), append(times[1], sides[1].seconds)
		sum += recallOf(sides[0].distances, sides[1].distances)
		fewest = min(fewest, nearestCount-len(sides[1].distances)+len(sides[0].distances))
	}
	result, floor := medianOf(times[0]), medianOf(times[1])
	of := fmt.Sprintf("recall: %s, the %d nearest", f.what, nearestCount)
	return []line{
		{
			what: of, result: fmt.Sprintf("%d queries, at the worst %d of %d rows", len(r.queries), fewest, nearestCount),
			floor: "exact scan", ratio: sum / float64(len(r.queries)), goal: goal{least: 0.97},
		},
		{what: of + ", median time", result: formatMilliseconds(result), floor: formatMilliseconds(floor), ratio: result / floor},
	}, nil
}

// recallOf returns the fraction of the exact result that was found. It compares distances, because signatures at the same distance are
// interchangeable.
func recallOf(got, exact []float64) float64 {
	const rounding = 1e-9
	if len(exact) == 0 {
		return 1
	}
	hits := 0
	for _, distance := range got {
		if distance <= slices.Max(exact)+rounding {
			hits++
		}
	}
	return float64(hits) / float64(len(exact))
}

func (r *recallBench) findNearest(ctx context.Context, side int, query []float32, filter audit.Filter) (f found, err error) {
	f.seconds, err = timeSeconds(func() error {
		if side == 1 {
			f.distances, err = r.scanExactly(ctx, query, filter)
			return err
		}
		nearest, err := r.store.Nearest(ctx, query, filter, nearestCount)
		for _, one := range nearest {
			f.distances = append(f.distances, one.Distance)
		}
		return err
	})
	return f, err
}

// scanExactly compares every vector: without the cast of the index's expression, an order by distance cannot use the index.
func (r *recallBench) scanExactly(ctx context.Context, query []float32, f audit.Filter) ([]float64, error) {
	return collectRows[float64](ctx, r.exact, `SELECT e.vector <=> $2::halfvec FROM embedding AS e
		WHERE e.model_id = $1 AND EXISTS (
			SELECT FROM remediation_audit AS r
			WHERE r.signature_id = e.signature_id AND ($3::text[] IS NULL OR r.cluster_name = ANY($3))
				AND ($4::text[] IS NULL OR r.name = ANY($4)))
		ORDER BY 1 LIMIT $5`, r.model, pgvector.NewHalfVector(query), f.ClusterNames, f.Names, nearestCount)
}
