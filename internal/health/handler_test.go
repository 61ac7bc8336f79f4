package health_test

import (
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/health"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// TestEmulated sends the events to the deployed build of the function.
func TestEmulated(t *testing.T) {
	t.Parallel()
	functiontest.Emulated(t, "health", []string{"health", "ready"}, func(t *testing.T) string { return postgrestest.New(t).ReaderURL() })
}

func TestGolden(t *testing.T) {
	t.Parallel()
	functiontest.Golden(t, *update, []string{"health", "ready"}, func(t *testing.T) lambda.Handler {
		front, err := health.New(newConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		return front
	})
}

// TestContract sends the sample event, whose response is too long for a golden file.
func TestContract(t *testing.T) {
	t.Parallel()
	const sample = "contract"
	event, err := os.ReadFile(filepath.Join("../../events", sample+".json"))
	if err != nil {
		t.Fatal(err)
	}
	router, err := health.New(newConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := router.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(payload, &response); err != nil {
		t.Fatal(err)
	}
	var got, want any
	document, err := os.ReadFile("openapi.json")
	if err = errors.Join(err, json.Unmarshal([]byte(response.Body), &got), json.Unmarshal(document, &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || response.StatusCode != http.StatusOK {
		t.Errorf("status %d\n%s", response.StatusCode, diff)
	}
}

// newConfig returns the configuration of a function on a new database.
func newConfig(t *testing.T) health.Config {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: postgrestest.New(t).ReaderURL(), ConnectTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	models, err := embedding.OpenModels(t.Context(), embedding.Settings{Provider: "hashing", Dimensions: postgrestest.Dimensions}, embedding.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return health.Config{
		Stores: postgres.Stores{Writer: store, Reader: store}, Models: models, Log: slog.New(slog.DiscardHandler),
		// Long enough for a busy machine.
		Timeout: time.Minute, CheckTimeout: time.Minute, Schema: migrations.Latest(),
	}
}

// TestNewNamesWhatIsMissing checks that New names a missing dependency.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, without := range map[string]func(*health.Config){
		"health: Stores must be set":           func(c *health.Config) { c.Stores.Reader = nil },
		"health: Models must be set":           func(c *health.Config) { c.Models = nil },
		"health: Schema must be set":           func(c *health.Config) { c.Schema = 0 },
		"api: Log must be set":                 func(c *health.Config) { c.Log = nil },
		"api: Timeout must be positive, is 0s": func(c *health.Config) { c.Timeout = 0 },
	} {
		config := newConfig(t)
		without(&config)
		if _, err := health.New(config); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
