package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/health"
	"github.com/datastorage-service/datastorage/internal/maintain"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/query"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/write"
	"github.com/datastorage-service/datastorage/migrations"
)

// Functions are the service's functions as the gateway calls them, by their logical ids in template.yaml.
type Functions struct {
	Handlers map[string]lambda.Handler
	// Maintain does one run of the scheduled upkeep.
	Maintain *maintain.Handler
	// Models are what write and query share here; in a deployment each function has its own.
	Models embedding.Models
	stores []postgres.Stores
}

// Close waits for the requests under way and closes the connections.
func (f *Functions) Close() {
	for _, store := range f.stores {
		store.Close()
	}
}

// NewFunctions wires the functions as their main.go do, from the same environment, but in this process. writerURL and readerURL take the
// place of DATASTORAGE_DATABASE_URL, which in a deployment differs between the functions. They share told, which may be nil.
func NewFunctions(
	ctx context.Context, getenv func(string) string, writerURL, readerURL string, log *slog.Logger, tel *telemetry.Telemetry,
) (*Functions, error) {
	settings, err := config.Load(func(name string) string {
		switch name {
		case "DATASTORAGE_DATABASE_URL":
			return writerURL
		case "DATASTORAGE_DATABASE_READER_URL":
			return "" // the query function's alone
		}
		return getenv(name)
	})
	if err != nil {
		return nil, err
	}
	models, err := embedding.OpenModels(ctx, embedding.Settings(settings.Embedding), embedding.Settings(settings.EmbeddingNext))
	if err != nil {
		return nil, err
	}
	f := &Functions{Models: models}
	writer, writerErr := f.open(ctx, settings, writerURL)
	settings.Database.ReaderURL = getenv("DATASTORAGE_DATABASE_READER_URL")
	reader, readerErr := f.open(ctx, settings, readerURL)
	if err := errors.Join(writerErr, readerErr); err != nil {
		f.Close()
		return nil, err
	}
	if err := f.wire(settings, writer, reader, log, tel); err != nil {
		f.Close()
		return nil, fmt.Errorf("wire the functions: %w", err)
	}
	return f, nil
}

// ClosedSets returns what the functions' metrics may have in their dimensions.
func ClosedSets() telemetry.ClosedSets {
	return api.ClosedSets(write.QueueOperation, maintain.Operation)
}

func (f *Functions) open(ctx context.Context, settings config.Settings, url string) (postgres.Stores, error) {
	settings.Database.URL = url
	stores, err := postgres.OpenFunction(ctx, access.Settings(settings.Database), postgres.Config{ApplicationName: "datastorage"})
	if err == nil {
		f.stores = append(f.stores, stores)
	}
	return stores, err
}

func (f *Functions) wire(settings config.Settings, writer, reader postgres.Stores, log *slog.Logger, tel *telemetry.Telemetry) error {
	writing, writeErr := write.New(write.Config{
		Store: writer.Writer, Models: f.Models, Log: log, Telemetry: tel, Timeout: settings.RequestTimeout,
		Rejects: Rejects(settings.RejectsQueueURL),
	})
	querying, queryErr := query.New(query.Config{
		Store: reader.Reader, Strong: reader.Writer, Models: f.Models, Log: log, Telemetry: tel, Timeout: settings.RequestTimeout,
	})
	health, healthErr := health.New(health.Config{
		Stores: reader, Models: f.Models, Log: log, Telemetry: tel, Timeout: settings.RequestTimeout, Schema: migrations.Latest(),
	})
	upkeep, maintainErr := maintain.New(maintain.Config{
		Store: writer.Writer, Models: f.Models, Log: log, Telemetry: tel, PartitionsAhead: settings.PartitionsAhead,
	})
	if err := errors.Join(writeErr, queryErr, healthErr, maintainErr); err != nil {
		return err
	}
	f.Maintain = upkeep
	f.Handlers = map[string]lambda.Handler{
		"WriteFunction":    newSandboxes(writing),
		"QueryFunction":    newSandboxes(querying.Invoke),
		"HealthFunction":   newSandboxes(health.Invoke),
		"MaintainFunction": newSandboxes(upkeep.Invoke),
	}
	return nil
}

// MaintainEvery runs the upkeep at the interval until the context ends, as the schedule does in a deployment.
func (f *Functions) MaintainEvery(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// What goes wrong is in the log, and the next run goes on from there.
			_, _ = f.Maintain.Invoke(ctx)
		}
	}
}
