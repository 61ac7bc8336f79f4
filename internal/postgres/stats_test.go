package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// keyOf returns a remediation's value in a dimension.
func keyOf(d audit.Dimension, s audit.Stored) string {
	var key *string
	switch d {
	case "name":
		key = &s.Name
	case "action_type":
		key = &s.ActionType
	case "namespace":
		key = &s.Namespace
	case "severity":
		key = (*string)(&s.Severity)
	case "cluster_name":
		key = s.ClusterName
	case "environment":
		key = (*string)(s.Environment)
	}
	if key == nil {
		return ""
	}
	return *key
}

// countRates computes SuccessRates in a loop.
func countRates(d audit.Dimension, left []audit.Stored, minSamples int) []audit.SuccessRate {
	byKey := map[string]*audit.SuccessRate{}
	for _, s := range left {
		rate := byKey[keyOf(d, s)]
		if rate == nil {
			rate = &audit.SuccessRate{Key: keyOf(d, s)}
			byKey[rate.Key] = rate
		}
		rate.Total++
		switch s.Status {
		case "success":
			rate.Success++
		case "failure":
			rate.Failure++
		}
	}
	var rates []audit.SuccessRate
	for _, rate := range byKey {
		if rate.Success+rate.Failure >= int64(minSamples) {
			rates = append(rates, *rate)
		}
	}
	low := func(s audit.SuccessRate) float64 {
		if _, low, _, ok := s.Rate(); ok {
			return low
		}
		return -1
	}
	slices.SortFunc(rates, func(a, b audit.SuccessRate) int {
		return cmp.Or(cmp.Compare(low(b), low(a)), cmp.Compare(b.Success+b.Failure, a.Success+a.Failure),
			cmp.Compare(b.Total, a.Total), cmp.Compare(a.Key, b.Key))
	})
	return rates
}

// countTrend computes Trend in a loop.
func countTrend(starts []time.Time, left []audit.Stored) []audit.StatusCounts {
	counts := make([]audit.StatusCounts, len(starts))
	for _, s := range left {
		after, _ := slices.BinarySearchFunc(starts, s.StartTime, func(start, t time.Time) int {
			if start.After(t) {
				return 1
			}
			return -1
		})
		n := &counts[after-1]
		switch s.Status {
		case "pending":
			n.Pending++
		case "running":
			n.Running++
		case "success":
			n.Success++
		case "failure":
			n.Failure++
		}
	}
	return counts
}

// merge adds all changes to the counts, and fails the test if a count was wrong.
func (s tapped) merge(tb testing.TB) {
	tb.Helper()
	if wrong, err := s.MergeOutcomes(tb.Context()); wrong != 0 || err != nil {
		tb.Errorf("%d counts were wrong (%v)", wrong, err)
	}
}

// withoutMerges calls do while nothing else merges, so that no change that do makes is in the
// counts.
func withoutMerges(tb testing.TB, db *postgrestest.Database, do func()) {
	tb.Helper()
	conn := connectTo(tb, db.AdminURL())
	if _, err := conn.Exec(tb.Context(), "SELECT pg_advisory_lock(hashtext('outcome_merge'))"); err != nil {
		tb.Fatal(err)
	}
	do()
	if _, err := conn.Exec(tb.Context(), "SELECT pg_advisory_unlock(hashtext('outcome_merge'))"); err != nil {
		tb.Fatal(err)
	}
}

// markDays marks the days of all remediations to be counted again.
func markDays(tb testing.TB, db *postgrestest.Database) {
	tb.Helper()
	execSQL(tb, db.AdminURL(), "INSERT INTO stats_changed SELECT DISTINCT (start_time AT TIME ZONE 'UTC')::date FROM remediation_audit")
}

