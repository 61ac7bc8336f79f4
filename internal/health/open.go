package health

import (
	"context"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/migrations"
)

// Options returns the dimension values of the function's metrics.
func Options() function.Options {
	return function.Options{ClosedSets: api.ClosedSets()}
}

// Open wires the function.
func Open(ctx context.Context, parts *function.Parts) (*api.Router, error) {
	stores, err := postgres.OpenStores(ctx, parts.Databases, postgres.Config{
		ApplicationName: "datastorage-health", PingTimeout: pingTimeout,
	})
	if err != nil {
		return nil, err
	}
	parts.OnClose(stores.Close)
	return New(Config{
		Stores: stores, Models: parts.Models, Log: parts.Log, Telemetry: parts.Telemetry,
		Timeout: parts.Settings.RequestTimeout, Schema: migrations.Latest(),
	})
}
