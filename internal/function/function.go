// Package function opens the parts common to all Lambda functions (settings, log, telemetry,
// embedding models and database endpoints) and serves the handler built from them. The programs of
// the functions and the local stack use it. It does not depend on what the functions do.
package function

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Parts are the dependencies common to all functions.
type Parts struct {
	Settings  Settings
	Log       *slog.Logger
	Telemetry *telemetry.Telemetry
	Models    embedding.Models
	Databases access.Databases

	closers []func()
}

// Options are the settings that differ between functions.
type Options struct {
	// ClosedSets are the values of the dimensions of the function's metrics.
	ClosedSets telemetry.ClosedSets
	// EmbeddingDeadline is the default of DATASTORAGE_EMBEDDING_DEADLINE. 0 means the default of
	// package embedding.
	EmbeddingDeadline time.Duration
}

// Open reads the settings and opens the parts as Lambda needs them: the log goes to stderr, metrics
// go to stdout. It does not use the network, so a function starts, and responds to /health, while
// the database is down.
func Open(ctx context.Context, getenv func(string) string, options Options) (*Parts, error) {
	settings, err := Load(getenv)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	tel, err := telemetry.New(telemetry.Config{
		Metrics: os.Stdout, Daemon: settings.TraceDaemon, ClosedSets: options.ClosedSets, Version: deployedVersion(),
	})
	if err != nil {
		return nil, err
	}
	for _, provider := range []*embedding.Settings{&settings.Embedding, &settings.EmbeddingNext} {
		if provider.Provider != "" && provider.Deadline == 0 {
			provider.Deadline = options.EmbeddingDeadline
		}
	}
	return New(ctx, settings, log, tel)
}

// deployedVersion returns the function and its version as Lambda names them, or "" outside Lambda.
func deployedVersion() string {
	if lambdacontext.FunctionName == "" {
		return ""
	}
	return lambdacontext.FunctionName + ":" + lambdacontext.FunctionVersion
}

// New opens the parts with the caller's log and telemetry; tel may be nil.
func New(ctx context.Context, settings Settings, log *slog.Logger, tel *telemetry.Telemetry) (*Parts, error) {
	models, err := embedding.OpenModels(ctx, settings.Embedding, settings.EmbeddingNext)
	if err != nil {
		return nil, err
	}
	databases, err := access.Open(ctx, settings.Database)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &Parts{Settings: settings, Log: log, Telemetry: tel, Models: models, Databases: databases}, nil
}

// OnClose adds a function that Close calls.
func (p *Parts) OnClose(closer func()) { p.closers = append(p.closers, closer) }

// Close calls the functions added by OnClose, in the order in which they were added.
func (p *Parts) Close() {
	for _, closer := range p.closers {
		closer()
	}
}

// Serve runs the handler in Lambda's runtime, and flushes telemetry and closes the parts on
// SIGTERM. It does not return.
func (p *Parts) Serve(ctx context.Context, handler any) {
	lambda.StartWithOptions(handler, lambda.WithContext(ctx), lambda.WithEnableSIGTERM(p.Telemetry.Close, p.Close))
}
