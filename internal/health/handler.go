// Package health responds to /health, /ready and /openapi.json. It checks the dependencies of writes
// and queries, and serves the contract.
package health

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/migrations"
)

// defaultCheckTimeout bounds each check of /ready.
const defaultCheckTimeout = time.Second

// pingTimeout bounds the check of an idle connection. After a freeze all connections of a sandbox
// may be dead, and the check of /ready needs time to open a new one.
const pingTimeout = defaultCheckTimeout / 4

// Config holds the dependencies of a health function. All except CheckTimeout and Telemetry are
// required.
type Config struct {
	Stores postgres.Stores
	Models embedding.Models
	Log    *slog.Logger
	// Timeout bounds a request.
	Timeout time.Duration
	// CheckTimeout bounds each check of /ready. 0 means 1 s.
	CheckTimeout time.Duration
	// Schema is the schema version of this build.
	Schema int64
	// Telemetry receives metrics and traces; nil discards them.
	Telemetry *telemetry.Telemetry
}

// New makes the function's router, or returns an error that names a missing dependency.
func New(config Config) (*api.Router, error) {
	if config.Stores.Writer == nil || config.Stores.Reader == nil {
		return nil, errors.New("health: Stores must be set")
	}
	if err := config.Models.Validate(); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	if config.Schema <= 0 {
		return nil, errors.New("health: Schema must be set")
	}
	config.CheckTimeout = cmp.Or(config.CheckTimeout, defaultCheckTimeout)
	config.Log = telemetry.Logger(config.Log)
	h := handler{config}
	return api.NewRouter(api.Routes{
		"getHealth":   h.respondHealth,
		"getReady":    h.respondReady,
		"getContract": h.respondContract,
	}, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
}

type handler struct{ Config }

func (handler) respondHealth(context.Context, *api.Request) (*api.Response, error) {
	return api.RespondHealth(), nil
}

// contract is openapi.yaml as JSON, without its servers. It is generated.
//
//go:embed openapi.json
var contract []byte

func (handler) respondContract(_ context.Context, r *api.Request) (*api.Response, error) {
	if err := r.NoParameters(); err != nil {
		return nil, err
	}
	return api.NewResponse(http.StatusOK, json.RawMessage(contract)), nil
}

// respondReady checks the database, a separate reader endpoint, and the embedding provider
// concurrently.
func (h handler) respondReady(ctx context.Context, r *api.Request) (*api.Response, error) {
	if err := r.NoParameters(); err != nil {
		return nil, err
	}
	var writer, reader, embedding []api.DependencyCheck
	var checks sync.WaitGroup
	checks.Go(func() { writer = h.checkDatabase(ctx, h.Stores.Writer, "writer") })
	checks.Go(func() { embedding = []api.DependencyCheck{h.checkEmbedding(ctx)} })
	if h.Stores.Reader != h.Stores.Writer {
		checks.Go(func() { reader = []api.DependencyCheck{h.checkReader(ctx)} })
	}
	checks.Wait()
	return api.RespondReady(slices.Concat(writer, reader, embedding)), nil
}

// checkDatabase checks one endpoint of the database, and logs failures with the endpoint's name.
func (h handler) checkDatabase(ctx context.Context, store *postgres.Store, endpoint string) []api.DependencyCheck {
	ctx, cancel := context.WithTimeout(ctx, h.CheckTimeout)
	defer cancel()
	started := time.Now()
	found := store.Ready(ctx, h.Schema, migrations.MinPgvector)
	took := time.Since(started)
	checks := make([]api.DependencyCheck, len(found))
	for i, check := range found {
		if check.Err != nil {
			h.Log.WarnContext(ctx, "database check failed", slog.String("endpoint", endpoint), slog.String("check", check.Name),
				slog.Any("error", check.Err))
		}
		checks[i] = api.DependencyCheck{Name: check.Name, Err: check.Err, Took: took}
	}
	return checks
}

// checkReader combines the checks of the reader endpoint into one.
func (h handler) checkReader(ctx context.Context) api.DependencyCheck {
	reader := api.DependencyCheck{Name: "reader"}
	for _, check := range h.checkDatabase(ctx, h.Stores.Reader, "reader") {
		reader.Took = check.Took
		if reader.Err == nil && check.Err != nil {
			reader.Err = fmt.Errorf("%s: %w", check.Name, check.Err)
		}
	}
	return reader
}

func (h handler) checkEmbedding(ctx context.Context) api.DependencyCheck {
	started := time.Now()
	embedder, err := h.activeEmbedder(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, h.CheckTimeout)
		defer cancel()
		err = embedder.Probe(ctx)
	}
	if err != nil {
		h.Log.WarnContext(ctx, "embedding provider check failed", slog.Any("error", err))
		err = publicEmbeddingError(err)
	}
	return api.DependencyCheck{Name: "embedding", Err: err, Took: time.Since(started), Optional: true}
}

// publicEmbeddingError omits what the provider says, which may name hosts and accounts.
func publicEmbeddingError(err error) error {
	if unreadable, ok := errors.AsType[*embedding.KeyError](err); ok {
		return fmt.Errorf("cannot read the API key: the secret in %s", unreadable.Variable)
	}
	return errors.New("does not respond as configured")
}

// activeEmbedder returns the embedder of the active model, or the first one if the database does
// not respond, which its own checks report.
func (h handler) activeEmbedder(ctx context.Context) (*embedding.Embedder, error) {
	ctx, cancel := context.WithTimeout(ctx, h.CheckTimeout)
	defer cancel()
	embedder, err := h.Models.Active(ctx, h.Stores.Writer.ActiveModel)
	if err != nil && !errors.Is(err, embedding.ErrUnavailable) {
		return h.Models[0], nil
	}
	return embedder, err
}
