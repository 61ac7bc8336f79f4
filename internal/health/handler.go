// Package health answers /health and /ready. It knows which dependencies a write and a query need,
// and nothing of what they do.
package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// checkTimeout bounds each check of /ready.
const checkTimeout = time.Second

// pingTimeout is how long a connection that was idle may take to show that it is alive: a sandbox
// that was frozen may find all of its connections dead, and a check is to have time for a new one.
const pingTimeout = checkTimeout / 4

// Config are the parts of a health function. All are required but Telemetry.
type Config struct {
	Stores postgres.Stores
	Models embedding.Models
	Log    *slog.Logger
	// Timeout bounds a request.
	Timeout time.Duration
	// Schema is the version of the schema that this build was written for.
	Schema int64
	// Telemetry gets metrics and traces; nil means that nothing does.
	Telemetry *telemetry.Telemetry
}

// New makes the function's front; an error names the part that is missing.
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
	config.Log = telemetry.Logger(config.Log)
	h := handler{config}
	return api.NewRouter(api.Routes{
		"getHealth": h.respondHealth,
		"getReady":  h.respondReady,
	}, api.Options{Timeout: config.Timeout, Log: config.Log, Telemetry: config.Telemetry})
}

type handler struct{ Config }

func (handler) respondHealth(context.Context, *api.Request) (*api.Response, error) {
	return api.RespondHealth(), nil
}

// respondReady asks the database, the one to read from where that is another, and the embedding
// provider side by side.
func (h handler) respondReady(ctx context.Context, r *api.Request) (*api.Response, error) {
	if err := r.NoParameters(); err != nil {
		return nil, err
	}
	var written, read, embedded []api.Check
	var asked sync.WaitGroup
	asked.Go(func() { written = h.checkDatabase(ctx, h.Stores.Writer, "writer") })
	asked.Go(func() { embedded = []api.Check{h.checkEmbedding(ctx)} })
	if h.Stores.Reader != h.Stores.Writer {
		asked.Go(func() { read = []api.Check{h.checkReader(ctx)} })
	}
	asked.Wait()
	return api.RespondReady(slices.Concat(written, read, embedded)), nil
}

// checkDatabase checks one way into the database; what is wrong with it is logged with its name.
func (h handler) checkDatabase(ctx context.Context, store *postgres.Store, endpoint string) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	started := time.Now()
	found := store.Ready(ctx, h.Schema)
	took := time.Since(started)
	checks := make([]api.Check, len(found))
	for i, check := range found {
		if check.Err != nil {
			h.Log.WarnContext(ctx, "database", slog.String("endpoint", endpoint), slog.String("check", check.Name), slog.Any("error", check.Err))
		}
		checks[i] = api.Check{Name: check.Name, Err: check.Err, Took: took}
	}
	return checks
}

// checkReader is one check of all that a query needs of the database that it reads from.
func (h handler) checkReader(ctx context.Context) api.Check {
	reader := api.Check{Name: "reader"}
	for _, check := range h.checkDatabase(ctx, h.Stores.Reader, "reader") {
		reader.Took = check.Took
		if reader.Err == nil && check.Err != nil {
			reader.Err = fmt.Errorf("%s: %w", check.Name, check.Err)
		}
	}
	return reader
}

func (h handler) checkEmbedding(ctx context.Context) api.Check {
	started := time.Now()
	embedder, err := h.activeEmbedder(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		err = embedder.Probe(ctx)
	}
	if err != nil {
		h.Log.WarnContext(ctx, "embedding provider", slog.Any("error", err))
		err = errors.New("does not respond as configured")
	}
	return api.Check{Name: "embedding", Err: err, Took: time.Since(started), Optional: true}
}

// activeEmbedder is the embedder of the active model, or the first one where the database does not
// say: that is the database's fault, and told by its own checks.
func (h handler) activeEmbedder(ctx context.Context) (*embedding.Embedder, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	embedder, err := h.Models.Active(ctx, h.Stores.Writer.ActiveModel)
	if err != nil && !errors.Is(err, embedding.ErrUnavailable) {
		return h.Models[0], nil
	}
	return embedder, err
}
