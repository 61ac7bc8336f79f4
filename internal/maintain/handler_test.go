package maintain_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/maintain"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/signature"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func newConfig(t *testing.T, database *postgrestest.Database) maintain.Config {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: database.WriterURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	models, err := embedding.OpenModels(t.Context(), embedding.Settings{Provider: "hashing", Dimensions: postgrestest.Dimensions}, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return maintain.Config{Store: store, Models: models, Log: slog.New(slog.DiscardHandler), PartitionsAhead: 5}
}

// TestInvoke makes missing vectors, more than a page of them, and missing partitions, and counts the
// signatures as near duplicates, whose texts differ in a number only. A second run finds nothing to
// do.
func TestInvoke(t *testing.T) {
	t.Parallel()
	database := postgrestest.New(t)
	conn, err := pgx.Connect(t.Context(), database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), `INSERT INTO signature (id, text, normalizer)
		SELECT gen_random_uuid(), 'trouble ' || i, $1 FROM generate_series(1, 450) AS i`, signature.Version); err != nil {
		t.Fatal(err)
	}
	maintainer, err := maintain.New(newConfig(t, database))
	if err != nil {
		t.Fatal(err)
	}
	// A new database has the partitions of this month and of the next three.
	filled := []maintain.ModelReport{{StoredName: postgrestest.Model, Active: true, Stored: 450}}
	for _, want := range []maintain.Done{
		{Embedded: 450, Analyzed: 450, Models: filled, Partitions: 2, NearDuplicates: 450}, {Models: filled, NearDuplicates: 450},
	} {
		done, err := maintainer.Invoke(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Error(diff)
		}
	}
	var vectors int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM embedding").Scan(&vectors); err != nil || vectors != 450 {
		t.Errorf("%d vectors %v, want 450", vectors, err)
	}
	// Each text has three terms: a word, a number, and the pair of them.
	var terms, counted int
	err = conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM signature_term), (SELECT signatures FROM lexical_statistic)").Scan(&terms, &counted)
	if err != nil || terms != 3*450 || counted != 450 {
		t.Errorf("%d terms, %d signatures counted, %v", terms, counted, err)
	}
}

// TestInvokeStops checks that a run ends with its context and returns its error.
func TestInvokeStops(t *testing.T) {
	t.Parallel()
	maintainer, err := maintain.New(newConfig(t, postgrestest.New(t)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err := maintainer.Invoke(ctx); !errors.Is(err, context.Canceled) || !cmp.Equal(done, maintain.Done{}) {
		t.Errorf("%+v %v, want context.Canceled", done, err)
	}
}

// TestNewNamesWhatIsMissing checks that New names a missing dependency.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	complete := newConfig(t, postgrestest.New(t))
	for part, without := range map[string]func(*maintain.Config){
		"Store must be set":                func(c *maintain.Config) { c.Store = nil },
		"Models must be set":               func(c *maintain.Config) { c.Models = nil },
		"Log must be set":                  func(c *maintain.Config) { c.Log = nil },
		"PartitionsAhead must be positive": func(c *maintain.Config) { c.PartitionsAhead = 0 },
	} {
		config := complete
		without(&config)
		if _, err := maintain.New(config); err == nil || err.Error() != fmt.Sprint("maintain: ", part) {
			t.Errorf("%v, want %s", err, part)
		}
	}
}
