// Command invoke runs a function, built as it is deployed, on one event: on Linux in the Runtime
// Interface Emulator of AWS, elsewhere in the container of sam local invoke. The database is
// DATASTORAGE_DATABASE_URL, or else that of the local stack. The response goes to standard output,
// the log and the metrics of the function to standard error. A failed invocation, such as one that
// timed out or returned too much, exits with 1.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/sam"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// maxEvent is the largest event of a synchronous invocation in bytes ("Lambda quotas": 6 MB, and 100
// bytes for the gateway's envelope).
const maxEvent = 6<<20 + 100

func run(ctx context.Context, args []string, getenv func(string) string, out, talk io.Writer) (err error) {
	flags := flag.NewFlagSet("invoke", flag.ContinueOnError)
	flags.SetOutput(talk)
	function := flags.String("function", "write", "the name of a folder in functions/")
	path := flags.String("event", "events/create.json", "the file of the event")
	if err := flags.Parse(args); err != nil {
		return err
	}
	event, err := os.ReadFile(*path)
	if err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	// The emulator cuts a larger event, and the function reads the rest.
	if len(event) > maxEvent {
		return fmt.Errorf("%s has %d bytes, Lambda accepts %d", *path, len(event), maxEvent)
	}
	folder, err := program.DefaultDir()
	if err != nil {
		return err
	}
	url := getenv("DATASTORAGE_DATABASE_URL")
	if runtime.GOOS != "linux" {
		return invokeInContainer(ctx, *function, *path, url, out, talk)
	}
	if url == "" {
		databases, end, err := local.LocalDatabases(ctx, folder, talk)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
		if err := local.RegisterModels(ctx, getenv, databases.Admin); err != nil {
			return err
		}
		url = databaseURL(*function, databases)
	}
	bootstrap, err := sam.BuildFunction(ctx, filepath.Dir(folder), "functions/"+*function, runtime.GOARCH, filepath.Join(folder, "functions"))
	if err != nil {
		return err
	}
	return invokeInEmulator(ctx, bootstrap, functionSettings(url), event, out, talk)
}

// databaseURL returns the database URL with the role of the function.
func databaseURL(function string, databases local.Databases) string {
	switch function {
	case "query", "health":
		return databases.Reader
	case "migrate":
		return databases.Admin
	default:
		return databases.Writer
	}
}

// functionSettings returns the DATASTORAGE_ and AWS_ variables of this process, with the database URL.
// It omits the number of concurrent invocations: with it, the emulator runs no program but
// /var/task/bootstrap.
func functionSettings(url string) map[string]string {
	all := map[string]string{"DATASTORAGE_DATABASE_URL": url}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "DATASTORAGE_") && name != "DATASTORAGE_DATABASE_URL" || strings.HasPrefix(name, "AWS_") && name != "AWS_LAMBDA_MAX_CONCURRENCY" {
			all[name] = value
		}
	}
	return all
}

func invokeInEmulator(ctx context.Context, bootstrap string, settings map[string]string, event []byte, out, talk io.Writer) (err error) {
	const timeout = 5 * time.Minute
	emulator, err := sam.StartEmulator(ctx, sam.EmulatorConfig{Bootstrap: bootstrap, Settings: settings, Timeout: timeout, Progress: talk, Log: talk})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, emulator.Stop()) }()
	response, err := emulator.Invoke(ctx, event)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", response); err != nil {
		return err
	}
	return invocationError(response)
}

// invocationError returns the error of a failed invocation, whose response is an error, a text of the
// emulator, or empty if the function ended.
func invocationError(response []byte) error {
	if len(bytes.TrimSpace(response)) == 0 {
		return errors.New("the invocation failed: the function ended without a response; its log has the reason")
	}
	if !json.Valid(response) {
		return fmt.Errorf("the invocation failed: %s", response)
	}
	var failure struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(response, &failure) == nil && failure.ErrorType != "" {
		return fmt.Errorf("the invocation failed: %s: %s", failure.ErrorType, failure.ErrorMessage)
	}
	return nil
}

// invokeInContainer runs sam local invoke, which needs a container engine. A container cannot reach
// the loopback interface of this machine, so the database must be given.
func invokeInContainer(ctx context.Context, function, event, url string, out, talk io.Writer) (err error) {
	if url == "" {
		return errors.New("set DATASTORAGE_DATABASE_URL to a database that a container reaches, for example on host.docker.internal")
	}
	tool, err := sam.Install(ctx, "", talk)
	if err != nil {
		return err
	}
	id := strings.ToUpper(function[:1]) + function[1:] + "Function"
	file, err := os.CreateTemp("", "datastorage-invoke-*.json")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	if err := errors.Join(json.NewEncoder(file).Encode(map[string]any{id: functionSettings(url)}), file.Close()); err != nil {
		return err
	}
	for _, args := range [][]string{{"build", id}, {"local", "invoke", id, "--event", event, "--env-vars", file.Name(), "--docker-network", "bridge"}} {
		cmd := tool.Command(ctx, args...)
		cmd.Stdout, cmd.Stderr = out, talk
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("sam %s: %w", args[0], err)
		}
	}
	return nil
}
