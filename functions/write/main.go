// Command write is the Lambda function that records remediations, their updates and their children, from HTTP requests and from a queue.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/write"
)

func main() {
	if err := run(context.Background(), os.Getenv); err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("init failed", slog.Any("error", err))
		os.Exit(1)
	}
}

// run wires the function and serves it; it returns only when wiring fails.
func run(ctx context.Context, getenv func(string) string) error {
	settings, err := config.Load(getenv)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	tel, err := telemetry.New(telemetry.Config{
		Metrics: os.Stdout, Daemon: settings.TraceDaemon, ClosedSets: api.ClosedSets(write.QueueOperation),
	})
	if err != nil {
		return err
	}
	models, err := embedding.OpenModels(ctx, embedding.Settings(settings.Embedding), embedding.Settings(settings.EmbeddingNext))
	if err != nil {
		return err
	}
	stores, err := postgres.OpenFunction(ctx, access.Settings(settings.Database), postgres.Config{ApplicationName: "datastorage-write"})
	if err != nil {
		return err
	}
	function, err := write.New(write.Config{
		Store: stores.Writer, Models: models, Log: log, Telemetry: tel, Timeout: settings.RequestTimeout,
		Rejects: write.NewRejects(settings.RejectsQueueURL),
	})
	if err != nil {
		return fmt.Errorf("wire the function: %w", err)
	}
	lambda.StartWithOptions(function, lambda.WithContext(ctx), lambda.WithEnableSIGTERM(tel.Close, stores.Close))
	return nil
}
