package write

import (
	"context"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// Options returns the dimension values of the function's metrics.
func Options() function.Options {
	return function.Options{ClosedSets: api.ClosedSets(QueueOperation)}
}

// Open wires the function. The options are for the client of the rejects queue.
func Open(ctx context.Context, parts *function.Parts, options ...func(*awsconfig.LoadOptions) error) (*Function, error) {
	stores, err := postgres.OpenStores(ctx, parts.Databases, postgres.Config{ApplicationName: "datastorage-write"})
	if err != nil {
		return nil, err
	}
	parts.OnClose(stores.Close)
	return New(Config{
		Store: stores.Writer, Models: parts.Models, Log: parts.Log, Telemetry: parts.Telemetry, Timeout: parts.Settings.RequestTimeout,
		Rejects: NewRejects(parts.Settings.RejectsQueueURL, options...),
	})
}
