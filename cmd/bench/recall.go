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

// nearestCount is how many nearest signatures are asked for: recall@10.
const nearestCount = 10

// benchRecall measures how many of the signatures nearest by an exact scan Store.Nearest finds, and how long both take, under filters
// that leave less and less.
func benchRecall(ctx context.Context, e *env) (lines []line, err error) {
	s, err := e.reopen(ctx, "bench_recall", searchDimensions)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	err = s.furnish(ctx, corpus{e.options.size(100_000, 1000), e.options.size(1_000_000, 20_000), time.Second})
	if err != nil {
		return nil, err
	}
	r, err := newRecall(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	for _, f := range recallFilters() {
		measured, err := r.measure(ctx, f)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", f.what, err)
		}
		lines = append(lines, measured...)
	}
	return lines, nil
}

// recall is a furnished stand, a store on it, and a connection for exact scans.
type recall struct {
	*stand
	store   *postgres.Store
	model   int16
	exact   *pgx.Conn
	queries []recallQuery
}

// recallQuery is a query's vector, and the name of an alert that it is not about.
type recallQuery struct {
	vector []float32
	other  string
}

func newRecall(ctx context.Context, s *stand) (*recall, error) {
	r := &recall{stand: s}
	for q := range s.options.size(50, 10) {
		k := q * 1009 % s.options.size(100_000, 1000)
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

func (r *recall) close(ctx context.Context) error {
	r.store.Close()
	return r.exact.Close(context.WithoutCancel(ctx))
}

// recallFilter makes the filter of a query.
type recallFilter struct {
	what string
	of   func(recallQuery) audit.Filter
}

// recallFilters: the clusters are spread evenly over the signatures. The last filter leaves none of those nearest to the query, which is
// what a walk from the nearest on finds hardest.
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

// found is what one side found: the distances, nearest first.
type found struct {
	distances []float64
	seconds   float64
}

func (r *recall) measure(ctx context.Context, f recallFilter) ([]line, error) {
	var sum float64
	var times [2][]float64
	fewest := nearestCount
	for n, query := range r.queries {
		var err error
		var sides [2]found
		for turn := range 2 * 2 { // the first time of each warms up
			side := (n + turn) % 2
			if sides[side], err = r.find(ctx, side, query.vector, f.of(query)); err != nil {
				return nil, err
			}
		}
		times[0], times[1] = append(times[0], sides[0].seconds), append(times[1], sides[1].seconds)
		sum += recalled(sides[0].distances, sides[1].distances)
		fewest = min(fewest, nearestCount-len(sides[1].distances)+len(sides[0].distances))
	}
	result, floor := median(times[0]), median(times[1])
	of := fmt.Sprintf("recall: %s, the %d nearest", f.what, nearestCount)
	return []line{
		{
			what: of, result: fmt.Sprintf("%d queries, at the worst %d of %d rows", len(r.queries), fewest, nearestCount),
			floor: "exact scan", ratio: sum / float64(len(r.queries)), goal: goal{least: 0.97},
		},
		{what: of + ", median time", result: milliseconds(result), floor: milliseconds(floor), ratio: result / floor},
	}, nil
}

// recalled is the share of the exact answer that was found. Signatures at one distance stand for each other, so it is the distances that
// are compared.
func recalled(got, exact []float64) float64 {
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

func (r *recall) find(ctx context.Context, side int, query []float32, filter audit.Filter) (f found, err error) {
	f.seconds, err = timed(func() error {
		if side == 1 {
			f.distances, err = r.scan(ctx, query, filter)
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

// scan measures every vector: without the cast that its index is on, an order by distance cannot use the index.
func (r *recall) scan(ctx context.Context, query []float32, f audit.Filter) ([]float64, error) {
	return collect[float64](ctx, r.exact, `SELECT e.vector <=> $2::halfvec FROM embedding AS e
		WHERE e.model_id = $1 AND EXISTS (
			SELECT FROM remediation_audit AS r
			WHERE r.signature_id = e.signature_id AND ($3::text[] IS NULL OR r.cluster_name = ANY($3))
				AND ($4::text[] IS NULL OR r.name = ANY($4)))
		ORDER BY 1 LIMIT $5`, r.model, pgvector.NewHalfVector(query), f.ClusterNames, f.Names, nearestCount)
}
