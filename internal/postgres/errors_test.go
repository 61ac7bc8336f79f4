package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// sentinels are the errors that a caller distinguishes.
var sentinels = map[string]error{
	"unavailable": audit.ErrUnavailable, "refused": audit.ErrRefused, "not found": audit.ErrNotFound, "conflict": audit.ErrConflict,
	"canceled": context.Canceled, "deadline": context.DeadlineExceeded,
}

func kindsOf(err error) []string {
	var kinds []string
	for _, name := range []string{"unavailable", "refused", "not found", "conflict", "canceled", "deadline"} {
		if errors.Is(err, sentinels[name]) {
			kinds = append(kinds, name)
		}
	}
	return kinds
}

// translation is an error of the driver or the server with its expected translation.
type translation struct {
	name string
	err  error
	want []string
	// retried is set if the store must retry it.
	retried bool
}

func translations() []translation {
	unavailable := []string{"unavailable"}
	server := func(code string) error { return &pgconn.PgError{Code: code} }
	return []translation{
		{"serialization failure", server("40001"), unavailable, true},
		{"deadlock", server("40P01"), unavailable, true},
		{"too many connections", server("53300"), unavailable, true},
		{"connection exception", server("08006"), unavailable, true},
		{"protocol violation", server("08P01"), unavailable, true},
		{"admin shutdown", server("57P01"), unavailable, true},
		{"crash shutdown", server("57P02"), unavailable, true},
		{"cannot connect now", server("57P03"), unavailable, true},
		{"statement timeout", server("57014"), unavailable, false},
		{"lock not available", server("55P03"), unavailable, false},
		{"read-only transaction", server("25006"), unavailable, false},
		{"disk full", server("53100"), unavailable, false},
		{"out of memory", server("53200"), unavailable, false},
		{"I/O error", server("58030"), unavailable, false},
		{"not null", server("23502"), []string{"refused"}, false},
		{"foreign key", server("23503"), []string{"refused"}, false},
		{
			"no such signature", &pgconn.PgError{Code: "23503", ConstraintName: "remediation_audit_signature_id_fkey"},
			unavailable, true,
		},
		{"no such signature", &pgconn.PgError{Code: "23503", ConstraintName: "embedding_signature_id_fkey"}, unavailable, true},
		{"no such parent", &pgconn.PgError{Code: "23503", ConstraintName: "workflow_audit_remediation_id_fkey"}, []string{"refused"}, false},
		{"unique", server("23505"), []string{"refused"}, false},
		{"check", server("23514"), []string{"refused"}, false},
		{"out of range", server("22003"), []string{"refused"}, false},
		{"bad text", server("22021"), []string{"refused"}, false},
		{"key too long for an index", server("54000"), []string{"refused"}, false},
		{"no such table", server("42P01"), nil, false},
		{"no privilege", server("42501"), nil, false},
		{"wrong password", server("28P01"), unavailable, true},
		{"no such database", server("3D000"), unavailable, false},
		{"internal", server("XX000"), nil, false},
		{"raised", server("P0001"), nil, false},
		{"no rows", pgx.ErrNoRows, []string{"not found"}, false},
		{"unexpected end", fmt.Errorf("receive message failed: %w", io.ErrUnexpectedEOF), unavailable, true},
		{"reset", fmt.Errorf("read: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET}), unavailable, true},
		{"broken pipe", fmt.Errorf("write: %w", &net.OpError{Op: "write", Err: syscall.EPIPE}), unavailable, true},
		{"closed", fmt.Errorf("write: %w", net.ErrClosed), unavailable, true},
		{"timeout inside", fmt.Errorf("connect: %w", context.DeadlineExceeded), []string{"unavailable", "deadline"}, true},
		{"something else", errors.New("cannot encode"), nil, false},
		{"validation errors", audit.ValidationErrors{{Field: "x"}}, nil, false},
		{"conflict", audit.Conflict("changed"), []string{"conflict"}, false},
		{"not found", audit.ErrNotFound, []string{"not found"}, false},
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	for _, c := range translations() {
		err := postgres.Translate(t.Context(), "do it", fmt.Errorf("wrapped: %w", c.err))
		if diff := cmp.Diff(c.want, kindsOf(err)); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
		if got := postgres.Transient(err); got != c.retried {
			t.Errorf("%s: tried again: %v, want %v", c.name, got, c.retried)
		}
	}
}

func TestTranslateNamesTheEndOfTheContext(t *testing.T) {
	t.Parallel()
	reason := errors.New("terminated by a signal")
	cancelled, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	plain, stop := context.WithCancel(context.Background())
	stop()
	expired, end := context.WithDeadlineCause(context.Background(), time.Unix(0, 0), reason)
	defer end()
	for name, c := range map[string]struct {
		ctx  context.Context
		want []string
	}{
		"cancelled with a cause": {cancelled, []string{"unavailable", "canceled"}},
		"cancelled":              {plain, []string{"unavailable", "canceled"}},
		"expired with a cause":   {expired, []string{"unavailable", "deadline"}},
	} {
		for _, err := range []error{io.ErrUnexpectedEOF, &pgconn.PgError{Code: "57014"}, &pgconn.PgError{Code: "XX000"}} {
			got := postgres.Translate(c.ctx, "do it", err)
			if diff := cmp.Diff(c.want, kindsOf(got)); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, got, diff)
			}
			if c.ctx != plain && !errors.Is(got, reason) {
				t.Errorf("%s: %v hides the reason", name, got)
			}
		}
	}
}

// storeCalls returns every call of the store that reaches the database.
func storeCalls(tb testing.TB) map[string]func(context.Context, tapped) error {
	tb.Helper()
	remediation, update := newEntries(tb, fullRemediation("new")), newEntries(tb, toPhase("r", audit.PhaseProcessing))
	child, mixed := newEntries(tb, fullWorkflow("r", "w")), newEntries(tb, fullRemediation("mixed"), fullAnalysis("r", "a"))
	ids := []audit.ID{remediation[0].Signature.ID}
	vectors := postgres.Vectors{ids[0]: numberedVector(1)}
	appending := func(batch []audit.Entry) func(context.Context, tapped) error {
		return func(ctx context.Context, s tapped) error {
			_, err := s.Append(ctx, batch, withVectors(vectors))
			return err
		}
	}
	return map[string]func(context.Context, tapped) error{
		"append a remediation": appending(remediation),
		"append an update":     appending(update),
		"append a child":       appending(child),
		"append several kinds": appending(mixed),
		"read":                 func(ctx context.Context, s tapped) error { _, err := s.Remediation(ctx, "r"); return err },
		"children":             func(ctx context.Context, s tapped) error { _, err := s.Children(ctx, "r"); return err },
		"history":              func(ctx context.Context, s tapped) error { _, err := s.History(ctx, "r", 10, nil); return err },
		"list": func(ctx context.Context, s tapped) error {
			_, err := s.List(ctx, audit.Filter{}, audit.PageRequest{Limit: 10, Total: true})
			return err
		},
		"incident events": func(ctx context.Context, s tapped) error {
			_, err := s.IncidentEvents(ctx, postgres.IncidentFilter{}, 10, nil)
			return err
		},
		"nearest": func(ctx context.Context, s tapped) error {
			_, err := s.Nearest(ctx, numberedVector(1), audit.Filter{Names: []string{"x"}}, 10)
			return err
		},
		"occurrences": func(ctx context.Context, s tapped) error {
			_, err := s.Incidents(ctx, ids, audit.Filter{}, postgres.IncidentOptions{Newest: 3})
			return err
		},
		"sampled signatures": func(ctx context.Context, s tapped) error { _, err := s.SampleSignatures(ctx, 1, 1); return err },
		"stored signatures":  func(ctx context.Context, s tapped) error { _, err := s.SignaturesStored(ctx, ids); return err },
		"pending signatures": func(ctx context.Context, s tapped) error {
			_, err := s.SignaturesPending(ctx, audit.ID{}, 10)
			return err
		},
		"add vectors": func(ctx context.Context, s tapped) error { _, err := s.AddVectors(ctx, vectors); return err },
		"renormalize": callRenormalization(ids[0]),
		"cursor key":  func(ctx context.Context, s tapped) error { _, err := s.CursorKey(ctx); return err },
		"partitions":  func(ctx context.Context, s tapped) error { _, err := s.PartitionsAhead(ctx, 6); return err },
		"ready":       func(ctx context.Context, s tapped) error { return s.Ready(ctx, 1, migrations.MinPgvector)[0].Err },
	}
}

// callRenormalization makes the calls of a renormalization until one fails.
func callRenormalization(id audit.ID) func(context.Context, tapped) error {
	return func(ctx context.Context, s tapped) error {
		for _, err := range s.OldSignatures(ctx, true) {
			if err != nil {
				return err
			}
		}
		for _, err := range s.RemediationsBySignature(ctx, id) {
			if err != nil {
				return err
			}
		}
		_, renormalize := s.Renormalize(ctx, id, []postgres.Renormalized{{ID: 1, SignatureID: id}}, func(audit.ID) bool { return true })
		_, left := s.ToRenormalize(ctx)
		_, drop := s.DropSignatures(ctx, []audit.ID{id})
		return errors.Join(s.AddRenormalizedSignatures(ctx, id, nil), s.RenormalizeIncident(ctx, id, id), renormalize, left, drop)
	}
}

// checkEnds makes every call concurrently, with a context made by limit, and checks the kinds of
// their errors.
func checkEnds(t *testing.T, store tapped, limit func() (context.Context, context.CancelFunc), want ...string) {
	t.Helper()
	checkCallsEnd(t, storeCalls(t), store, limit, want...)
}

func checkCallsEnd(
	t *testing.T, calls map[string]func(context.Context, tapped) error, store tapped,
	limit func() (context.Context, context.CancelFunc), want ...string,
) {
	t.Helper()
	var group sync.WaitGroup
	for name, call := range calls {
		group.Go(func() {
			ctx, cancel := limit()
			defer cancel()
			err := call(ctx, store)
			if diff := cmp.Diff(want, kindsOf(err)); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		})
	}
	group.Wait()
}

// checkWorks makes every call again and checks that it succeeds.
func checkWorks(t *testing.T, store tapped) {
	t.Helper()
	for name, call := range storeCalls(t) {
		if err := call(t.Context(), store); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

func shortTimeout(t *testing.T) func() (context.Context, context.CancelFunc) {
	t.Helper()
	return func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), 100*time.Millisecond)
	}
}

