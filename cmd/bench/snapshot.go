package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/client"
)

// benchSnapshot measures the statements of a hybrid search both ways, on connections of the bare
// driver: with the retrievers concurrent on two connections, and all in one transaction with one
// snapshot (docs/decisions/021-search-snapshot.md).
func benchSnapshot(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openSearchStand(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	for _, k := range searchKinds() {
		if k.mode != client.SearchModeHybrid {
			continue
		}
		k.retrievers = []searchRetriever{{client.SearchModeHybrid, 10, ""}}
		searches, err := s.recordSearches(ctx, k)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", k.what, err)
		}
		for _, clients := range []int{1, clients} {
			measured, err := s.measureSnapshot(ctx, searches, clients)
			if err != nil {
				return lines, fmt.Errorf("%s: %w", k.what, err)
			}
			measured.what = fmt.Sprintf("snapshot: %s, retrievers concurrent, %s", k.what, pluralize(clients, "client"))
			lines = append(lines, measured)
		}
	}
	return lines, nil
}

// measureSnapshot runs the searches both ways in turn. Its figures are medians of the rounds'
// median times.
func (s *stand) measureSnapshot(ctx context.Context, searches []recordedSearch, clients int) (line, error) {
	first, err := s.openFloorConnections(ctx, clients)
	defer closeConns(ctx, first)
	if err != nil {
		return line{}, err
	}
	second, err := s.openFloorConnections(ctx, clients)
	defer closeConns(ctx, second)
	if err != nil {
		return line{}, err
	}
	side := func(replay func(ctx context.Context, client int, one recordedSearch) error) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			took, err := shareTasks(ctx, clients, searches, replay)
			return medianOf(took), err
		}
	}
	figures, err := measureAlternately(ctx, s.options.rounds, sides{
		side(func(ctx context.Context, client int, one recordedSearch) error {
			return replayConcurrently(ctx, first[client], second[client], one.statements)
		}),
		side(func(ctx context.Context, client int, one recordedSearch) error {
			return replaySnapshot(ctx, first[client], one.statements)
		}),
	})
	return line{
		result: formatMilliseconds(medianOf(figures[0])), floor: formatMilliseconds(medianOf(figures[1])),
		ratio: medianRatio(figures),
	}, err
}

// replayConcurrently executes a search's statements, those that are independent of each other
// concurrently on two connections.
func replayConcurrently(ctx context.Context, first, second *pgconn.PgConn, statements []statement) error {
	stages := map[string]int{
		"LexicalStatistics": 1, "LexicalFrequencies": 1, "RemediationCount": 1,
		"SearchLexical": 2, "SearchLexicalFew": 2, "SearchNearest": 2,
	}
	lanes := map[bool]map[int][]statement{false: {}, true: {}}
	for _, one := range statements {
		semantic := one.queryName() == "RemediationCount" || one.queryName() == "SearchNearest"
		lanes[semantic][stages[one.queryName()]] = append(lanes[semantic][stages[one.queryName()]], one)
	}
	for _, stage := range []int{1, 2} {
		var group errgroup.Group
		group.Go(func() error { return replayStatements(ctx, second, lanes[true][stage]) })
		group.Go(func() error { return replayStatements(ctx, first, lanes[false][stage]) })
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return replayStatements(ctx, first, lanes[false][0])
}

// replaySnapshot executes a search's statements in one transaction.
func replaySnapshot(ctx context.Context, conn *pgconn.PgConn, statements []statement) error {
	if err := execute(ctx, conn, "begin isolation level repeatable read read only"); err != nil {
		return err
	}
	if err := replayStatements(ctx, conn, statements); err != nil {
		return err
	}
	return execute(ctx, conn, "commit")
}

func execute(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

func closeConns(ctx context.Context, conns []*pgconn.PgConn) {
	for _, conn := range conns {
		_ = conn.Close(context.WithoutCancel(ctx))
	}
}

// openSearchStand opens the stand of searches: 50,000 signatures and 1,000,000 remediations.
func (e *benchEnv) openSearchStand(ctx context.Context) (*stand, error) {
	s, err := e.reopenStand(ctx, "bench_search", searchDimensions)
	if err != nil {
		return nil, err
	}
	signatures, remediations := e.options.fullOrShort(50_000, 999), e.options.fullOrShort(1_000_000, 30_000)
	err = s.fillWithCorpus(ctx, corpus{signatures, remediations, time.Second})
	if err != nil {
		return nil, errors.Join(err, s.closeAll(ctx))
	}
	return s, nil
}
