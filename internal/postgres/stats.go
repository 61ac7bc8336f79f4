package postgres

import (
	"context"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// SuccessRates counts how the remediations that the filter leaves ended, by the values of a dimension: best first, by the lower bound of
// the Wilson interval, keys of which at least minSamples have ended; at most limit of them, and whether there are more. What it answers
// is what the records say in one snapshot; where the filter is of time alone it need not read all of them.
func (s *Store) SuccessRates(
	ctx context.Context, d audit.Dimension, f audit.Filter, minSamples, limit int,
) (rates []audit.SuccessRate, hasMore bool, err error) {
	rows, err := retry(ctx, s, "count successes", func(ctx context.Context) ([]dbsqlc.StatsRatesRow, error) {
		if f.OnlyTime() {
			return s.queries.StatsRates(ctx, s.pool, dbsqlc.StatsRatesParams{
				Dimension: string(d), Since: f.Since, Until: f.Until, Edges: edges(f), MinSamples: int64(minSamples), PageSize: int64(limit) + 1,
			})
		}
		filtered, err := s.queries.StatsRatesFiltered(ctx, s.pool, dbsqlc.StatsRatesFilteredParams{
			Filter: filterJSON(f), Dimension: string(d), MinSamples: int64(minSamples), PageSize: int64(limit) + 1,
		})
		rows := make([]dbsqlc.StatsRatesRow, len(filtered))
		for i, row := range filtered {
			rows[i] = dbsqlc.StatsRatesRow(row)
		}
		return rows, err
	})
	if err != nil {
		return nil, false, err
	}
	for _, row := range rows[:min(len(rows), limit)] {
		rates = append(rates, audit.SuccessRate{
			Key: row.Key, Total: row.Total, Outcome: audit.Outcome{Success: row.Success, Failure: row.Failure},
		})
	}
	return rates, len(rows) > limit, nil
}

// Trend counts the remediations that the filter leaves by status in each of the buckets. starts are where these begin, in order; the
// filter must have Since, in the first of them, and Until, in or after the last. It reads as SuccessRates does.
func (s *Store) Trend(ctx context.Context, starts []time.Time, f audit.Filter) ([]audit.StatusCounts, error) {
	rows, err := retry(ctx, s, "count by time", func(ctx context.Context) ([]dbsqlc.StatsTrendRow, error) {
		if f.OnlyTime() && quarters(starts) {
			return s.queries.StatsTrend(ctx, s.pool, dbsqlc.StatsTrendParams{
				Starts: starts, Since: f.Since, Until: f.Until, Edges: edges(f),
			})
		}
		filtered, err := s.queries.StatsTrendFiltered(ctx, s.pool, dbsqlc.StatsTrendFilteredParams{Filter: filterJSON(f), Starts: starts})
		rows := make([]dbsqlc.StatsTrendRow, len(filtered))
		for i, row := range filtered {
			rows[i] = dbsqlc.StatsTrendRow(row)
		}
		return rows, err
	})
	if err != nil {
		return nil, err
	}
	counts := make([]audit.StatusCounts, len(starts))
	for _, row := range rows {
		counts[row.Bucket-1] = audit.StatusCounts{
			Pending: row.Pending, Running: row.Running, Success: row.Success, Failure: row.Failure,
		}
	}
	return counts, nil
}

// ChangedDays are the days, as their first moments in UTC, whose counts RollUp is to make anew, newest first.
func (s *Store) ChangedDays(ctx context.Context) ([]time.Time, error) {
	return retry(ctx, s, "look for changed days", func(ctx context.Context) ([]time.Time, error) {
		return s.queries.StatsChangedDays(ctx, s.pool)
	})
}

// RollUp counts a day of UTC anew for SuccessRates and Trend, and answers whether that was needed still. No writer waits for it, and it
// for none; another RollUp of the same day it waits for.
func (s *Store) RollUp(ctx context.Context, day time.Time) (bool, error) {
	return retry(ctx, s, "count a day", func(ctx context.Context) (bool, error) {
		return s.queries.StatsRollUp(ctx, s.pool, dbsqlc.StatsRollUpParams{Day: day})
	})
}

// edges are the days of UTC of which the filter leaves a part. Those are counted from the records.
func edges(f audit.Filter) []time.Time {
	edges := []time.Time{}
	for _, bound := range []*time.Time{f.Since, f.Until} {
		if bound != nil && !bound.UTC().Truncate(24*time.Hour).Equal(*bound) {
			edges = append(edges, bound.UTC().Truncate(24*time.Hour))
		}
	}
	return edges
}

// quarters reports whether each of the times is a whole quarter of an hour.
func quarters(times []time.Time) bool {
	for _, t := range times {
		if !t.Truncate(15 * time.Minute).Equal(t) {
			return false
		}
	}
	return true
}