func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	before := countRows(t, db)
	checkEnds(t, store, func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx, cancel
	}, "unavailable", "canceled")
	checkEnds(t, store, func() (context.Context, context.CancelFunc) {
		return context.WithDeadline(t.Context(), time.Unix(0, 0))
	}, "unavailable", "deadline")
	if diff := cmp.Diff(before, countRows(t, db)); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	checkWorks(t, store)
}

// lockTables locks every table until the test releases it.
func lockTables(t *testing.T, db *postgrestest.Database) (release func()) {
	t.Helper()
	tx, err := connectTo(t, db.AdminURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), `LOCK TABLE signature, embedding, embedding_model, remediation_audit, ai_analysis_audit, workflow_audit,
		execution_audit, audit_event, cursor_key, schema_version`)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// awaitAbandoned waits until the server has canceled the statements that wait for a lock and whose callers have gone. PgBouncer
// leaves such a statement running until the role's statement_timeout, so through it the test cancels them.
func awaitAbandoned(t *testing.T, db *postgrestest.Database) {
	t.Helper()
	abandoned := postgrestest.WaitsForLock
	if postgrestest.Pooled() {
		abandoned = "CASE WHEN " + abandoned + " THEN pg_cancel_backend(pid) END"
	}
	db.AwaitSessions(t, 0, abandoned)
}

