package embedding

import (
	"context"
	"errors"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

func (e *Embedder) countHits(ctx context.Context, texts int) {
	e.hits.Add(int64(texts))
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, texts)
}

func (e *Embedder) countMiss(ctx context.Context) {
	e.misses.Add(1)
	telemetry.Add(ctx, telemetry.EmbeddingCacheMisses, 1)
}

// countGenerations counts the texts that were sent to a provider, by their outcome.
func countGenerations(ctx context.Context, results map[key]result) {
	for _, got := range results {
		status := telemetry.Success
		switch {
		case errors.Is(got.err, ErrRefused):
			status = telemetry.Refused
		case got.err != nil:
			status = telemetry.Failure
		}
		telemetry.Add(ctx, telemetry.EmbeddingGenerations, 1, status)
	}
}
