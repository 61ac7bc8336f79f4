package write_test

import (
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/write"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// sampleEvents are the events in events/ that are sent on their own; the others are sent within a
// case.
func sampleEvents() []string {
	return []string{"create", "batch", "sqs-record", "sqs-array", "sqs-cloudevent"}
}

// TestEmulated sends the events to the deployed binary in Lambda's runtime emulator.
func TestEmulated(t *testing.T) {
	t.Parallel()
	functiontest.Emulated(t, "write", sampleEvents(), func(t *testing.T) string { return postgrestest.New(t).WriterURL() })
}

func TestGolden(t *testing.T) {
	t.Parallel()
	functiontest.Golden(t, *update, sampleEvents(), func(t *testing.T) lambda.Handler {
		function, err := write.New(newConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		return function
	})
}

// newConfig returns the configuration of a function with a fresh database and a fixed clock.
func newConfig(t *testing.T) write.Config {
	t.Helper()
	database := postgrestest.New(t)
	store, err := postgres.Open(t.Context(), postgres.Config{URL: database.WriterURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return write.Config{
		Store: store, Models: hashingModels(t), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 10, 0, time.UTC) },
	}
}

func hashingModels(t *testing.T) embedding.Models {
	t.Helper()
	hashing := embedding.Settings{Provider: "hashing", Dimensions: postgrestest.Dimensions, Deadline: time.Minute}
	made, err := embedding.OpenModels(t.Context(), hashing, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestNewNamesWhatIsMissing checks that a function without a required dependency cannot be made.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, without := range map[string]func(*write.Config){
		"write: Store must be set":             func(c *write.Config) { c.Store = nil },
		"write: Models must be set":            func(c *write.Config) { c.Models = nil },
		"api: Log must be set":                 func(c *write.Config) { c.Log = nil },
		"api: Timeout must be positive, is 0s": func(c *write.Config) { c.Timeout = 0 },
	} {
		config := newConfig(t)
		without(&config)
		if _, err := write.New(config); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
