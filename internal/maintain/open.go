package maintain

import (
	"context"
	"time"

	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// embeddingDeadline is the default of DATASTORAGE_EMBEDDING_DEADLINE: no client waits for this
// function.
const embeddingDeadline = time.Minute

// Options returns the dimension values of the metrics of a run, and its deadline for embedding.
func Options() function.Options {
	return function.Options{
		ClosedSets: telemetry.ClosedSets{Operations: []string{Operation}}, EmbeddingDeadline: embeddingDeadline,
	}
}

// Open wires the function.
func Open(ctx context.Context, parts *function.Parts) (*Handler, error) {
	stores, err := postgres.OpenStores(ctx, parts.Databases, postgres.Config{ApplicationName: "datastorage-maintain"})
	if err != nil {
		return nil, err
	}
	parts.OnClose(stores.Close)
	return New(Config{
		Store: stores.Writer, Models: parts.Models, Log: parts.Log, Telemetry: parts.Telemetry,
		PartitionsAhead: parts.Settings.PartitionsAhead,
	})
}
