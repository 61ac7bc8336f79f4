package postgrestest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// WaitsForLock is the condition of AwaitSessions for sessions that wait for a lock.
const WaitsForLock = "wait_event_type = 'Lock'"

// patience is how long a test waits for a condition. On an idle machine the condition holds within
// milliseconds; the rest is slack.
const patience = 5 * time.Minute

// Sessions returns the number of the database's sessions that satisfy an SQL condition on pg_stat_activity.
func (d *Database) Sessions(tb testing.TB, condition string) int {
	tb.Helper()
	count := 0
	d.watchSessions(tb, condition, func(n int) bool { count = n; return true })
	return count
}

// AwaitSessions waits until the given number of the database's sessions satisfy an SQL condition on pg_stat_activity.
func (d *Database) AwaitSessions(tb testing.TB, want int, condition string) {
	tb.Helper()
	limit := time.Now().Add(patience)
	d.watchSessions(tb, condition, func(n int) bool {
		if n != want && time.Now().After(limit) {
			tb.Errorf("%d sessions with %s, want %d", n, condition, want)
			return true
		}
		return n == want
	})
}

// watchSessions passes the number of matching sessions to enough every few milliseconds, until enough returns
// true. It reports errors with Errorf, so it may be called from any goroutine.
func (d *Database) watchSessions(tb testing.TB, condition string, enough func(int) bool) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, d.SuperuserURL())
	if err != nil {
		tb.Errorf("count sessions: %v", err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	for ; ; time.Sleep(5 * time.Millisecond) {
		var count int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+condition).Scan(&count)
		if err != nil {
			tb.Errorf("count sessions with %s: %v", condition, err)
			return
		}
		if enough(count) {
			return
		}
	}
}
