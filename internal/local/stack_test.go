package local

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/program"
)

// stackVariable makes the test binary run a stack in the directory that it names, until it gets a
// signal.
const stackVariable = "DATASTORAGE_LOCAL_TEST_STACK"

func runChildStack(dir string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, StackConfig{
		Addr: "127.0.0.1:0", Dir: dir, Template: []byte(stackTemplate), Out: os.Stdout, Functions: countingFunction(nil),
	})
	stop()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

const stackTemplate = `
Resources:
  Count:
    Type: AWS::Serverless::Function
    Properties: {Events: {Any: {Type: HttpApi}}}
`

// countingFunction wires one function that returns the number of its invocations, from the
// database. With a gate, it sends to entered and waits until open is closed.
func countingFunction(g *gate) func(context.Context, Databases) (Wired, error) {
	return func(ctx context.Context, databases Databases) (Wired, error) {
		conn, err := pgx.Connect(ctx, databases.Admin)
		if err != nil {
			return Wired{}, err
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS invocation (id bigint GENERATED ALWAYS AS IDENTITY)"); err != nil {
			return Wired{}, err
		}
		handler := func(ctx context.Context) (int, error) {
			g.waitUntilOpen()
			return insertInvocation(ctx, databases.Admin)
		}
		return Wired{Handlers: map[string]lambda.Handler{"Count": lambda.NewHandler(handler)}, Close: func() {}}, nil
	}
}

func insertInvocation(ctx context.Context, url string) (n int, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	err = conn.QueryRow(ctx, "INSERT INTO invocation DEFAULT VALUES RETURNING id").Scan(&n)
	return n, err
}

type gate struct{ entered, open chan struct{} }

func (g *gate) waitUntilOpen() {
	if g != nil {
		g.entered <- struct{}{}
		<-g.open
	}
}

// output keeps what a stack prints, and sends its address to up when it prints the banner.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	up   chan string
}

func newOutput() *output { return &output{up: make(chan string, 1)} }

var bannerLine = regexp.MustCompile(`Data Storage Service on (http://\S+)`)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if found := bannerLine.FindSubmatch(b); found != nil {
		o.up <- string(found[1])
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// runningStack is a stack in progress.
type runningStack struct {
	api    string
	out    *output
	cancel context.CancelFunc
	ended  chan error
}

// startStack runs a stack and waits for its banner.
func startStack(t *testing.T, config StackConfig) *runningStack {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &runningStack{out: newOutput(), cancel: cancel, ended: make(chan error, 1)}
	config.Addr, config.Out = "127.0.0.1:0", r.out
	if config.Template == nil {
		config.Template = []byte(stackTemplate)
	}
	go func() { r.ended <- Run(ctx, config) }()
	select {
	case r.api = <-r.out.up:
	case err := <-r.ended:
		cancel()
		t.Fatalf("the stack ended: %v\n%s", err, r.out)
	}
	t.Cleanup(cancel)
	return r
}

// stopStack stops the stack as Ctrl-C does.
func (r *runningStack) stopStack(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("the stack ended with %v", err)
	}
	if !strings.HasSuffix(r.out.String(), "Stopped.\n") {
		t.Errorf("the output does not end in Stopped: %q", r.out)
	}
}

func getBody(t *testing.T, url string) string {
	t.Helper()
	response, body := sendRequest(t, newRequest(t, http.MethodGet, url, ""))
	if response.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %d %s", url, response.StatusCode, body)
	}
	return body
}

// checkNothingRuns checks that no process has the directory in its command.
func checkNothingRuns(t *testing.T, dir string) {
	t.Helper()
	all, err := program.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if strings.Contains(p.Command, dir) {
			t.Errorf("process %d still runs: %s", p.PID, p.Command)
		}
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	loads := 0
	config := StackConfig{Dir: dir, Functions: countingFunction(nil), Samples: func(_ context.Context, api string) (int, error) {
		loads++
		if loads == 1 {
			return 0, errors.New("out of samples")
		}
		getBody(t, api)
		return 1, nil
	}}
	for run, want := range []struct{ printed, count string }{
		{"could not be loaded; the next start tries again: out of samples", "1"},
		{"Loaded 1 sample remediations", "3"},
		{"", "4"},
	} {
		r := startStack(t, config)
		if got := getBody(t, r.api+"/any"); got != want.count {
			t.Errorf("run %d: count is %s, want %s: data is kept between runs, samples are loaded once", run, got, want.count)
		}
		if !strings.Contains(r.out.String(), want.printed) {
			t.Errorf("run %d printed %q, want %q", run, r.out, want.printed)
		}
		r.stopStack(t)
		checkNothingRuns(t, dir)
		if _, err := http.DefaultTransport.RoundTrip(newRequest(t, http.MethodGet, r.api, "")); err == nil {
			t.Errorf("run %d still responds", run)
		}
	}
	if loads != 2 {
		t.Errorf("samples were loaded %d times, want until the first success: 2", loads)
	}
}

func TestStackTwice(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	first := startStack(t, StackConfig{Dir: dir, Functions: countingFunction(nil)})
	second := StackConfig{
		Addr: "127.0.0.1:0", Dir: dir, Template: []byte(stackTemplate), Functions: countingFunction(nil), Out: io.Discard,
	}
	err := Run(t.Context(), second)
	want := fmt.Sprintf("the local stack is already running: process %d on %s\n", os.Getpid(), first.api)
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("second run: %v\nwant three lines that begin with %q", err, want)
	}
	if got := getBody(t, first.api); got != "1" {
		t.Errorf("the first one returned %s", got)
	}
	first.stopStack(t)
}