func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	// On a busy machine it can take longer than the role's timeout until every call waits, and a cancel request can arrive
	// before its statement has begun, which the server ignores: then the closed connection ends the statement.
	for _, setting := range []string{"statement_timeout = '10min'", "client_connection_check_interval = '100ms'"} {
		execSQL(t, db.SuperuserURL(), fmt.Sprintf("ALTER ROLE datastorage_writer IN DATABASE %s SET %s", db.Name, setting))
	}
	store := openForWriters(t, db, 20)
	store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	before := countRows(t, db)
	release := lockTables(t, db)
	checkEnds(t, store, shortTimeout(t), "unavailable", "deadline")
	awaitAbandoned(t, db)

	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	patient := storeCalls(t)
	// PartitionsAhead waits at most one second.
	delete(patient, "partitions")
	waiting.Go(func() {
		db.AwaitSessions(t, len(patient), postgrestest.WaitsForLock)
		cancel()
	})
	checkCallsEnd(t, patient, store, func() (context.Context, context.CancelFunc) { return ctx, func() {} }, "unavailable", "canceled")
	waiting.Wait()
	awaitAbandoned(t, db)
	release()
	if diff := cmp.Diff(before, countRows(t, db)); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	checkWorks(t, store)
}

// TestStatementTimeout checks that a statement timeout, which the role sets, is not retried: the
// database is busy already.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	openStore(t, db.WriterURL()).mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	execSQL(t, db.SuperuserURL(), fmt.Sprintf("ALTER ROLE datastorage_writer IN DATABASE %s SET statement_timeout = '50ms'", db.Name))
	store := openStore(t, db.WriterURL())
	release := lockTables(t, db)
	checkEnds(t, store, func() (context.Context, context.CancelFunc) { return t.Context(), func() {} }, "unavailable")
	if got, most := len(store.Tap.Statements()), 2*len(storeCalls(t)); got > most {
		t.Errorf("%d statements, want at most %d", got, most)
	}
	release()
}

