package query_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/query"
	"github.com/datastorage-service/datastorage/internal/write"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

func samples() []string {
	return []string{"get", "history", "list", "search", "similar", "incident-events", "success-rate", "trend"}
}

// TestEmulated sends the events to the function as it is deployed.
func TestEmulated(t *testing.T) {
	t.Parallel()
	endtoend.Emulated(t, "query", samples(), func(t *testing.T) string {
		database := postgrestest.New(t)
		record(t, database)
		return database.ReaderURL()
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	endtoend.Golden(t, *update, samples(), func(t *testing.T) lambda.Handler {
		database := postgrestest.New(t)
		record(t, database)
		front, err := query.New(parts(t, database))
		if err != nil {
			t.Fatal(err)
		}
		return lambda.NewHandler(front.Invoke)
	})
}

// now is when everything happens: ten past three.
func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 10, 0, time.UTC) }

// parts are those of a function on a database.
func parts(t *testing.T, database *postgrestest.Database) query.Config {
	t.Helper()
	return query.Config{
		Store: store(t, database.ReaderURL()), Models: models(t), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute, Now: now,
	}
}

// record sends the write function's sample events, so that there is something to read.
func record(t *testing.T, database *postgrestest.Database) {
	t.Helper()
	clock := now()
	function, err := write.New(write.Config{
		Store: store(t, database.WriterURL()), Models: models(t), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute,
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"batch", "ai-analysis", "workflow", "execution", "update"} {
		text, err := os.ReadFile(filepath.Join(endtoend.Root(t), "events", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := function.Invoke(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		var answer events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(payload, &answer); err != nil || answer.StatusCode >= 300 {
			t.Fatalf("%s: %s %v", name, payload, err)
		}
	}
}

func store(t *testing.T, url string) *postgres.Store {
	t.Helper()
	opened, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

func models(t *testing.T) embedding.Models {
	t.Helper()
	hashing := embedding.Settings{Provider: "hashing", Dimensions: postgrestest.Dimensions, Deadline: time.Minute}
	made, err := embedding.OpenModels(t.Context(), hashing, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestNewNamesWhatIsMissing shows that a handler without one of its parts cannot be made.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, without := range map[string]func(*query.Config){
		"query: Store must be set":             func(c *query.Config) { c.Store = nil },
		"query: Models must be set":            func(c *query.Config) { c.Models = nil },
		"api: Log must be set":                 func(c *query.Config) { c.Log = nil },
		"api: Timeout must be positive, is 0s": func(c *query.Config) { c.Timeout = 0 },
	} {
		config := parts(t, postgrestest.New(t))
		without(&config)
		if _, err := query.New(config); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
