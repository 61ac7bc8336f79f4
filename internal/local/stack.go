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
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/gofrs/flock"

	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/migrations"
)

// DefaultAddr is where the local stack serves: the port of `sam local start-api`, on the loopback interface alone, because
// every request is taken for the local identity's.
const DefaultAddr = "127.0.0.1:3000"

// databaseName is the service's database on the private server.
const databaseName = "datastorage"

// drainTime is how long requests under way may take once the stack was asked to stop.
const drainTime = 10 * time.Second

// maxHeader is the quota of HTTP APIs on request line and header values together, in bytes.
const maxHeader = 10_240

// Databases are the connection strings of the service's roles, and what else functions are wired to.
type Databases struct {
	Admin, Writer, Reader string
	// RejectsQueue is the URL of the queue for rejects; empty without a queue.
	RejectsQueue string
}

// Wired are functions that are ready to be invoked.
type Wired struct {
	// Handlers by logical id in the template.
	Handlers map[string]lambda.Handler
	// Close is called when no request is under way any more.
	Close func()
}

// StackConfig says what Run runs. Template, Functions and Out are required.
type StackConfig struct {
	// Addr is where the API is served. Empty: DefaultAddr.
	Addr string
	// Dir receives downloads and data, and is locked while the stack runs. Empty: DefaultDir.
	Dir string
	// DatabaseURL is a PostgreSQL to use in place of a private one. It is migrated, and used for everything, as the role it
	// names; samples are not loaded into it. A secret.
	DatabaseURL string
	// Template is the AWS SAM template with the routes.
	Template []byte
	// Queue adds a queue of records in LocalStack, with its dead-letter queue and that of the rejects, and invokes WriteFunction with what is
	// sent there.
	Queue bool
	// LocalStackURL is a LocalStack to use in place of a private one.
	LocalStackURL string
	// Functions wires the functions, once the database is there and migrated.
	Functions func(context.Context, Databases) (Wired, error)
	// Samples loads sample records through the API at the given address and returns how many. It is called on the first run
	// of a private server, and again until it succeeds once. Nil: none.
	Samples func(ctx context.Context, api string) (int, error)
	// Out receives what a person should read: progress, the banner, the end.
	Out io.Writer
	// Log receives a line for each invocation that fails. Nil: slog.Default.
	Log *slog.Logger
}

// Run brings up the local stack, serves it until the context ends, and takes it down: requests under way are answered, the
// functions closed, PostgreSQL stopped. The end of the context is no error. What a person can mend is a *Problem.
func Run(ctx context.Context, config StackConfig) (err error) {
	if err := config.setDefaults(); err != nil {
		return err
	}
	s := &stack{StackConfig: config}
	defer func() { err = errors.Join(err, s.runCleanups()) }()
	err = s.startParts(ctx)
	if err == nil {
		s.printBanner()
		err = s.waitForEnd(ctx)
	}
	if ctx.Err() != nil {
		return nil // whatever failed, failed because it was asked to stop
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

// stack is what has been brought up so far; ends takes it down, in the reverse order.
type stack struct {
	StackConfig
	cleanups     []func() error
	listener net.Listener
	postgres *pgserver.Server // nil with a database of the caller's own
	queue    *stackQueue
	served   chan error
}

// addCleanup remembers how to undo what was just done.
func (s *stack) addCleanup(end func() error) { s.cleanups = append(s.cleanups, end) }

func (s *stack) runCleanups() error {
	var errs []error
	for at := len(s.cleanups) - 1; at >= 0; at-- {
		errs = append(errs, s.cleanups[at]())
	}
	if s.served != nil {
		s.printLine("Stopped.")
	}
	return errors.Join(errs...)
}

// printLine writes one line to the person in front.
func (s *stack) printLine(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format+"\n", args...) }

// apiURL is the address of the API.
func (s *stack) apiURL() string { return "http://" + s.listener.Addr().String() }

// startParts does what is quick and may be refused before what is slow. Requests that arrive early wait in the listener's queue.
func (s *stack) startParts(ctx context.Context) error {
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
	gateway, err := gateway.New(gateway.Config{
		Template: s.Template, Functions: wired.Handlers, Authorizer: gateway.Authorizer(), Log: s.Log,
	})
	if err != nil {
		return err
	}
	s.serveAPI(gateway)
	if s.queue != nil {
		if err := s.startPoller(ctx, wired.Handlers[queueFunction]); err != nil {
			return err
		}
	}
	s.loadSamples(ctx)
	return ctx.Err()
}

// lockDirectory makes this process the only one that runs a stack in the directory.
func (s *stack) lockDirectory() error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return program.Explain("make "+s.Dir, err, filepath.Dir(s.Dir))
	}
	lock := flock.New(s.lockPath())
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

