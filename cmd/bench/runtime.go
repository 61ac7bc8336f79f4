package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// sandbox is a built function and Lambda's side of the Runtime API, which times the function's calls; the emulator does not report them
// (Lambda's guide, "Using the Lambda runtime API" and "Lambda Extensions API").
type sandbox struct {
	server  *http.Server
	cmd     *exec.Cmd
	started time.Time
	// polled receives the time of the first poll.
	polled chan time.Time
	events chan []byte
	// responses are the bodies of responses and of errors.
	responses chan functionResponse
	ended     chan error
	first     bool
}

type functionResponse struct {
	body   []byte
	failed bool
	at     time.Time
}

// startSandbox starts the function and discards its output.
func startSandbox(ctx context.Context, bootstrap string, settings map[string]string) (*sandbox, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sandbox{polled: make(chan time.Time, 1), events: make(chan []byte), responses: make(chan functionResponse, 1), ended: make(chan error, 1), first: true}
	s.server = &http.Server{Handler: s.runtimeAPIRoutes(ctx), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	s.cmd = exec.CommandContext(ctx, bootstrap)
	s.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256"}
	for name, value := range settings {
		s.cmd.Env = append(s.cmd.Env, name+"="+value)
	}
	s.started = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, s.server.Close())
	}
	go func() { s.ended <- s.cmd.Wait() }()
	return s, nil
}

func (s *sandbox) runtimeAPIRoutes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "bench")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		if s.first { // polls come one after the other
			s.first = false
			s.polled <- time.Now()
		}
		select {
		case event := <-s.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000000")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:000000000000:function:bench")
			_, _ = w.Write(event)
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	})
	for what, failed := range map[string]bool{"response": false, "error": true} {
		mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/"+what, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			s.responses <- functionResponse{body, failed, time.Now()}
		})
	}
	return mux
}

// awaitFirstPoll waits for the function's first poll and returns the milliseconds from the start to it.
func (s *sandbox) awaitFirstPoll() (float64, error) {
	select {
	case at := <-s.polled:
		return inMilliseconds(at.Sub(s.started)), nil
	case err := <-s.ended:
		return 0, fmt.Errorf("the function ended before its first poll: %w", err)
	}
}

// invokeFunction sends one event and returns the milliseconds from the start to the response. The response must have the status, unless it is 0.
func (s *sandbox) invokeFunction(event []byte, status int) (float64, error) {
	select {
	case s.events <- event:
	case err := <-s.ended:
		return 0, fmt.Errorf("the function ended: %w", err)
	}
	var a functionResponse
	select {
	case a = <-s.responses:
	case err := <-s.ended:
		return 0, fmt.Errorf("the function ended: %w", err)
	}
	if a.failed || status != 0 && !strings.Contains(string(a.body), fmt.Sprintf(`"statusCode":%d`, status)) {
		return 0, fmt.Errorf("the function returned %.300s", a.body)
	}
	return inMilliseconds(a.at.Sub(s.started)), nil
}

// residentSizes returns the resident memory of the function's process, now and at its maximum, or 0 if the system does not report it.
func (s *sandbox) residentSizes() (now, most bytesize) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	return parseStatusSize(string(text), "VmRSS:"), parseStatusSize(string(text), "VmHWM:")
}

func (s *sandbox) stopProcess() error {
	_ = s.cmd.Process.Kill()
	return s.server.Close()
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
