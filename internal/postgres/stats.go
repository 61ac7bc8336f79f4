package postgres

import (
	"context"
	"slices"
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
				Dimension: string(d), Since: f.Since, Until: f.Until, MinSamples: int64(minSamples), PageSize: int64(limit) + 1,
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
			bounds := slices.Concat([]time.Time{*f.Since}, starts[1:], []time.Time{*f.Until})
			return s.queries.StatsTrend(ctx, s.pool, dbsqlc.StatsTrendParams{Starts: starts, Bounds: bounds})
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

// maxRecounted is the largest number of remediations of a signature that MergeOutcomes counts from
// the records. Counting as many takes about two seconds.
const maxRecounted = 1_000_000

// MergeOutcomes adds what was written since the last merge to the counts that Incidents,
// SuccessRates and Trend read. It also counts a random day and a random signature again, and returns
// how many of their counts were wrong and are corrected now. Writers do not wait for it.
func (s *Store) MergeOutcomes(ctx context.Context) (wrong int64, err error) {
	return retry(ctx, s, "merge the outcomes", func(ctx context.Context) (int64, error) {
		return s.queries.OutcomeMerge(ctx, s.pool, dbsqlc.OutcomeMergeParams{Largest: maxRecounted})
	})
}

// ChangedDays returns the days that RollUp must count again, as midnights in UTC, newest first.
func (s *Store) ChangedDays(ctx context.Context) ([]time.Time, error) {
	return retry(ctx, s, "look for changed days", func(ctx context.Context) ([]time.Time, error) {
		return s.queries.StatsChangedDays(ctx, s.pool)
	})
}

// RollUp counts a UTC day for SuccessRates and Trend from the records, and returns whether it was
// marked to be counted again. It waits only for other merges, and writers do not wait for it.
func (s *Store) RollUp(ctx context.Context, day time.Time) (bool, error) {
	return retry(ctx, s, "count a day", func(ctx context.Context) (bool, error) {
		return s.queries.StatsRollUp(ctx, s.pool, dbsqlc.StatsRollUpParams{Day: day})
	})
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
