package embedding

import (
	"context"
	"errors"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

func (e *Embedder) hit(ctx context.Context, texts int) {
	e.hits.Add(int64(texts))
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, texts)
}

func (e *Embedder) miss(ctx context.Context) {
	e.misses.Add(1)
	telemetry.Add(ctx, telemetry.EmbeddingCacheMisses, 1)
}

// reportGenerated counts the texts that a provider was asked for, by what became of them.
func reportGenerated(ctx context.Context, results map[key]result) {
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