// rollUp recounts every changed day, or every n-th, and returns how many.
func (s tapped) rollUp(tb testing.TB, n int) int {
	tb.Helper()
	days, err := s.ChangedDays(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	counted := 0
	for i, day := range days {
		if i%n != 0 {
			continue
		}
		done, err := s.RollUp(tb.Context(), day)
		if err != nil || !done {
			tb.Fatal(done, err)
		}
		counted++
	}
	return counted
}

func (c *corpus) checkRates(t *testing.T, d audit.Dimension, f audit.Filter, minSamples, limit int) {
	t.Helper()
	want := countRates(d, c.matchingRemediations(f), minSamples)
	more := len(want) > limit
	want = want[:min(len(want), limit)]
	got, hasMore, err := c.SuccessRates(t.Context(), d, f, minSamples, limit)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffOf(append([]audit.SuccessRate{}, want...), append([]audit.SuccessRate{}, got...)); diff != "" || more != hasMore {
		t.Errorf("by %s, %+v, more %v, want %v:\n%s", d, f, hasMore, more, diff)
	}
}

func (c *corpus) checkTrend(t *testing.T, i audit.Interval, f audit.Filter, location *time.Location) {
	t.Helper()
	if f.Since == nil {
		f.Since = new(start.AddDate(0, 0, -3))
	}
	if f.Until == nil {
		f.Until = new(start.AddDate(0, 0, 12))
	}
	if !f.Since.Before(*f.Until) {
		return
	}
	starts, _ := i.Starts(*f.Since, *f.Until, location, 1000)
	got, err := c.Trend(t.Context(), starts, f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffOf(countTrend(starts, c.matchingRemediations(f)), got); diff != "" {
		t.Errorf("by %s in %v, %+v:\n%s", i, location, f, diff)
	}
}

// TestStatistics compares the statistics with a loop over the records, for all filters: with changes
// that are not merged, with no, some and all days marked, and after updates and late records.
func TestStatistics(t *testing.T) {
	t.Parallel()
	c := newCorpus(t, 1500)
	random := rand.New(rand.NewPCG(3, 4))
	kathmandu, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		// Whole days, parts of days, less than a day, and an empty range.
		midnight := time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
		ranges := []audit.Filter{
			{},
			{Since: &midnight},
			{Until: &midnight},
			{Since: new(midnight.Add(-time.Hour)), Until: new(midnight.AddDate(0, 0, 2))},
			{Since: new(midnight.Add(3 * time.Hour)), Until: new(midnight.Add(5 * time.Hour))},
			{Since: &midnight, Until: new(midnight.AddDate(0, 0, 1))},
			{Since: new(midnight.AddDate(1, 0, 0))},
		}
		filters := c.filters(random, 20)
		for i, f := range slices.Concat(ranges, filters) {
			dimension := audit.Dimensions()[i%6]
			c.checkRates(t, dimension, f, 0, 1000)
			c.checkRates(t, dimension, f, random.IntN(50), 1+random.IntN(3))
			c.checkTrend(t, audit.Intervals()[i%3], f, kathmandu)
		}
		for _, d := range audit.Dimensions() {
			c.checkRates(t, d, audit.Filter{}, 0, 1000)
		}
		// Liberia's offset was not a multiple of a quarter of an hour.
		c.checkTrend(t, audit.Day, audit.Filter{}, time.FixedZone("LMT", -2670))
	}
	check()
	markDays(t, c.db)
	check()
	if n := c.rollUp(t, 2); n < 4 {
		t.Errorf("%d days counted", n)
	}
	check()
	c.rollUp(t, 1)
	check()
	for i := range c.stored {
		if s := &c.stored[i]; s.Phase == audit.PhasePending && random.IntN(3) == 0 {
			s.Phase, s.Status = audit.PhaseProcessing, pickWord(random, audit.Statuses()...)
			c.mustAppend(t, nil, &audit.Update{RemediationID: s.RemediationID, Phase: &s.Phase, Status: &s.Status})
		}
	}
	var late []audit.Entry
	for i := range 100 {
		late = append(late, newEntry(t, randomRemediation(random, 10_000+i)))
	}
	c.add(t, random, late)
	markDays(t, c.db)
	if n := c.rollUp(t, 2); n < 4 {
		t.Errorf("%d days counted again", n)
	}
	check()
	c.rollUp(t, 1)
	c.merge(t)
	check()
	if n := c.rollUp(t, 1); n != 0 {
		t.Errorf("%d days counted, but none was marked", n)
	}
}

// TestStatisticsWhileWritten compares the statements' results with the records in the same
// snapshot, while writers create and update and two roll-ups run concurrently.
func TestStatisticsWhileWritten(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	since, until := start.AddDate(0, 0, -1), start.AddDate(0, 0, 9)
	starts, _ := audit.Hour.Starts(since, until, time.UTC, 1000)
	if _, _, err := store.SuccessRates(t.Context(), "name", audit.Filter{Since: &since}, 0, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Trend(t.Context(), starts, audit.Filter{Since: &since, Until: &until}); err != nil {
		t.Fatal(err)
	}
	statements := store.Tap.Statements()
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	for writer := range 3 {
		group.Go(func() error { return writeLives(ctx, t, store, writer) })
	}
	for range 2 {
		group.Go(func() error { return rollUpAgain(ctx, store) })
	}
	conn := connectTo(t, db.ReaderURL())
	const comparisons, records = 100, 300
	for compared := 0; ctx.Err() == nil && (compared < comparisons || queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM audit_event") < records); compared++ {
		compareInOneSnapshot(t, conn, statements)
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	compareInOneSnapshot(t, conn, statements)
}

func writeLives(ctx context.Context, t *testing.T, store tapped, writer int) error {
	random := rand.New(rand.NewPCG(5, uint64(writer)))
	for i := 0; ctx.Err() == nil; i++ {
		record := randomRemediation(random, 1_000_000*writer+i)
		record.Phase, record.Status, record.EndTime, record.Metadata = audit.PhasePending, "pending", nil, audit.EmptyMetadata
		status := pickWord(random, audit.Statuses()...)
		processing := audit.PhaseProcessing
		for _, r := range []audit.Record{record, &audit.Update{RemediationID: record.RemediationID, Phase: &processing, Status: &status}} {
			made, err := audit.NewEntry(r, "tester", time.Now())
			if err != nil {
				return err
			}
			// Use the test's context, because interruption is not under test.
			written, err := store.Append(t.Context(), []audit.Entry{made}, nil)
			if err != nil {
				return err
			}
			if written[0].Err != nil {
				return written[0].Err
			}
		}
	}
	return nil
}

func rollUpAgain(ctx context.Context, store tapped) error {
	for ctx.Err() == nil {
		days, err := store.ChangedDays(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		for _, day := range days {
			if _, err := store.RollUp(context.WithoutCancel(ctx), day); err != nil {
				return err
			}
		}
		if wrong, err := store.MergeOutcomes(context.WithoutCancel(ctx)); wrong != 0 || err != nil {
			return fmt.Errorf("%d counts were wrong, %w", wrong, err)
		}
	}
	return nil
}

// compareInOneSnapshot repeats the captured statements, and compares them with simpler ones that
// read the records.
func compareInOneSnapshot(t *testing.T, conn *pgx.Conn, statements []postgrestest.Statement) {
	t.Helper()
	plain := map[string]string{
		"StatsRates": `SELECT name, count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'failure')
			FROM remediation_audit WHERE start_time >= $1 GROUP BY 1`,
		"StatsTrend": `SELECT 1 + floor(extract(epoch FROM start_time - date_trunc('hour', $1::timestamptz, 'UTC')) / 3600)::integer,
			count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'running'),
			count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'failure')
			FROM remediation_audit WHERE start_time >= $1 GROUP BY 1`,
	}
	tx, err := conn.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	for _, s := range statements {
		sql, ok := plain[s.Name()]
		if !ok {
			continue
		}
		got := conn.PgConn().ExecParams(t.Context(), s.SQL, s.Values, s.OIDs, s.Formats, nil).Read()
		since := []byte(start.AddDate(0, 0, -1).Format(time.RFC3339Nano))
		want := conn.PgConn().ExecParams(t.Context(), sql, [][]byte{since}, nil, nil, nil).Read()
		if got.Err != nil || want.Err != nil {
			t.Fatal(got.Err, want.Err)
		}
		if diff := gocmp.Diff(formatRows(want.Rows), formatRows(got.Rows)); diff != "" {
			t.Errorf("%s (-records +result):\n%s", s.Name(), diff)
		}
	}
}

func formatRows(rows [][][]byte) []string {
	all := []string{}
	for _, row := range rows {
		all = append(all, fmt.Sprintf("%s", row))
	}
	slices.Sort(all)
	return all
}

// TestRollUpDuringOpenWrites checks that two writers of a day and its roll-up do not wait for each
// other, and that what the writers commit afterwards is counted.
func TestRollUpDuringOpenWrites(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("first"), minimalRemediation("second"))
	markDays(t, db)
	execSQL(t, db.SuperuserURL(), "ALTER DATABASE "+db.Name+" SET lock_timeout = '2s'")
	first, second := connectTo(t, db.WriterURL()), connectTo(t, db.WriterURL())
	for i, conn := range []*pgx.Conn{first, second} {
		sql := fmt.Sprintf("BEGIN; UPDATE remediation_audit SET status = 'success' WHERE remediation_id = '%s'", []string{"first", "second"}[i])
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	check := func(success int64) {
		t.Helper()
		rates, _, err := store.SuccessRates(t.Context(), "namespace", audit.Filter{}, 0, 10)
		want := []audit.SuccessRate{{Key: "shop", Total: 2, Outcome: audit.Outcome{Success: success}}}
		if diff := gocmp.Diff(want, rates); diff != "" || err != nil {
			t.Errorf("%v:\n%s", err, diff)
		}
	}
	if n := store.rollUp(t, 1); n != 1 {
		t.Errorf("%d days counted, want 1", n)
	}
	check(0)
	for i, conn := range []*pgx.Conn{first, second} {
		if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
		check(int64(i + 1))
	}
	store.merge(t)
	check(2)
	if counted, err := store.RollUp(t.Context(), start); counted || err != nil {
		t.Errorf("counted again %v (%v), but nothing had changed", counted, err)
	}
}

// TestStatisticsFollowTheOwner checks that changes which only the owner may make reach the
// statistics.
func TestStatisticsFollowTheOwner(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("kept"), minimalRemediation("moved"), minimalRemediation("gone"))
	for _, step := range []struct {
		sql   string
		total int64
		since int64
	}{
		{"SELECT 1", 3, 0},
		{"UPDATE remediation_audit SET start_time = start_time + interval '5 days' WHERE remediation_id = 'moved'", 3, 1},
		{"DELETE FROM remediation_audit WHERE remediation_id = 'gone'", 2, 1},
		{"TRUNCATE remediation_audit CASCADE", 0, 0},
	} {
		store.merge(t)
		execSQL(t, db.AdminURL(), step.sql)
		if step.total == 0 {
			store.merge(t)
		}
		for since, want := range map[time.Time]int64{start.AddDate(0, 0, -1): step.total, start.AddDate(0, 0, 1): step.since} {
			rates, _, err := store.SuccessRates(t.Context(), "name", audit.Filter{Since: &since}, 0, 10)
			var total int64
			for _, rate := range rates {
				total += rate.Total
			}
			if err != nil || total != want {
				t.Errorf("after %s: %d since %v, want %d (%v)", step.sql, total, since, want, err)
			}
		}
	}
}
