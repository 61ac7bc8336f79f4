package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

func TestReady(t *testing.T) {
	t.Parallel()
	latest := migrations.Latest()
	for name, c := range map[string]struct {
		// harm is the SQL that a superuser runs before the check.
		harm   string
		schema int64
		want   map[string]string
	}{
		"all well":           {"SELECT 1", latest, map[string]string{}},
		"newer than needed":  {"SELECT 1", latest - 1, map[string]string{}},
		"schema is old":      {"SELECT 1", latest + 1, map[string]string{"schema": "at least"}},
		"schema is very old": {"DROP FUNCTION schema_applied", latest, map[string]string{"schema": "run the migrations"}},
		"pgvector is old": {
			"UPDATE pg_extension SET extversion = '0.8.1' WHERE extname = 'vector'", latest, map[string]string{"pgvector": "at least 0.8.2"},
		},
		"pgvector is new": {
			"UPDATE pg_extension SET extversion = '0.10.0' WHERE extname = 'vector'", latest, map[string]string{},
		},
		"pgvector is missing": {"DROP EXTENSION vector CASCADE", latest, map[string]string{"pgvector": "not installed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := postgrestest.New(t)
			store := openStore(t, db.WriterURL())
			execSQL(t, db.SuperuserURL(), c.harm)
			store.Ready(t.Context(), c.schema, migrations.MinPgvector)
			store.Tap.Reset()
			checks := store.Ready(t.Context(), c.schema, migrations.MinPgvector)
			if got := store.Tap.RoundTrips(); got > 2 {
				t.Errorf("%d round trips", got)
			}
			checkChecks(t, checks, c.want)
		})
	}
}

// checkChecks compares the errors of all three checks with the expected texts.
func checkChecks(t *testing.T, checks []postgres.ComponentCheck, want map[string]string) {
	t.Helper()
	var names []string
	for _, check := range checks {
		names = append(names, check.Name)
		text, fails := want[check.Name]
		if fails != (check.Err != nil) || fails && !strings.Contains(check.Err.Error(), text) {
			t.Errorf("%s: %v, want %q", check.Name, check.Err, text)
		}
	}
	if diff := cmp.Diff([]string{"postgresql", "pgvector", "schema"}, names); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

func TestReadyWithoutAServer(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	store := openStore(t, postgrestest.NewOn(t, server).WriterURL())
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	checkChecks(t, store.Ready(t.Context(), 1, migrations.MinPgvector), map[string]string{
		"postgresql": "temporarily unavailable", "pgvector": "not checked", "schema": "not checked",
	})
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkChecks(t, store.Ready(t.Context(), 1, migrations.MinPgvector), nil)
}

func TestCursorKeyIsOneForAll(t *testing.T) {
	t.Parallel()
	db, another := postgrestest.New(t), postgrestest.New(t)
	keys := make([][]byte, 0, 4)
	first := openStore(t, db.WriterURL())
	for _, store := range []tapped{first, first, openStore(t, db.ReaderURL()), openStore(t, another.ReaderURL())} {
		key, err := store.CursorKey(t.Context())
		if err != nil || len(key) != 32 {
			t.Fatalf("a key of %d bytes (%v)", len(key), err)
		}
		keys = append(keys, key)
	}
	if !cmp.Equal(keys[0], keys[1]) || !cmp.Equal(keys[0], keys[2]) {
		t.Error("two stores on one database have different keys")
	}
	if got := len(first.Tap.Statements()); got != 1 {
		t.Errorf("the key was read %d times, want once", got)
	}
}

func TestOpenChecksItsConfiguration(t *testing.T) {
	t.Parallel()
	const url = "postgres://user:secret@127.0.0.1:1/database"
	for name, c := range map[string]struct {
		config postgres.Config
		field  string
	}{
		"no URL":          {postgres.Config{Model: "m"}, "URL"},
		"not a URL":       {postgres.Config{URL: "postgres://user:secret@host:port/", Model: "m"}, "URL"},
		"connections":     {postgres.Config{URL: url, Model: "m", MaxConns: -1}, "MaxConns"},
		"time to connect": {postgres.Config{URL: url, Model: "m", ConnectTimeout: -1}, "ConnectTimeout"},
		"ping timeout":    {postgres.Config{URL: url, Model: "m", PingTimeout: -1}, "PingTimeout"},
		"time to be idle": {postgres.Config{URL: url, Model: "m", MaxConnIdleTime: -1}, "MaxConnIdleTime"},
	} {
		_, err := postgres.Open(t.Context(), c.config)
		if err == nil || !strings.Contains(err.Error(), c.field) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error that names %s", name, err, c.field)
		}
		if text := c.config.String() + c.config.GoString(); strings.Contains(text, "secret") {
			t.Errorf("%s: printed as %s", name, text)
		}
	}
	// Nothing listens there, but Open does not connect.
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}