func (s *stack) lockPath() string { return filepath.Join(s.Dir, "stack.lock") }

// alreadyRunningProblem names the stack that holds the lock.
func alreadyRunningProblem(path string) error {
	var pid int
	var addr string
	content, err := os.ReadFile(path)
	if err == nil {
		_, err = fmt.Sscanf(string(content), "%d %s", &pid, &addr)
	}
	if err != nil {
		return &program.Problem{
			What: "the local stack runs already",
			Why:  "another process holds " + path + " and is starting or stopping",
			Next: "wait a moment and try again",
			Err:  err,
		}
	}
	return &program.Problem{
		What: fmt.Sprintf("the local stack runs already: process %d on http://%s", pid, addr),
		Why:  "one stack at a time can use " + filepath.Dir(path),
		Next: fmt.Sprintf("curl http://%s/health   # or stop it: kill %d", addr, pid),
	}
}

// openListener takes the address, so that nothing slow is done in vain and nobody takes it meanwhile, and says in the lock who has it.
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
	if err := os.WriteFile(s.lockPath(), []byte(owner), 0o600); err != nil {
		return program.Explain("write "+s.lockPath(), err, s.Dir)
	}
	return nil
}

// startDatabase makes a migrated database, on a private server unless the caller has one.
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
		return Databases{}, program.Explain("migrate the private database", err, s.Dir)
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

// serveAPI answers requests until the end, when those under way are given drainTime.
func (s *stack) serveAPI(handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: maxHeader}
	s.served = make(chan error, 1)
	go func() { s.served <- server.Serve(s.listener) }()
	s.addCleanup(func() error {
		s.printLine("Stopping: answering the requests under way …")
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return errors.Join(fmt.Errorf("requests still ran after %s", drainTime), server.Close())
		}
		return nil
	})
}

// loadSamples loads the samples once in the life of the private database. That they could not be loaded stops nobody from working.
func (s *stack) loadSamples(ctx context.Context) {
	if s.Samples == nil || s.postgres == nil {
		return
	}
	marker := filepath.Join(s.postgres.Data(), "samples-loaded")
	if loaded, err := program.Exists(marker); loaded || err != nil {
		return
	}
	count, err := s.Samples(ctx, s.apiURL())
	if err == nil {
		err = os.WriteFile(marker, nil, 0o600)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.printLine("The samples could not be loaded, the next start tries again: %v", err)
		return
	}
	s.printLine("Loaded %d sample remediations", count)
}

// waitForEnd ends with the context, or with the first part that ends by itself.
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
			What: "PostgreSQL ended by itself",
			Why:  "somebody stopped it, or it gave up",
			Next: "tail " + filepath.Join(s.postgres.Data(), pgserver.LogFile),
		}
	case <-localStackEnded:
		return &program.Problem{What: "LocalStack ended by itself", Why: "somebody stopped it, or it gave up", Next: "make run QUEUE=1   # its messages are lost"}
	}
}

// printBanner shows the way in: three commands that work as they stand, in this order.
func (s *stack) printBanner() {
	api := s.apiURL()
	s.printLine(`
Data Storage Service on %[1]s   (Ctrl-C stops it)

Record a remediation, read it back, ask what happened before:

  curl -s %[1]s/v1/remediations -H 'Content-Type: application/json' -d '{"remediation_id":"first-try","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod","target_resource":"Deployment/checkout","phase":"completed","status":"success","start_time":"2026-01-15T08:00:00Z","end_time":"2026-01-15T08:02:00Z","error_message":"container killed: out of memory"}'

  curl -s %[1]s/v1/remediations/first-try

  curl -s %[1]s/v1/search -H 'Content-Type: application/json' -d '{"query":"pod keeps crashing, out of memory","mode":"semantic","limit":3}'
`, api)
	if s.queue != nil {
		s.queue.printBanner(s.printLine)
	}
}