func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openForWriters(t, db, 1)
	store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	release := lockTables(t, db)
	holding := store.startAppend(t, newEntry(t, minimalRemediation("holds the connection")))
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	checkEnds(t, store, shortTimeout(t), "unavailable", "deadline")
	release()
	if got := <-holding; got.err != nil || got.written[0].Err != nil {
		t.Error(got)
	}
	checkWorks(t, store)
}

// TestSilentNetwork checks calls on a connection that stays open but never responds.
func TestSilentNetwork(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	var group sync.WaitGroup
	for name, call := range storeCalls(t) {
		store := openStore(t, db.WriterURL())
		store.mustAppend(t, nil, minimalRemediation("r"))
		store.Tap.Stall("", 0)
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := call(ctx, store)
			if diff := cmp.Diff([]string{"unavailable", "deadline"}, kindsOf(err)); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		})
	}
	group.Wait()
}

func TestServerStopped(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	db := postgrestest.NewOn(t, server)
	through := openStore(t, db.WriterURL())
	direct, err := postgres.Open(t.Context(), postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	for _, store := range []tapped{through, {Store: direct}} {
		store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	unlimited := func() (context.Context, context.CancelFunc) { return t.Context(), func() {} }
	checkEnds(t, tapped{Store: direct}, unlimited, "unavailable")
	if !postgrestest.Pooled() {
		// A pooler queues its clients for minutes while it has no server.
		checkEnds(t, through, unlimited, "unavailable")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkWorks(t, through)
	checkWorks(t, tapped{Store: direct})
}

// TestDeadConnectionsFailNoRequest checks that no request fails after all connections died while
// the sandbox was frozen.
func TestDeadConnectionsFailNoRequest(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	for name, call := range storeCalls(t) {
		store.Tap.CutAll()
		if err := call(t.Context(), store); err != nil && name != "ready" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
