// Command migrate is the Lambda function that brings the database to the schema of this build, as a part of a deployment.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/migrate"
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
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	tel, err := telemetry.New(telemetry.Config{
		Metrics: os.Stdout, Daemon: settings.TraceDaemon, ClosedSets: telemetry.ClosedSets{Operations: []string{migrate.Operation}},
	})
	if err != nil {
		return err
	}
	models, err := embedding.OpenModels(ctx, embedding.Settings(settings.Embedding), embedding.Settings(settings.EmbeddingNext))
	if err != nil {
		return err
	}
	databases, err := access.Open(ctx, access.Settings(settings.Database))
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	migrate, err := migrate.New(migrate.Config{DatabaseURL: databases.Writer.URL, Models: models, Log: log, Telemetry: tel})
	if err != nil {
		return fmt.Errorf("wire the function: %w", err)
	}
	lambda.StartWithOptions(migrate.Invoke, lambda.WithContext(ctx), lambda.WithEnableSIGTERM(tel.Close))
	return nil
}
