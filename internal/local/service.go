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

// maintainInterval is shorter than the schedule of the template, so that the user need not wait
// long for missing vectors.
const maintainInterval = 30 * time.Second

// localMaxConns is the default of DATASTORAGE_DATABASE_MAX_CONNS here: this process serves all
// requests, whereas a deployed sandbox serves one at a time.
const localMaxConns = "10"

// Service returns the wiring of the service for StackConfig.Functions, from the environment
// variables of deployed functions: it registers the embedding models, wires the functions, and
// invokes maintain at an interval.
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
			env = withEnvVariable(env, "DATASTORAGE_REJECTS_QUEUE_URL", databases.RejectsQueue)
		}
		functions, err := NewFunctions(ctx, env, databases.Writer, databases.Reader, log, tel)
		if err != nil {
			return Wired{}, err
		}
		maintenance, stop := context.WithCancel(context.WithoutCancel(ctx))
		var running sync.WaitGroup
		running.Go(func() {
			// The function logs its errors, and the next run continues its work.
			_, _ = functions.Maintain.Invoke(maintenance)
			functions.MaintainEvery(maintenance, maintainInterval)
		})
		return Wired{Handlers: functions.Handlers, Close: func() {
			stop()
			running.Wait()
			functions.Close()
		}}, nil
	}
}

// withEnvVariable returns an environment with one variable set.
func withEnvVariable(getenv func(string) string, variable, value string) func(string) string {
	return func(name string) string {
		if name == variable {
			return value
		}
		return getenv(name)
	}
}

// RegisterModels registers the embedding models of the settings in the database.
func RegisterModels(ctx context.Context, getenv func(string) string, adminURL string) error {
	models, err := embedding.LoadModels(ctx, getenv)
	if err != nil {
		return fmt.Errorf("open the embedding provider: %w", err)
	}
	return migrate.RegisterModels(ctx, adminURL, models)
}
