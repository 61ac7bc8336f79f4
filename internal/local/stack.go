package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/gofrs/flock"

	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/migrations"
)

// DefaultAddr is the address of the local stack: the port of `sam local start-api`, only on the
// loopback interface, because every request gets the local identity.
const DefaultAddr = "127.0.0.1:3000"

// databaseName is the database of the service on the private server.
const databaseName = "datastorage"

// drainTime is how long requests in progress may take after the stack was asked to stop.
const drainTime = 10 * time.Second

// maxHeader is the quota of HTTP APIs for request line and header values together, in bytes.
const maxHeader = 10_240

// Databases has the connection strings of the service's roles, and the address of the rejects queue.
type Databases struct {
	Admin, Writer, Reader string
	// RejectsQueue is the URL of the rejects queue; empty without a queue.
	RejectsQueue string
}

// Wired holds functions that are ready to be invoked.
type Wired struct {
	// Handlers by logical id in the template.
	Handlers map[string]lambda.Handler
	// Close is called after the last request.
	Close func()
}

// StackConfig configures Run. Template, Functions and Out are required.
type StackConfig struct {
	// Addr is the address of the API. Empty means DefaultAddr.
	Addr string
	// Dir receives downloads and data, and is locked while the stack runs. Empty means
	// program.DefaultDir.
	Dir string
	// DatabaseURL is a PostgreSQL to use instead of a private one; it is a secret. The stack
	// migrates it, connects to it only with the role in the URL, and does not load samples into it.
	DatabaseURL string
	// Template is the AWS SAM template with the routes.
	Template []byte
	// Queue adds a queue of records in LocalStack, with its dead-letter queue and rejects queue,
	// and invokes WriteFunction with its messages.
	Queue bool
	// LocalStackURL is a running LocalStack to use instead of a private one.
	LocalStackURL string
	// Functions wires the functions after the database was migrated.
	Functions func(context.Context, Databases) (Wired, error)
	// Samples loads sample records through the API at the given address and returns their number.
	// It is called at each start of a private server until it has succeeded once. Nil loads no
	// samples.
	Samples func(ctx context.Context, api string) (int, error)
	// Out receives the messages for the user: progress, the banner and the shutdown.
	Out io.Writer
	// Log receives a line for each invocation that fails. Nil means slog.Default.
	Log *slog.Logger
}

// Run starts the local stack, serves it until the context ends, and stops it: it finishes the
// requests in progress, closes the functions and stops PostgreSQL. The end of the context is not an
// error. An error that the user can fix is a *program.Problem.
func Run(ctx context.Context, config StackConfig) (err error) {
	if err := config.setDefaults(); err != nil {
		return err
	}
	s := &stack{StackConfig: config}
	defer func() { err = errors.Join(err, s.runCleanups()) }()
	err = s.startAllParts(ctx)
	if err == nil {
		s.printBanner()
		err = s.waitForEnd(ctx)
	}
	if ctx.Err() != nil {
		return nil // any failure is due to the end of the context
	}
	return err
}

func (c *StackConfig) setDefaults() error {
	if len(c.Template) == 0 || c.Functions == nil || c.Out == nil {
		return errors.New("local stack: Template, Functions and Out are required")
	}
	if c.Addr == "" {
		c.Addr = DefaultAddr
	}
	var err error
	if c.Dir == "" {
		if c.Dir, err = program.DefaultDir(); err != nil {
			return err
		}
	}
	c.Dir, err = filepath.Abs(c.Dir)
	return err
}

// stack has the parts that were started so far; cleanups stops them in reverse order.
type stack struct {
	StackConfig
	cleanups []func() error
	listener net.Listener
	postgres *pgserver.Server // nil if DatabaseURL is set
	queue    *stackQueue
	served   chan error
}

// addCleanup adds a function that stops a part.
func (s *stack) addCleanup(end func() error) { s.cleanups = append(s.cleanups, end) }

func (s *stack) runCleanups() error {
	var errs []error
	for _, cleanup := range slices.Backward(s.cleanups) {
		errs = append(errs, cleanup())
	}
	if s.served != nil {
		s.printMessage("Stopped.")
	}
	return errors.Join(errs...)
}