func TestStackAddressTaken(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dir := newDataDir(t)
	addr := listener.Addr().String()
	err = Run(t.Context(), StackConfig{
		Addr: addr, Dir: dir, Template: []byte(stackTemplate), Functions: countingFunction(nil), Out: io.Discard,
	})
	want := "the local stack cannot listen on " + addr + "\n"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "make run ADDR=") {
		t.Errorf("error is %v, want one that begins with %q", err, want)
	}
	if got := fileNames(t, dir); len(got) != 0 {
		t.Errorf("it made %v although the address is taken", got)
	}
}

func TestStackStoppedWhileStarting(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, StackConfig{
		Addr: "127.0.0.1:0", Dir: dir, Template: []byte(stackTemplate), Out: io.Discard,
		Functions: func(ctx context.Context, _ Databases) (Wired, error) {
			cancel()
			return Wired{}, ctx.Err()
		},
	})
	if err != nil {
		t.Errorf("stopping returned the error %v", err)
	}
	checkNothingRuns(t, dir)
	startStack(t, StackConfig{Dir: dir, Functions: countingFunction(nil)}).stopStack(t)
}

func TestStackFunctionsFail(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	broken := errors.New("no such model")
	err := Run(t.Context(), StackConfig{
		Addr: "127.0.0.1:0", Dir: dir, Template: []byte(stackTemplate), Out: io.Discard,
		Functions: func(context.Context, Databases) (Wired, error) { return Wired{}, broken },
	})
	if !errors.Is(err, broken) {
		t.Errorf("error is %v, want the one of the functions", err)
	}
	checkNothingRuns(t, dir)
}

func TestStackFinishesRequestsInProgress(t *testing.T) {
	t.Parallel()
	g := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	r := startStack(t, StackConfig{Dir: stackDir(t), Functions: countingFunction(g)})
	response := make(chan string, 1)
	go func() { response <- getBody(t, r.api) }()
	<-g.entered
	r.cancel()
	for !strings.Contains(r.out.String(), "Stopping") {
		if len(r.ended) > 0 {
			t.Fatal("it ended without the response")
		}
		time.Sleep(time.Millisecond)
	}
	close(g.open)
	if got := <-response; got != "1" {
		t.Errorf("the request in progress got %q", got)
	}
	r.stopStack(t)
}

func TestStackPostgresStops(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	r := startStack(t, StackConfig{Dir: dir, Functions: countingFunction(nil)})
	file, err := os.ReadFile(filepath.Join(dir, "postgres16", pgserver.ClusterDir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	var problem *program.Problem
	if err := <-r.ended; !errors.As(err, &problem) || !strings.Contains(problem.What, "PostgreSQL ended unexpectedly") {
		t.Errorf("the stack ended with %v", err)
	}
	checkNothingRuns(t, dir)
}

func TestStackOnGivenDatabase(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	if err := server.Bootstrap(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	dir := newDataDir(t)
	config := StackConfig{
		Dir: dir, DatabaseURL: server.URL(pgserver.AdminRole, "mine"), Functions: countingFunction(nil),
		Samples: func(context.Context, string) (int, error) {
			t.Error("samples are loaded into the given database")
			return 0, nil
		},
	}
	r := startStack(t, config)
	if got := getBody(t, r.api); got != "1" {
		t.Errorf("count is %s", got)
	}
	r.stopStack(t)
	if got := fileNames(t, dir); len(got) != 0 {
		t.Errorf("a private server was started: %v", got)
	}
	if _, err := insertInvocation(t.Context(), server.URL(pgserver.AdminRole, "mine")); err != nil {
		t.Errorf("the server was stopped: %v", err)
	}
}

func TestStackOnFailingDatabase(t *testing.T) {
	t.Parallel()
	port, err := program.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret := rand.Text()
	err = Run(t.Context(), StackConfig{
		Addr: "127.0.0.1:0", Dir: newDataDir(t), Template: []byte(stackTemplate), Functions: countingFunction(nil), Out: io.Discard,
		DatabaseURL: fmt.Sprintf("postgres://me:%s@127.0.0.1:%d/none", secret, port),
	})
	var problem *program.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.What, "DATASTORAGE_DATABASE_URL") {
		t.Errorf("error is %v", err)
	}
	if strings.Contains(fmt.Sprint(err), secret) {
		t.Errorf("the password is shown: %v", err)
	}
}

func TestRunRejectsIncompleteConfig(t *testing.T) {
	t.Parallel()
	if err := Run(t.Context(), StackConfig{Dir: newDataDir(t)}); err == nil || !strings.Contains(err.Error(), "required") {
		t.Errorf("error is %v", err)
	}
}

// startChild runs a stack in another process and returns its address.
func startChild(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), stackVariable+"="+dir)
	// Its own process group lets the test interrupt the group as a terminal does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		printed.WriteString(lines.Text() + "\n")
		if found := bannerLine.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd, found[1]
		}
	}
	t.Fatalf("the stack did not start: %s", &printed)
	return nil, ""
}

func TestStackSignals(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	for run, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT} {
		cmd, api := startChild(t, dir)
		if got, want := getBody(t, api), strconv.Itoa(run+1); got != want {
			t.Errorf("run %d counts %s, want %s", run, got, want)
		}
		if err := syscall.Kill(-cmd.Process.Pid, how); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if how == syscall.SIGKILL {
			continue // the next run finds the files of this one
		}
		if err != nil {
			t.Errorf("%s: %v", how, err)
		}
		checkNothingRuns(t, dir)
	}
}
