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

// stackVariable makes the test binary run a stack on the directory it names, as the command line does, until it is signalled.
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

// countingFunction wires one function that counts its invocations in the database and answers the count. While the gate is closed,
// it waits after it has told entered.
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

// output is what a stack says, and tells when it has said that it is up.
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

// runningStack is a stack under way.
type runningStack struct {
	api    string
	out    *output
	cancel context.CancelFunc
	ended  chan error
}

// startStack runs a stack and waits until it is up.
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

// stopStack ends the stack as Ctrl-C does.
func (r *runningStack) stopStack(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("the stack ended with %v", err)
	}
	if !strings.HasSuffix(r.out.String(), "Stopped.\n") {
		t.Errorf("it did not say that it stopped: %q", r.out)
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

// checkNothingRuns checks that no process names the directory in its command.
func checkNothingRuns(t *testing.T, dir string) {
	t.Helper()
	all, err := program.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if strings.Contains(p.Command, dir) {
			t.Errorf("process %d runs still: %s", p.PID, p.Command)
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
	for run, want := range []struct{ said, count string }{
		{"could not be loaded, the next start tries again: out of samples", "1"},
		{"Loaded 1 sample remediations", "3"},
		{"", "4"},
	} {
		r := startStack(t, config)
		if got := getBody(t, r.api+"/any"); got != want.count {
			t.Errorf("run %d: count is %s, want %s: data is kept between runs, samples are loaded once", run, got, want.count)
		}
		if !strings.Contains(r.out.String(), want.said) {
			t.Errorf("run %d said %q, want %q", run, r.out, want.said)
		}
		r.stopStack(t)
		checkNothingRuns(t, dir)
		if _, err := http.DefaultTransport.RoundTrip(newRequest(t, http.MethodGet, r.api, "")); err == nil {
			t.Errorf("run %d still answers", run)
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
	want := fmt.Sprintf("the local stack runs already: process %d on %s\n", os.Getpid(), first.api)
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("second run: %v\nwant three lines that begin with %q", err, want)
	}
	if got := getBody(t, first.api); got != "1" {
		t.Errorf("the first one answers %s", got)
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
		t.Errorf("it went on to make %v", got)
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
		t.Errorf("being asked to stop is an error: %v", err)
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
	answer := make(chan string, 1)
	go func() { answer <- getBody(t, r.api) }()
	<-g.entered
	r.cancel()
	for !strings.Contains(r.out.String(), "Stopping") {
		if len(r.ended) > 0 {
			t.Fatal("it ended without the answer")
		}
		time.Sleep(time.Millisecond)
	}
	close(g.open)
	if got := <-answer; got != "1" {
		t.Errorf("the request under way was answered %q", got)
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
	if err := <-r.ended; !errors.As(err, &problem) || !strings.Contains(problem.What, "PostgreSQL ended by itself") {
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
			t.Error("samples are loaded into somebody's own database")
			return 0, nil
		},
	}
	r := startStack(t, config)
	if got := getBody(t, r.api); got != "1" {
		t.Errorf("count is %s", got)
	}
	r.stopStack(t)
	if got := fileNames(t, dir); len(got) != 0 {
		t.Errorf("a private server was made: %v", got)
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

// startChild runs a stack in a process of its own and returns where it serves.
func startChild(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), stackVariable+"="+dir)
	// In a group of its own, so that the test can interrupt the group as a terminal would.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if found := bannerLine.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd, found[1]
		}
	}
	t.Fatalf("the stack did not come up: %s", &said)
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
			continue // the next run finds what this one left
		}
		if err != nil {
			t.Errorf("%s: %v", how, err)
		}
		checkNothingRuns(t, dir)
	}
}
