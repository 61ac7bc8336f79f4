package local

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/migrate"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// upkeepInterval is how often the local stack makes what is missing; the template's schedule is slower, nobody waits there.
const upkeepInterval = 30 * time.Second

// localMaxConns stands in for DATASTORAGE_DATABASE_MAX_CONNS when that is not set: a sandbox in the cloud serves one request at
// a time, this process serves all of them.
const localMaxConns = "10"

// Service wires the service itself for Run, from the environment that deployed functions get: it registers the embedding model
// of the settings, makes the functions, and runs the upkeep at an interval.
func Service(getenv func(string) string, log *slog.Logger, tel *telemetry.Telemetry) func(context.Context, Databases) (Wired, error) {
	env := func(name string) string {
		value := getenv(name)
		if value == "" && name == "DATASTORAGE_DATABASE_MAX_CONNS" {
			return localMaxConns
		}
		return value
	}
	return func(ctx context.Context, databases Databases) (Wired, error) {
		if err := RegisterModels(ctx, env, databases.Admin); err != nil {
			return Wired{}, err
		}
		if databases.RejectsQueue != "" {
			env = withVariable(env, "DATASTORAGE_REJECTS_QUEUE_URL", databases.RejectsQueue)
		}
		functions, err := NewFunctions(ctx, env, databases.Writer, databases.Reader, log, tel)
		if err != nil {
			return Wired{}, err
		}
		upkeep, stop := context.WithCancel(context.WithoutCancel(ctx))
		var running sync.WaitGroup
		running.Go(func() {
			// What goes wrong is in the log, and the next run goes on from there.
			_, _ = functions.Maintain.Invoke(upkeep)
			functions.MaintainEvery(upkeep, upkeepInterval)
		})
		return Wired{Handlers: functions.Handlers, Close: func() {
			stop()
			running.Wait()
			functions.Close()
		}}, nil
	}
}

// withVariable is an environment with one variable set.
func withVariable(getenv func(string) string, variable, value string) func(string) string {
	return func(name string) string {
		if name == variable {
			return value
		}
		return getenv(name)
	}
}

// RegisterModels makes the embedding models of the settings known to the database.
func RegisterModels(ctx context.Context, getenv func(string) string, adminURL string) error {
	models, err := embedding.LoadModels(ctx, getenv)
	if err != nil {
		return fmt.Errorf("open the embedding provider: %w", err)
	}
	return migrate.RegisterModels(ctx, adminURL, models)
}
