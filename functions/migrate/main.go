// Command migrate is the Lambda function that migrates the database to the schema of this build, as
// part of a deployment.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/migrate"
)

func main() {
	ctx := context.Background()
	if err := run(ctx, os.Getenv); err != nil {
		log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
		log.Error("init failed", slog.Any("error", err))
		// CloudFormation waits for the reason.
		lambda.StartWithOptions(migrate.Unusable(err, log).Invoke, lambda.WithContext(ctx))
	}
}

// run wires the function and serves it. It returns only if wiring fails.
func run(ctx context.Context, getenv func(string) string) error {
	parts, err := function.Open(ctx, getenv, migrate.Options())
	if err != nil {
		return err
	}
	handler, err := migrate.Open(parts)
	if err != nil {
		return err
	}
	parts.Serve(ctx, handler.Invoke)
	return nil
}
