package migrate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/migrate"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
	"github.com/datastorage-service/datastorage/migrations"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// newEmptyDatabase creates a database in the state before a first deployment: with the extension,
// without tables.
func newEmptyDatabase(t *testing.T) *postgrestest.Database {
	t.Helper()
	database := &postgrestest.Database{Server: postgrestest.New(t).Server, Name: "empty_" + strings.ToLower(rand.Text())}
	execSQL(t, database.Server.URL(pgserver.Superuser, "postgres"), "CREATE DATABASE "+database.Name+" OWNER "+pgserver.AdminRole+" TEMPLATE template0")
	execSQL(t, database.SuperuserURL(), "CREATE EXTENSION vector")
	return database
}

func execSQL(t *testing.T, url, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // usable during cleanup
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func newConfig(t *testing.T, url string) migrate.Config {
	t.Helper()
	models, err := embedding.OpenModels(t.Context(), embedding.Settings{Provider: "hashing", Dimensions: 512},
		embedding.Settings{Provider: "hashing", Dimensions: 64})
	if err != nil {
		t.Fatal(err)
	}
	return migrate.Config{DatabaseURL: func(context.Context) (string, error) { return url, nil }, Models: models, Log: slog.New(slog.DiscardHandler)}
}

// TestInvoke migrates an empty database, and then an up-to-date one.
func TestInvoke(t *testing.T) {
	t.Parallel()
	database := newEmptyDatabase(t)
	migrator, err := migrate.New(newConfig(t, database.AdminURL()))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, migration := range migrations.All() {
		all = append(all, migration.Name)
	}
	for _, want := range []migrate.Done{{Applied: all, Version: migrations.Latest()}, {Applied: []string{}, Version: migrations.Latest()}} {
		done, err := migrator.Migrate(t.Context(), migrate.Order{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Error(diff)
		}
	}
	execSQL(t, database.ReaderURL(), `SELECT 1 / (string_agg(name || ' ' || active, ', ' ORDER BY id) =
		'hash-word-char35-v1@512 true, hash-word-char35-v1@64 false')::integer FROM embedding_model`)
}

// TestModelOrders checks that an order activates and drops models, and what it refuses.
func TestModelOrders(t *testing.T) {
	t.Parallel()
	const first, next = "hash-word-char35-v1@512", "hash-word-char35-v1@64"
	database := newEmptyDatabase(t)
	migrator, err := migrate.New(newConfig(t, database.AdminURL()))
	if err == nil {
		_, err = migrator.Migrate(t.Context(), migrate.Order{})
	}
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, database.AdminURL(), "INSERT INTO signature (id, text, terms, counts, length, normalizer, analyzer) VALUES (gen_random_uuid(), 't', '{1}', '{1}', 1, 1, 1)")
	for _, c := range []struct {
		order   migrate.Order
		missing int64
		refused string
	}{
		{order: migrate.Order{Activate: "unknown@3"}, refused: "unknown@3"},
		{order: migrate.Order{Drop: first}, refused: first},
		{order: migrate.Order{Activate: next}, missing: 1, refused: "1 signatures"},
		{order: migrate.Order{Activate: next, Force: true}, missing: 1},
		{order: migrate.Order{Activate: first, Force: true, Drop: next}, missing: 1},
		{order: migrate.Order{Drop: "unknown@3"}, refused: "unknown@3"},
	} {
		done, err := migrator.Migrate(t.Context(), c.order)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) || done.Missing != c.missing {
			t.Errorf("%+v: %v, missing %d; want %d, refused for %q", c.order, err, done.Missing, c.missing, c.refused)
		}
		execSQL(t, database.AdminURL(), "SELECT 1 / count(*) FROM embedding_model WHERE active")
	}
}

// TestMetrics checks that success and failure are counted separately.
func TestMetrics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(telemetry.Config{Metrics: &out, ClosedSets: telemetry.ClosedSets{Operations: []string{migrate.Operation}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{postgrestest.New(t).AdminURL(), "postgres://127.0.0.1:1/nowhere"} {
		config := newConfig(t, url)
		config.Telemetry = tel
		migrator, err := migrate.New(config)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = migrator.Migrate(t.Context(), migrate.Order{})
	}
	figures := telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String()))
	for _, status := range []string{"success", "failure"} {
		if got := figures["datastorage_operations_total{operation=migrate,status="+status+"}"]; len(got) != 1 || got[0] != 1 {
			t.Errorf("%s: %v", status, got)
		}
	}
}

// TestInvokeFails checks that the error does not contain the password.
func TestInvokeFails(t *testing.T) {
	t.Parallel()
	migrator, err := migrate.New(newConfig(t, strings.Replace(postgrestest.New(t).AdminURL(), "@", "-is-wrong@", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Migrate(t.Context(), migrate.Order{}); err == nil || strings.Contains(err.Error(), "-is-wrong") {
		t.Errorf("migrate with a wrong password: %v", err)
	}
}

// TestNewNamesWhatIsMissing checks that New names a missing dependency.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, without := range map[string]func(*migrate.Config){
		"migrate: DatabaseURL must be set": func(c *migrate.Config) { c.DatabaseURL = nil },
		"migrate: Models must be set":      func(c *migrate.Config) { c.Models = nil },
		"migrate: Log must be set":         func(c *migrate.Config) { c.Log = nil },
	} {
		config := newConfig(t, "postgres://localhost/x")
		without(&config)
		if _, err := migrate.New(config); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
