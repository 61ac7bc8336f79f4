package postgres

import (
	"context"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// SuccessRates counts the outcomes of the remediations that match the filter, by their values in a
// dimension. It returns at most limit keys with at least minSamples finished remediations, ordered
// by the lower bound of the Wilson interval, best first, and whether there are more. The counts are
// those of one snapshot of the records. If the filter sets only times, it reads daily counts
// instead of the records.
func (s *Store) SuccessRates(
	ctx context.Context, d audit.Dimension, f audit.Filter, minSamples, limit int,
) (rates []audit.SuccessRate, hasMore bool, err error) {
	rows, err := retry(ctx, s, "count successes", func(ctx context.Context) ([]dbsqlc.StatsRatesRow, error) {
		if f.OnlyTime() {
			return s.queries.StatsRates(ctx, s.pool, dbsqlc.StatsRatesParams{
				Dimension: string(d), Since: f.Since, Until: f.Until, Edges: partialDays(f), MinSamples: int64(minSamples), PageSize: int64(limit) + 1,
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

// Trend counts the remediations that match the filter by status in each of the buckets. starts are
// the beginnings of the buckets in ascending order; the filter MUST have Since, in the first
// bucket, and Until, in or after the last. Like SuccessRates, it may read daily counts.
func (s *Store) Trend(ctx context.Context, starts []time.Time, f audit.Filter) ([]audit.StatusCounts, error) {
	rows, err := retry(ctx, s, "count by time", func(ctx context.Context) ([]dbsqlc.StatsTrendRow, error) {
		if f.OnlyTime() && areQuarterHours(starts) {
			return s.queries.StatsTrend(ctx, s.pool, dbsqlc.StatsTrendParams{
				Starts: starts, Since: f.Since, Until: f.Until, Edges: partialDays(f),
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

// ChangedDays returns the days that RollUp must count again, as midnights in UTC, newest first.
func (s *Store) ChangedDays(ctx context.Context) ([]time.Time, error) {
	return retry(ctx, s, "look for changed days", func(ctx context.Context) ([]time.Time, error) {
		return s.queries.StatsChangedDays(ctx, s.pool)
	})
}

// RollUp counts a UTC day for SuccessRates and Trend if it has changed, and returns whether it had.
// It waits only for another RollUp of the same day, and writers do not wait for it.
func (s *Store) RollUp(ctx context.Context, day time.Time) (bool, error) {
	return retry(ctx, s, "count a day", func(ctx context.Context) (bool, error) {
		return s.queries.StatsRollUp(ctx, s.pool, dbsqlc.StatsRollUpParams{Day: day})
	})
}

// partialDays returns the UTC days that Since or Until splits.
func partialDays(f audit.Filter) []time.Time {
	days := []time.Time{}
	for _, bound := range []*time.Time{f.Since, f.Until} {
		if bound != nil && !bound.UTC().Truncate(24*time.Hour).Equal(*bound) {
			days = append(days, bound.UTC().Truncate(24*time.Hour))
		}
	}
	return days
}

// areQuarterHours reports whether all times are multiples of a quarter of an hour.
func areQuarterHours(times []time.Time) bool {
	for _, t := range times {
		if !t.Truncate(15 * time.Minute).Equal(t) {
			return false
		}
	}
	return true
}
