package query

import (
	"context"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// Options returns the dimension values of the function's metrics.
func Options() function.Options {
	return function.Options{ClosedSets: api.ClosedSets()}
}

// Open wires the function.
func Open(ctx context.Context, parts *function.Parts) (*api.Router, error) {
	stores, err := postgres.OpenStores(ctx, parts.Databases, postgres.Config{ApplicationName: "datastorage-query"})
	if err != nil {
		return nil, err
	}
	parts.OnClose(stores.Close)
	return New(Config{
		Store: stores.Reader, Strong: stores.Writer, Models: parts.Models, Log: parts.Log, Telemetry: parts.Telemetry,
		Timeout: parts.Settings.RequestTimeout,
	})
}