// printMessage writes one line to Out.
func (s *stack) printMessage(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Out, format+"\n", args...)
}

// apiBaseURL returns the address of the API.
func (s *stack) apiBaseURL() string { return "http://" + s.listener.Addr().String() }

// startAllParts starts the parts, beginning with the quick ones that may fail. Early requests wait
// in the listener's queue.
func (s *stack) startAllParts(ctx context.Context) error {
	if err := s.lockDirectory(); err != nil {
		return err
	}
	if err := s.openListener(ctx); err != nil {
		return err
	}
	databases, err := s.startDatabase(ctx)
	if err != nil {
		return err
	}
	if s.Queue {
		if err := s.makeQueues(ctx); err != nil {
			return err
		}
		databases.RejectsQueue = s.queue.Rejects
	}
	wired, err := s.Functions(ctx, databases)
	if err != nil {
		return program.Explain("wire the functions", err, s.Dir)
	}
	s.addCleanup(func() error {
		wired.Close()
		return nil
	})
	api, err := gateway.New(gateway.Config{
		Template: s.Template, Functions: wired.Handlers, Authorizer: gateway.Authorizer(), Log: s.Log,
	})
	if err != nil {
		return err
	}
	s.serveRequests(api)
	if s.queue != nil {
		if err := s.startPoller(ctx, wired.Handlers[queueFunction]); err != nil {
			return err
		}
	}
	s.loadSamples(ctx)
	return ctx.Err()
}

// lockDirectory locks the directory, so that only this process runs a stack there.
func (s *stack) lockDirectory() error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return program.Explain("make "+s.Dir, err, filepath.Dir(s.Dir))
	}
	lock := flock.New(s.lockFilePath())
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", s.Dir, err)
	}
	if !locked {
		return alreadyRunningProblem(lock.Path())
	}
	s.addCleanup(func() error { return errors.Join(os.Truncate(lock.Path(), 0), lock.Close()) })
	return nil
}

func (s *stack) lockFilePath() string { return filepath.Join(s.Dir, "stack.lock") }

// alreadyRunningProblem describes the stack that holds the lock.
func alreadyRunningProblem(path string) error {
	var pid int
	var addr string
	content, err := os.ReadFile(path)
	if err == nil {
		_, err = fmt.Sscanf(string(content), "%d %s", &pid, &addr)
	}
	if err != nil {
		return &program.Problem{
			What: "the local stack is already running",
			Why:  "another process holds " + path + " and is starting or stopping",
			Next: "wait a moment and try again",
			Err:  err,
		}
	}
	return &program.Problem{
		What: fmt.Sprintf("the local stack is already running: process %d on http://%s", pid, addr),
		Why:  "one stack at a time can use " + filepath.Dir(path),
		Next: fmt.Sprintf("curl http://%s/health   # or stop it: kill %d", addr, pid),
	}
}

// openListener opens the address before anything slow, so that no other program takes it in the
// meantime, and writes process id and address into the lock file.
func (s *stack) openListener(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return &program.Problem{
			What: "the local stack cannot listen on " + s.Addr,
			Why:  err.Error(),
			Next: "make run ADDR=127.0.0.1:3001   # any free port",
			Err:  err,
		}
	}
	s.listener = listener
	s.addCleanup(func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	owner := fmt.Sprintf("%d %s", os.Getpid(), listener.Addr())
	if err := os.WriteFile(s.lockFilePath(), []byte(owner), 0o600); err != nil {
		return program.Explain("write "+s.lockFilePath(), err, s.Dir)
	}
	return nil
}

// startDatabase returns a migrated database: that of DatabaseURL, or else one on a private server.
func (s *stack) startDatabase(ctx context.Context) (Databases, error) {
	if s.DatabaseURL != "" {
		return s.useGivenDatabase(ctx)
	}
	postgres, err := pgserver.Start(ctx, pgserver.Config{Dir: s.Dir, Progress: s.Out})
	if err != nil {
		return Databases{}, err
	}
	s.postgres = postgres
	s.addCleanup(postgres.Stop)
	if err := postgres.Bootstrap(ctx, databaseName); err != nil {
		return Databases{}, err
	}
	return Databases{
		Admin:  postgres.URL(pgserver.AdminRole, databaseName),
		Writer: postgres.URL(pgserver.WriterRole, databaseName),
		Reader: postgres.URL(pgserver.ReaderRole, databaseName),
	}, nil
}

