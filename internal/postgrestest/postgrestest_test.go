package postgrestest_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// queryValue opens a connection, reads one row, and closes it.
func queryValue[T any](t *testing.T, url, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestRoles(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	for want, url := range map[string]string{
		"datastorage_admin":  db.AdminURL(),
		"datastorage_writer": db.WriterURL(),
		"datastorage_reader": db.ReaderURL(),
		"postgres":           db.SuperuserURL(),
	} {
		if got := queryValue[string](t, url, "SELECT current_user::text"); got != want {
			t.Errorf("connected as %s, want %s", got, want)
		}
	}
}

// properties are the settings and contents that every database must have, however it was created.
type properties struct {
	Version                 int64
	Model                   string
	Owner, Encoding, Locale string
	Walk                    string
}

func readProperties(t *testing.T, db *postgrestest.Database) properties {
	t.Helper()
	return properties{
		Version:  queryValue[int64](t, db.ReaderURL(), "SELECT max(version_id) FROM schema_version"),
		Model:    queryValue[string](t, db.ReaderURL(), "SELECT format('%s %s', name, dimensions) FROM embedding_model WHERE active"),
		Owner:    queryValue[string](t, db.ReaderURL(), "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"),
		Encoding: queryValue[string](t, db.ReaderURL(), "SELECT current_setting('server_encoding')"),
		Locale:   queryValue[string](t, db.ReaderURL(), "SELECT upper('é') || (SELECT string_agg(c, '' ORDER BY c) FROM unnest('{a,B,b,A}'::text[]) c)"),
		// The library that defines the settings is loaded when the type is first used.
		Walk: queryValue[string](t, db.ReaderURL(), "SELECT '[1]'::vector::text || concat_ws(' ', current_setting('hnsw.iterative_scan'),"+
			" current_setting('hnsw.ef_search'), current_setting('hnsw.max_scan_tuples'))"),
	}
}

func TestEveryDatabaseIsReady(t *testing.T) {
	t.Parallel()
	want := properties{
		Version:  migrations.Latest(),
		Model:    postgrestest.Model + " 64",
		Owner:    "datastorage_admin",
		Encoding: "UTF8",
		Locale:   "ÉABab",
		Walk:     "[1]relaxed_order 100 5000",
	}
	copied, made := postgrestest.New(t), postgrestest.NewOn(t, postgrestest.NewServer(t))
	if diff := cmp.Diff(want, readProperties(t, copied)); diff != "" {
		t.Error("copy of the template (-want +got):\n" + diff)
	}
	if diff := cmp.Diff(want, readProperties(t, made)); diff != "" {
		t.Error("on a server of its own (-want +got):\n" + diff)
	}
	if copied.Server == made.Server {
		t.Error("a test's own server is the shared one")
	}
}

func TestDatabasesAreIndependent(t *testing.T) {
	t.Parallel()
	first, second := postgrestest.New(t), postgrestest.New(t)
	queryValue[int](t, first.AdminURL(), "WITH made AS (INSERT INTO embedding_model (name, dimensions) VALUES ('other', 3) RETURNING 1) SELECT 1 FROM made")
	const count = "SELECT count(*) FROM embedding_model"
	if got := queryValue[int](t, first.ReaderURL(), count); got != 2 {
		t.Errorf("the database written to has %d models, want 2", got)
	}
	if got := queryValue[int](t, second.ReaderURL(), count); got != 1 {
		t.Errorf("the other database has %d models, want 1", got)
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var used *postgrestest.Database
	ok := t.Run("use", func(t *testing.T) {
		used = postgrestest.New(t)
		// A connection that a test leaves open must not prevent the drop.
		if _, err := pgx.Connect(t.Context(), used.WriterURL()); err != nil {
			t.Fatal(err)
		}
	})
	if !ok {
		t.FailNow()
	}
	postgres := used.Server.URL(pgserver.Superuser, "postgres")
	if queryValue[bool](t, postgres, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", used.Name) {
		t.Errorf("%s is still there", used.Name)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	want := os.Getenv(postgrestest.VersionVariable)
	if want == "" {
		want = "16"
	}
	got := queryValue[string](t, postgrestest.New(t).ReaderURL(), "SELECT current_setting('server_version')")
	if !strings.HasPrefix(got, want+".") {
		t.Errorf("server is %s, want %s", got, want)
	}
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	db := postgrestest.NewOn(t, server)
	const insert = "WITH made AS (INSERT INTO embedding_model (name, dimensions) VALUES ('kept', 3) RETURNING 1) SELECT 1 FROM made"
	queryValue[int](t, db.AdminURL(), insert)
	if err := postgrestest.Kill(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM embedding_model WHERE name = 'kept'"); got != 1 {
		t.Errorf("%d rows, want the acknowledged one", got)
	}
}

func TestNewOnTheSameServerAtOnce(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { postgrestest.NewOn(t, server) })
	}
	group.Wait()
	const count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'"
	if got := queryValue[int](t, server.URL(pgserver.Superuser, "postgres"), count); got != 4 {
		t.Errorf("%d databases, want 4", got)
	}
}

// TestStoppedServerIsNotSwept stops a server while another test binary sweeps the directories of killed ones.
func TestStoppedServerIsNotSwept(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	db := postgrestest.NewOn(t, server)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	postgrestest.Sweep()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM embedding_model"); got != 1 {
		t.Errorf("%d models, want 1", got)
	}
}
