package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/internal/audit"
)

//go:embed fill.sql
var fillSQL string

// fillRemediations stores count remediations of the stored signatures by SQL, three beginning in each second, and vacuums the tables. It writes no
// journal entries.
func (s *stand) fillRemediations(ctx context.Context, count int) error {
	return s.fillRemediationsEvery(ctx, time.Second, count)
}

// fillRemediationsEvery is fillRemediations with another time between groups of three remediations.
func (s *stand) fillRemediationsEvery(ctx context.Context, step time.Duration, count int) error {
	return s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		known, err := knownSignatures(ctx, conn)
		if err != nil {
			return err
		}
		err = withoutIndexes(ctx, conn, "remediation_audit", func() error { return s.insertRemediations(ctx, known, step, count) })
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "VACUUM (ANALYZE) remediation_audit, signature, embedding")
		return err
	})
}

// signatures holds the stored signatures, and for each the number of its alert, counted from 1.
type signatures struct {
	ids     []audit.ID
	alerts  []string
	alertOf []int32
}

func knownSignatures(ctx context.Context, conn *pgx.Conn) (known signatures, err error) {
	rows, err := conn.Query(ctx, "SELECT id, split_part(text, E'\n', 1) FROM signature ORDER BY id")
	if err != nil {
		return known, err
	}
	var id audit.ID
	var alert string
	numbers := map[string]int32{}
	_, err = pgx.ForEachRow(rows, []any{&id, &alert}, func() error {
		if numbers[alert] == 0 {
			known.alerts = append(known.alerts, alert)
			numbers[alert] = int32(len(known.alerts)) //nolint:gosec // the generated signatures have fewer than a hundred alerts
		}
		known.ids, known.alertOf = append(known.ids, id), append(known.alertOf, numbers[alert])
		return nil
	})
	if err == nil && len(known.ids) == 0 {
		err = errors.New("there are no signatures to fill with")
	}
	return known, err
}

// insertRemediations divides the work between two connections. Foreign keys are not checked, because the ids were read from the table.
func (s *stand) insertRemediations(ctx context.Context, known signatures, step time.Duration, count int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range [][2]int{{1, count / 2}, {count/2 + 1, count}} {
		group.Go(func() error {
			return s.withSuperuser(ctx, func(conn *pgx.Conn) error {
				if _, err := conn.Exec(ctx, "SET session_replication_role = replica"); err != nil {
					return err
				}
				_, err := conn.Exec(ctx, fillSQL, part[0], part[1], known.ids, step, known.alerts, known.alertOf)
				return err
			})
		})
	}
	return group.Wait()
}

// withoutIndexes drops the table's own indexes (not those of constraints or of a parent table), calls do, and makes them again as they were.
func withoutIndexes(ctx context.Context, conn *pgx.Conn, table string, do func() error) error {
	definitions, err := collectRows[string](ctx, conn, `SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i
		WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
			AND NOT EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = i.indexrelid)`, table)
	if err != nil {
		return err
	}
	names, err := collectRows[string](ctx, conn, `SELECT i.indexrelid::regclass::text FROM pg_index AS i
		WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
			AND NOT EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = i.indexrelid)`, table)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	for _, definition := range definitions {
		if _, err := conn.Exec(ctx, definition); err != nil {
			return fmt.Errorf("make an index again: %w", err)
		}
	}
	return nil
}

// collectRows reads the rows of a one-column query.
func collectRows[T any](ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}