func (s *stack) useGivenDatabase(ctx context.Context) (Databases, error) {
	_, err := migrations.Up(ctx, s.DatabaseURL)
	if err == nil {
		err = migrations.Configure(ctx, s.DatabaseURL)
	}
	if err != nil && ctx.Err() == nil {
		return Databases{}, &program.Problem{
			What: "the database of DATASTORAGE_DATABASE_URL cannot be used",
			Why:  err.Error(),
			Next: `psql "$DATASTORAGE_DATABASE_URL" -c 'CREATE EXTENSION IF NOT EXISTS vector'   # needs its owner, pgvector 0.8.2 or later`,
			Err:  err,
		}
	}
	return Databases{Admin: s.DatabaseURL, Writer: s.DatabaseURL, Reader: s.DatabaseURL}, err
}

// serveRequests handles requests until the stack stops, which waits up to drainTime for requests in
// progress.
func (s *stack) serveRequests(handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeader}
	s.served = make(chan error, 1)
	go func() { s.served <- server.Serve(s.listener) }()
	s.addCleanup(func() error {
		s.printMessage("Stopping: finishing requests in progress …")
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("requests still ran after %s", drainTime), server.Close())
		}
		return nil
	})
}

// loadSamples loads the samples once into a private database. The stack runs without them if that
// fails.
func (s *stack) loadSamples(ctx context.Context) {
	if s.Samples == nil || s.postgres == nil {
		return
	}
	marker := filepath.Join(s.postgres.Data(), "samples-loaded")
	if loaded, err := program.Exists(marker); loaded || err != nil {
		return
	}
	count, err := s.Samples(ctx, s.apiBaseURL())
	if err == nil {
		err = os.WriteFile(marker, nil, 0o600)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.printMessage("The samples could not be loaded; the next start tries again: %v", err)
		return
	}
	s.printMessage("Loaded %d sample remediations", count)
}

// waitForEnd waits for the end of the context, or returns an error when a part ends first.
func (s *stack) waitForEnd(ctx context.Context) error {
	var postgresEnded, localStackEnded <-chan struct{}
	if s.postgres != nil {
		postgresEnded = s.postgres.Done()
	}
	if s.queue != nil {
		localStackEnded = s.queue.server.Done()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		return fmt.Errorf("serve %s: %w", s.Addr, err)
	case <-postgresEnded:
		return &program.Problem{
			What: "PostgreSQL ended unexpectedly",
			Why:  "another process stopped it, or it failed",
			Next: "tail " + filepath.Join(s.postgres.Data(), pgserver.LogFile),
		}
	case <-localStackEnded:
		return &program.Problem{What: "LocalStack ended unexpectedly", Why: "another process stopped it, or it failed", Next: "make run QUEUE=1   # its messages are lost"}
	}
}

// printBanner prints three commands that can be copied and run in this order.
func (s *stack) printBanner() {
	api := s.apiBaseURL()
	s.printMessage(`
Data Storage Service on %[1]s   (Ctrl-C stops it)

Record a remediation, read it back, ask what happened before:

  curl -s %[1]s/v1/remediations -H 'Content-Type: application/json' -d '{"remediation_id":"first-try","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod","target_resource":"Deployment/checkout","phase":"completed","status":"success","start_time":"2026-01-15T08:00:00Z","end_time":"2026-01-15T08:02:00Z","error_message":"container killed: out of memory"}'

  curl -s %[1]s/v1/remediations/first-try

  curl -s %[1]s/v1/search -H 'Content-Type: application/json' -d '{"query":"pod keeps crashing, out of memory","mode":"semantic","limit":3}'
`, api)
	if s.queue != nil {
		s.queue.printBanner(s.printMessage)
	}
}
