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
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/health"
	"github.com/datastorage-service/datastorage/internal/maintain"
	"github.com/datastorage-service/datastorage/internal/query"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/write"
)

// Functions are the service's functions, running in this process.
type Functions struct {
	// Handlers maps logical IDs in template.yaml to handlers.
	Handlers map[string]lambda.Handler
	// Maintain is the scheduled function.
	Maintain *maintain.Handler
	// Models are shared by all functions here; in a deployment each has its own.
	Models embedding.Models
	parts  []*function.Parts
}

// Close waits for requests in progress and closes the connections.
func (f *Functions) Close() {
	for _, parts := range f.parts {
		parts.Close()
	}
}

// NewFunctions wires the functions with the code of their programs, from the same environment, in
// this process. writerURL and readerURL replace DATASTORAGE_DATABASE_URL, which differs between the
// functions in a deployment. tel, which may be nil, is shared.
func NewFunctions(
	ctx context.Context, getenv func(string) string, writerURL, readerURL string, log *slog.Logger, tel *telemetry.Telemetry,
) (*Functions, error) {
	// The reader endpoint belongs to query and health.
	settings, err := function.Load(withEnvVariable(withEnvVariable(getenv, "DATASTORAGE_DATABASE_URL", writerURL), "DATASTORAGE_DATABASE_READER_URL", ""))
	if err != nil {
		return nil, err
	}
	writing, err := function.New(ctx, settings, log, tel)
	if err != nil {
		return nil, err
	}
	settings.Database.URL, settings.Database.ReaderURL = readerURL, getenv("DATASTORAGE_DATABASE_READER_URL")
	databases, err := access.Open(ctx, settings.Database)
	if err != nil {
		return nil, fmt.Errorf("open the reader's database: %w", err)
	}
	reading := &function.Parts{Settings: settings, Log: log, Telemetry: tel, Models: writing.Models, Databases: databases}
	f := &Functions{Models: writing.Models, parts: []*function.Parts{writing, reading}}
	if err := f.openFunctions(ctx, writing, reading); err != nil {
		f.Close()
		return nil, fmt.Errorf("wire the functions: %w", err)
	}
	return f, nil
}

// ClosedSets returns the dimension values of the metrics of all functions.
func ClosedSets() telemetry.ClosedSets {
	return api.ClosedSets(write.QueueOperation, maintain.Operation)
}

func (f *Functions) openFunctions(ctx context.Context, writing, reading *function.Parts) error {
	writer, writeErr := write.Open(ctx, writing, RejectsOptions(writing.Settings.RejectsQueueURL)...)
	querier, queryErr := query.Open(ctx, reading)
	prober, healthErr := health.Open(ctx, reading)
	maintainer, maintainErr := maintain.Open(ctx, writing)
	if err := errors.Join(writeErr, queryErr, healthErr, maintainErr); err != nil {
		return err
	}
	f.Maintain = maintainer
	f.Handlers = map[string]lambda.Handler{
		"WriteFunction":    writer,
		"QueryFunction":    querier,
		"HealthFunction":   prober,
		"MaintainFunction": newSandboxPool(maintainer.Invoke),
	}
	return nil
}

// MaintainEvery invokes Maintain at the interval until the context ends, as the schedule does in a
// deployment.
func (f *Functions) MaintainEvery(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// The function logs its errors, and the next run continues its work.
			_, _ = f.Maintain.Invoke(ctx)
		}
	}
}
