package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/bulk"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// devOptions are the flags of dev.
type devOptions struct {
	addr, metrics string
	queue         bool
}

func newDev(a *app) *cobra.Command {
	var options devOptions
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run the local stack: the API against a PostgreSQL of its own",
		Long: `Run the local stack until it is interrupted: a private PostgreSQL under .local, the service's functions, and API Gateway's part,
with the routes of template.yaml. Its data stays; the first time, sample remediations are loaded.

With --queue, also LocalStack's SQS with a queue of records, its dead-letter queue and that of rejected records, and a poller that invokes
the write function as Lambda does. It needs Python 3.11 to 3.13, and its messages go with it.

DATASTORAGE_DATABASE_URL names a PostgreSQL to use instead, DATASTORAGE_LOCALSTACK_URL a LocalStack. The functions take their settings from the environment, as in a
deployment. Their log goes to standard output, a line of JSON each; with --json, a line {"url":…} says that the API accepts requests.

Ctrl-C is its proper end, with code 0.`,
		Example: `  datastorage dev
  datastorage dev --addr 127.0.0.1:3001
  datastorage dev --queue
  DATASTORAGE_DATABASE_URL=postgres://me@127.0.0.1/datastorage datastorage dev`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.runLocalStack(cmd.Context(), options) },
	}
	command.Flags().StringVar(&options.addr, "addr", local.DefaultAddr, "address to serve the API on, on the loopback interface")
	command.Flags().StringVar(&options.metrics, "metrics", "", "file to write the functions' metrics to (default: they are not written)")
	command.Flags().BoolVar(&options.queue, "queue", false, "add a queue (LocalStack's SQS) that records can be sent to")
	return command
}

func (a *app) runLocalStack(ctx context.Context, options devOptions) (err error) {
	if _, port, err := net.SplitHostPort(options.addr); err != nil || port == "0" || port == "" {
		return newCommandError(exitUsage, "invalid address", fmt.Errorf("--addr %q is not host:port", options.addr),
			"datastorage dev --addr "+local.DefaultAddr)
	}
	folder, err := program.DefaultDir()
	if err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(filepath.Dir(folder), "template.yaml"))
	if err != nil {
		return newCommandError(exitUsage, "template.yaml, which has the local stack's routes, is missing", err, "cd to the repository, where template.yaml is")
	}
	log, err := a.newFunctionLog()
	if err != nil {
		return err
	}
	tel, closeMetrics, err := a.openTelemetry(options.metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMetrics()) }()
	if a.json {
		go a.printURLOnceHealthy(ctx, options.addr)
	}
	return local.Run(ctx, local.StackConfig{
		Addr:          options.addr,
		Dir:           folder,
		DatabaseURL:   a.getenv("DATASTORAGE_DATABASE_URL"),
		Template:      template,
		Queue:         options.queue,
		LocalStackURL: a.getenv("DATASTORAGE_LOCALSTACK_URL"),
		Functions:     local.Service(a.getenv, log, tel),
		Samples:       loadSampleRecords,
		Out:           a.talk,
		Log:           log,
	})
}

// newFunctionLog returns a log of the functions on standard output.
func (a *app) newFunctionLog() (*slog.Logger, error) {
	var level slog.Level
	if text := a.getenv("DATASTORAGE_LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, newCommandError(exitUsage, "invalid DATASTORAGE_LOG_LEVEL", err,
				"export DATASTORAGE_LOG_LEVEL=info   # or debug, warn, error")
		}
	}
	return slog.New(slog.NewJSONHandler(a.out, &slog.HandlerOptions{Level: level})), nil
}

// openTelemetry truncates the metrics file and writes the functions' metrics to it; traces go to AWS_XRAY_DAEMON_ADDRESS, as in a deployment.
func (a *app) openTelemetry(metrics string) (*telemetry.Telemetry, func() error, error) {
	config := telemetry.Config{Daemon: a.getenv("AWS_XRAY_DAEMON_ADDRESS"), ClosedSets: local.ClosedSets()}
	closeFile := func() error { return nil }
	if metrics != "" {
		file, err := os.Create(metrics)
		if err != nil {
			return nil, nil, newCommandError(exitUsage, "cannot write metrics", err, "datastorage dev --metrics metrics.jsonl")
		}
		config.Metrics, closeFile = file, file.Close
	}
	tel, err := telemetry.New(config)
	if err != nil {
		return nil, nil, newCommandError(exitUsage, "invalid AWS_XRAY_DAEMON_ADDRESS", err, "unset AWS_XRAY_DAEMON_ADDRESS")
	}
	return tel, func() error {
		tel.Close()
		return closeFile()
	}, nil
}

// printURLOnceHealthy prints the URL of the API once /health responds.
func (a *app) printURLOnceHealthy(ctx context.Context, addr string) {
	url := "http://" + addr
	api, err := client.New(url)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		if _, err := api.Health(ctx); err == nil {
			_ = a.printJSON(map[string]string{"url": url})
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// loadSampleRecords imports the sample records through the API and returns their number.
func loadSampleRecords(ctx context.Context, url string) (int, error) {
	api, err := client.New(url)
	if err != nil {
		return 0, err
	}
	summary, err := bulk.Import(ctx, bytes.NewReader(local.Samples), bulk.Config{
		Send:     api.CreateRemediationsJSON,
		InFlight: 1,
		Refused: func(refusal bulk.Refusal) error {
			text, _ := json.Marshal(refusal.Problem)
			return errors.New("sample refused: " + string(text))
		},
		Progress: func(bulk.Progress) {},
	})
	return int(summary.Records), err
}
