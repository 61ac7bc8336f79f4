// Package endtoend starts the service for tests that call it as a client does: a new database, the functions,
// and the gateway in front of them on a loopback port.
package endtoend

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/migrate"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/migrations"
)

// Stack is one running service.
type Stack struct {
	// URL is the address of the API.
	URL string
	// Client calls the API. Every exchange is checked against the contract.
	Client *client.Client
	// HTTP calls the API, too; only responses are checked against the contract.
	HTTP *http.Client
	// Database is the stack's database.
	Database *postgrestest.Database
	// Functions are the functions that the gateway invokes.
	Functions *local.Functions
}

// Options configure New.
type Options struct {
	// Server is where the database is created; nil means the test binary's shared server.
	Server *pgserver.Server
	// Database is that of another stack, so that the two are sandboxes of the same functions; nil means a new one.
	Database *postgrestest.Database
	// Env are the functions' settings.
	Env map[string]string
	// Identity is the caller of the requests; nil means the local stack's default.
	Identity *events.APIGatewayV2HTTPRequestContextAuthorizerDescription
	// Anonymous requests carry no identity.
	Anonymous bool
	// Through returns an address by which the functions reach the database at the given one; nil means
	// directly, or through the pooler if the tests run with one.
	Through func(url string) string
	// Log receives the functions' log; nil discards it.
	Log *slog.Logger
	// Metrics receives the functions' metrics; nil discards them.
	Metrics io.Writer
	// TraceDaemon is the address for the functions' traces; empty means that none are sent.
	TraceDaemon string
	// Retry is the client's; the zero value sends each request once.
	Retry client.RetryPolicy
}

// New starts a stack. It stops when the test ends.
func New(tb testing.TB, options Options) *Stack {
	tb.Helper()
	getenv := func(name string) string { return cmp.Or(options.Env[name], functiontest.PatientSettings()[name]) }
	database := options.Database
	if database == nil {
		database = newDatabase(tb, options.Server)
		registerModels(tb, database, getenv)
	}
	through := options.Through
	if through == nil {
		through = func(url string) string { return postgrestest.ThroughPooler(tb, url) }
	}
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	tel, err := telemetry.New(telemetry.Config{
		Metrics: options.Metrics, Daemon: options.TraceDaemon, ClosedSets: local.ClosedSets(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(tel.Close)
	functions, err := local.NewFunctions(
		context.Background(), getenv, through(database.WriterURL()), through(database.ReaderURL()), log, tel)
	if err != nil {
		tb.Fatalf("wire the functions: %v", err)
	}
	tb.Cleanup(functions.Close)
	stack := &Stack{URL: serveFunctions(tb, functions, options).URL, Database: database, Functions: functions}
	stack.HTTP = newCheckedClient(tb, false)
	stack.Client = newClient(tb, stack.URL, options.Retry)
	return stack
}

func newClient(tb testing.TB, url string, retry client.RetryPolicy) *client.Client {
	tb.Helper()
	if retry.Attempts == 0 {
		retry.Attempts = 1
	}
	api, err := client.New(url, client.WithHTTPClient(newCheckedClient(tb, true)), client.WithRetry(retry))
	if err != nil {
		tb.Fatalf("make the client: %v", err)
	}
	return api
}

// newCheckedClient is an HTTP client that checks responses against the contract, and requests too if they must be valid.
func newCheckedClient(tb testing.TB, requests bool) *http.Client {
	tb.Helper()
	contract, err := LoadContract()
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: &checker{tb: tb, contract: contract, next: transport, requests: requests}}
}

func newDatabase(tb testing.TB, server *pgserver.Server) *postgrestest.Database {
	tb.Helper()
	if server == nil {
		return postgrestest.New(tb)
	}
	return postgrestest.NewOn(tb, server)
}

// registerModels registers the functions' models, as a deployment does. The first becomes the active one and
// replaces the test database's own.
func registerModels(tb testing.TB, database *postgrestest.Database, getenv func(string) string) {
	tb.Helper()
	models, err := embedding.LoadModels(tb.Context(), getenv)
	if err != nil {
		tb.Fatalf("embedding providers: %v", err)
	}
	if err := migrate.RegisterModels(tb.Context(), database.AdminURL(), models); err != nil {
		tb.Fatalf("register the models: %v", err)
	}
	if _, err := migrations.ActivateModel(tb.Context(), database.AdminURL(), models[0].Model().String(), false); err != nil {
		tb.Fatalf("activate the model: %v", err)
	}
	if models.Of(postgrestest.Model) == nil {
		if err := migrations.DropModel(tb.Context(), database.AdminURL(), postgrestest.Model); err != nil {
			tb.Fatalf("drop the test database's own model: %v", err)
		}
	}
}

func serveFunctions(tb testing.TB, functions *local.Functions, options Options) *httptest.Server {
	tb.Helper()
	template, err := os.ReadFile(filepath.Join(functiontest.Root(tb), "template.yaml"))
	if err != nil {
		tb.Fatalf("read the template: %v", err)
	}
	authorizer := options.Identity
	if authorizer == nil && !options.Anonymous {
		authorizer = gateway.Authorizer()
	}
	gateway, err := gateway.New(gateway.Config{
		Template: template, Functions: functions.Handlers, Authorizer: authorizer,
	})
	if err != nil {
		tb.Fatalf("make the gateway: %v", err)
	}
	server := httptest.NewServer(gateway)
	tb.Cleanup(server.Close)
	return server
}
