// Command maintain is the Lambda function that makes missing embeddings and journal partitions, on a schedule.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/maintain"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/telemetry"
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
	for _, embedding := range []*config.Embedding{&settings.Embedding, &settings.EmbeddingNext} {
		if embedding.Provider != "" && embedding.Deadline == 0 {
			embedding.Deadline = time.Minute // nobody waits for this function
		}
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	tel, err := telemetry.New(telemetry.Config{
		Metrics: os.Stdout, Daemon: settings.TraceDaemon, ClosedSets: telemetry.ClosedSets{Operations: []string{maintain.Operation}},
	})
	if err != nil {
		return err
	}
	models, err := embedding.OpenModels(ctx, embedding.Settings(settings.Embedding), embedding.Settings(settings.EmbeddingNext))
	if err != nil {
		return err
	}
	stores, err := postgres.OpenFunction(ctx, access.Settings(settings.Database), postgres.Config{ApplicationName: "datastorage-maintain"})
	if err != nil {
		return err
	}
	upkeep, err := maintain.New(maintain.Config{
		Store: stores.Writer, Models: models, Log: log, Telemetry: tel, PartitionsAhead: settings.PartitionsAhead,
	})
	if err != nil {
		return fmt.Errorf("wire the function: %w", err)
	}
	lambda.StartWithOptions(upkeep.Invoke, lambda.WithContext(ctx), lambda.WithEnableSIGTERM(tel.Close, stores.Close))
	return nil
}
