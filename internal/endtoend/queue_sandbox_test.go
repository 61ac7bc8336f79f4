package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
)

// writerVariable makes this test binary run the write function instead of tests. Its value is the writer's
// database URL. AWS_LAMBDA_RUNTIME_API is the address of the Runtime API that serves the events.
const writerVariable = "DATASTORAGE_TEST_WRITER_URL"

// runWriter serves events, as functions/write/main.go does, until it is killed or the Runtime API is gone.
func runWriter(writerURL string) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	functions, err := local.NewFunctions(context.Background(), os.Getenv, writerURL, writerURL, log, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(functions.Handlers["WriteFunction"])
}

// sandbox does Lambda's part for one process of the write function: it passes one event at a time through the
// Runtime API, and starts a new process when the last one has died.
type sandbox struct {
	t   *testing.T
	env []string
	log io.Writer

	mu      sync.Mutex
	process *process
}

// process is one process of a sandbox.
type process struct {
	command *exec.Cmd
	api     *httptest.Server
	ended   chan struct{}
	events  chan []byte
	results chan invocationResult
}

type invocationResult struct {
	payload []byte
	err     error
}

func newSandbox(t *testing.T, stack *endtoend.Stack, log io.Writer, env ...string) *sandbox {
	t.Helper()
	s := &sandbox{t: t, log: log, env: append(os.Environ(), append(env, writerVariable+"="+stack.Database.WriterURL())...)}
	t.Cleanup(func() { s.kill() })
	return s
}

// Invoke passes the event to the process and waits for its response or its exit.
func (s *sandbox) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	p, err := s.alive()
	if err != nil {
		return nil, err
	}
	select {
	case p.events <- payload:
	case <-p.ended:
		return nil, errors.New("the process was killed before it took the event")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-p.results:
		return a.payload, a.err
	case <-p.ended:
		return nil, errors.New("the process was killed with the event under way")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// alive returns the process, and starts it if none is running.
func (s *sandbox) alive() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		select {
		case <-s.process.ended:
		default:
			return s.process, nil
		}
	}
	p := &process{ended: make(chan struct{}), events: make(chan []byte), results: make(chan invocationResult, 1)}
	p.api = httptest.NewServer(p.runtimeAPI())
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(s.env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(p.api.URL, "http://"))
	p.command.Stderr = s.log
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // killed, so the error is expected
		p.api.CloseClientConnections()
		p.api.Close()
	}()
	s.process = p
	return p, nil
}

// kill ends the process with SIGKILL, whatever it is doing.
func (s *sandbox) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	_ = s.process.command.Process.Kill()
	<-s.process.ended
}

// runtimeAPI implements the part of Lambda's Runtime API that a function needs (Lambda
// developer guide, "Using the Lambda runtime API").
func (p *process) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	serial := 0
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-p.events:
			serial++
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", strconv.Itoa(serial))
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(5*time.Minute).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:write")
			_, _ = w.Write(event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && path.Base(r.URL.Path) == "error" {
			err = errors.New(string(body))
		}
		p.results <- invocationResult{body, err}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// sandboxes pass an event to an idle one of them.
type sandboxes chan *sandbox

func (all sandboxes) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case one := <-all:
		defer func() { all <- one }()
		return one.Invoke(ctx, payload)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
