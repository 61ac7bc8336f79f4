package postgrestest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// recorder records the errors that the tap reports to a test.
type recorder struct {
	testing.TB
	cleanups   []func()
	complaints []string
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.complaints = append(r.complaints, fmt.Sprintf(format, args...))
}

func (r *recorder) end() {
	for _, f := range r.cleanups {
		f()
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestTapReportsWhatPins(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	for _, c := range []struct{ sql, want string }{
		{"SET work_mem = '8MB'", "SET"},
		{"/* why */ set local work_mem = '8MB'", "SET"},
		{"SELECT 1; SET work_mem = '8MB'", "SET"},
		{"SELECT set_config('work_mem', '8MB', true)", "set_config"},
		{"PREPARE p AS SELECT 1", "PREPARE"},
		{"EXECUTE p", "EXECUTE"},
		{"DEALLOCATE ALL", "DEALLOCATE"},
		{"DISCARD ALL", "DISCARD"},
		{"CREATE TEMP TABLE x (a int)", "temporary object"},
		{"CREATE LOCAL TEMPORARY TABLE x (a int)", "temporary object"},
		{"SELECT 1 AS a INTO TEMP x", "temporary object"},
		{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "DECLARE"},
		{"LISTEN c", "LISTEN"},
		{"LOAD 'vector'", "LOAD"},
		{"SELECT nextval('s')", "nextval"},
		{"SELECT setval ('s', 1)", "setval"},
		{"SELECT pg_advisory_lock(1)", "pg_advisory_lock"},
		{"SELECT pg_try_advisory_lock_shared(1)", "pg_try_advisory_lock_shared"},
		{"SELECT '" + strings.Repeat("x", 16<<10) + "'", "text of 16393 bytes"},
		{"SELECT '" + strings.Repeat("x", 16000) + "'", ""},
		{"UPDATE x SET a = 'SET b' -- ; SET c\n; SELECT ';SET d'", ""},
		{"SELECT pg_advisory_xact_lock(1), 'nextval(1)' AS \"set_config(\"", ""},
		{"SELECT reset_at, settings, $1::text FROM templates", ""},
	} {
		t.Run(c.want+" "+c.sql[:min(len(c.sql), 30)], func(t *testing.T) {
			t.Parallel()
			watched := &recorder{TB: t}
			conn := connect(t, postgrestest.NewTap(watched, db.WriterURL()).URL())
			// The server may return an error, which does not matter here.
			_, _ = conn.Exec(t.Context(), c.sql, pgx.QueryExecModeSimpleProtocol)
			_, _ = conn.Exec(t.Context(), c.sql)
			watched.end()
			if got := strings.Join(watched.complaints, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("complaints %q, want %q", got, c.want)
			}
		})
	}
}

func TestTapReportsNamedStatements(t *testing.T) {
	t.Parallel()
	watched := &recorder{TB: t}
	conn := connect(t, postgrestest.NewTap(watched, postgrestest.New(t).WriterURL()).URL())
	if _, err := conn.Exec(t.Context(), "SELECT $1::int", pgx.QueryExecModeCacheStatement, 1); err != nil {
		t.Fatal(err)
	}
	watched.end()
	if got := strings.Join(watched.complaints, "\n"); !strings.Contains(got, "named prepared statement") {
		t.Errorf("complaints %q", got)
	}
}

func TestTapReportsStartupParameters(t *testing.T) {
	t.Parallel()
	watched := &recorder{TB: t}
	url := postgrestest.NewTap(watched, postgrestest.New(t).WriterURL()).URL()
	connect(t, url+"&application_name=x&search_path=public&statement_timeout=5000&timezone=UTC")
	watched.end()
	want := []string{"RDS Proxy would pin or refuse: startup parameter statement_timeout"}
	if diff := cmp.Diff(want, watched.complaints); diff != "" {
		t.Error(diff)
	}
}

func TestTapCounts(t *testing.T) {
	t.Parallel()
	tap := postgrestest.NewTap(t, postgrestest.New(t).WriterURL())
	conn := connect(t, tap.URL())
	const sql = "-- name: Sum :one\nSELECT $1::int + $2::int"
	for range 3 {
		var sum int
		if err := conn.QueryRow(t.Context(), sql, 1, 2).Scan(&sum); err != nil || sum != 3 {
			t.Fatal(sum, err)
		}
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The first statement is described before it is executed.
	if got := tap.RoundTrips(); got != 4 {
		t.Errorf("%d round trips, want 4", got)
	}
	statements := tap.Statements()
	if len(statements) != 3 {
		t.Fatalf("%d statements, want 3", len(statements))
	}
	want := postgrestest.Statement{
		SQL: sql, OIDs: []uint32{23, 23}, Formats: []int16{1, 1}, Values: [][]byte{{0, 0, 0, 1}, {0, 0, 0, 2}},
	}
	if diff := cmp.Diff(want, statements[2]); diff != "" {
		t.Error(diff)
	}
	if got := statements[2].Name(); got != "Sum" {
		t.Errorf("name %q, want Sum", got)
	}
	tap.Reset()
	if tap.RoundTrips() != 0 || len(tap.Statements()) != 0 {
		t.Error("Reset did not clear the statements")
	}
}

func TestTapBreaksConnections(t *testing.T) {
	t.Parallel()
	const insert = "INSERT INTO signature (id, text, normalizer) VALUES (gen_random_uuid(), 'x', 1)"
	for name, c := range map[string]struct {
		cut    func(*postgrestest.Tap)
		stored int
	}{
		"before":        {func(tap *postgrestest.Tap) { tap.CutBefore("INSERT", 0) }, 0},
		"before second": {func(tap *postgrestest.Tap) { tap.CutBefore("INSERT", 1) }, 1},
		"after":         {func(tap *postgrestest.Tap) { tap.CutAfter("INSERT", 0) }, 1},
		"after second":  {func(tap *postgrestest.Tap) { tap.CutAfter("INSERT", 1) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := postgrestest.New(t)
			tap := postgrestest.NewTap(t, db.WriterURL())
			conn := connect(t, tap.URL())
			c.cut(tap)
			var err error
			for err == nil {
				_, err = conn.Exec(t.Context(), insert)
			}
			if got := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM signature"); got != c.stored {
				t.Errorf("%d stored, want %d", got, c.stored)
			}
		})
	}
}

func TestTapStalls(t *testing.T) {
	t.Parallel()
	tap := postgrestest.NewTap(t, postgrestest.New(t).WriterURL())
	conn := connect(t, tap.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	tap.Stall("SELECT 1", 0)
	if _, err := conn.Exec(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want context.DeadlineExceeded", err)
	}
}

func TestTapReportsUntriggeredFailures(t *testing.T) {
	t.Parallel()
	watched := &recorder{TB: t}
	tap := postgrestest.NewTap(watched, postgrestest.New(t).WriterURL())
	tap.CutBefore("nothing like this", 0)
	watched.end()
	if len(watched.complaints) != 1 {
		t.Errorf("complaints %q, want one", watched.complaints)
	}
}

func TestTapCutsEverything(t *testing.T) {
	t.Parallel()
	tap := postgrestest.NewTap(t, postgrestest.New(t).WriterURL())
	conn := connect(t, tap.URL())
	tap.CutAll()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection is still open")
	}
}

// cancelUntil repeats the cancel request, because one that arrives before the statement starts has no effect.
func cancelUntil(ended chan struct{}, conn *pgx.Conn) {
	for {
		_ = conn.PgConn().CancelRequest(context.Background())
		select {
		case <-ended:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestTapPassesCancellation(t *testing.T) {
	t.Parallel()
	tap := postgrestest.NewTap(t, postgrestest.New(t).WriterURL())
	conn := connect(t, tap.URL())
	ended := make(chan struct{})
	var cancelling sync.WaitGroup
	tap.Before("pg_sleep", 0, func() {
		cancelling.Go(func() { cancelUntil(ended, conn) })
	})
	_, err := conn.Exec(t.Context(), "SELECT pg_sleep(60)")
	close(ended)
	cancelling.Wait()
	if err == nil || !strings.Contains(err.Error(), "57014") {
		t.Errorf("%v, want a cancelled query", err)
	}
}
