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
	"github.com/datastorage-service/datastorage/internal/functiontest"
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

// TestEmulated sends the events to the deployed binary in Lambda's runtime emulator.
func TestEmulated(t *testing.T) {
	t.Parallel()
	functiontest.Emulated(t, "query", samples(), func(t *testing.T) string {
		database := postgrestest.New(t)
		writeSamples(t, database)
		return database.ReaderURL()
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	functiontest.Golden(t, *update, samples(), func(t *testing.T) lambda.Handler {
		database := postgrestest.New(t)
		writeSamples(t, database)
		router, err := query.New(newConfig(t, database))
		if err != nil {
			t.Fatal(err)
		}
		return router
	})
}

// requestTime returns the time of every request.
func requestTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 10, 0, time.UTC) }

// newConfig returns the configuration of a query function on a database.
func newConfig(t *testing.T, database *postgrestest.Database) query.Config {
	t.Helper()
	return query.Config{
		Store: openStore(t, database.ReaderURL()), Models: openModels(t), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute, Now: requestTime,
	}
}

// writeSamples sends the write function's sample events.
func writeSamples(t *testing.T, database *postgrestest.Database) {
	t.Helper()
	clock := requestTime()
	function, err := write.New(write.Config{
		Store: openStore(t, database.WriterURL()), Models: openModels(t), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute,
		Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"batch", "ai-analysis", "workflow", "execution", "update"} {
		text, err := os.ReadFile(filepath.Join(functiontest.Root(t), "events", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := function.Invoke(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		var response events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(payload, &response); err != nil || response.StatusCode >= 300 {
			t.Fatalf("%s: %s %v", name, payload, err)
		}
	}
}

func openStore(t *testing.T, url string) *postgres.Store {
	t.Helper()
	opened, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

func openModels(t *testing.T) embedding.Models {
	t.Helper()
	hashing := embedding.Settings{Provider: "hashing", Dimensions: postgrestest.Dimensions, Deadline: time.Minute}
	made, err := embedding.OpenModels(t.Context(), hashing, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestNewNamesWhatIsMissing checks that the error of New names the missing dependency.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, without := range map[string]func(*query.Config){
		"query: Store must be set":             func(c *query.Config) { c.Store = nil },
		"query: Models must be set":            func(c *query.Config) { c.Models = nil },
		"api: Log must be set":                 func(c *query.Config) { c.Log = nil },
		"api: Timeout must be positive, is 0s": func(c *query.Config) { c.Timeout = 0 },
	} {
		config := newConfig(t, postgrestest.New(t))
		without(&config)
		if _, err := query.New(config); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
