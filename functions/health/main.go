// Command health is the Lambda function that responds to /health, /ready and /openapi.json.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/health"
)

func main() {
	if err := run(context.Background(), os.Getenv); err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("init failed", slog.Any("error", err))
		os.Exit(1)
	}
}

// run wires the function and serves it. It returns only if wiring fails.
func run(ctx context.Context, getenv func(string) string) error {
	parts, err := function.Open(ctx, getenv, health.Options())
	if err != nil {
		return err
	}
	handler, err := health.Open(ctx, parts)
	if err != nil {
		return err
	}
	parts.Serve(ctx, handler)
	return nil
}
