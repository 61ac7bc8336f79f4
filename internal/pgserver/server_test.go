package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/program"
)

// childVariable makes the test binary start a server on the directory it names, report, and wait to be killed.
const childVariable = "DATASTORAGE_LOCAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if data := os.Getenv(childVariable); data != "" {
		p, err := Start(context.Background(), testConfig(data))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(processID(p))
		select {}
	}
	code := m.Run()
	if err := errors.Join(os.RemoveAll(seedPath()), os.RemoveAll(seedPath()+".lock")); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func seedPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("datastorage-seed-%d", os.Getpid()))
}

// seedDataDir fills the new directory dir with the data of a server that was made for all tests: making one takes a second, copying it
// much less.
func seedDataDir(t *testing.T, dir string) {
	t.Helper()
	err := program.MakeOnce(t.Context(), seedPath(), func(staging string) (string, error) {
		data := filepath.Join(staging, "data")
		if err := os.Chmod(staging, 0o755); err != nil { //nolint:gosec // root's server may have to pass as nobody
			return "", err
		}
		p, err := Start(t.Context(), testConfig(data))
		if err != nil {
			return "", err
		}
		return data, p.Stop()
	})
	if err != nil {
		t.Fatal(err)
	}
	err = os.CopyFS(dir, os.DirFS(seedPath()))
	// A copy is readable for all, which PostgreSQL refuses.
	if err := errors.Join(err, os.Chmod(filepath.Join(dir, ClusterDir), 0o700)); err != nil {
		t.Fatal(err)
	}
}

// newSeededDir is a newDataDir with data in it.
func newSeededDir(t *testing.T) string {
	t.Helper()
	dir := newDataDir(t)
	seedDataDir(t, dir)
	return dir
}

func testConfig(data string) Config {
	return Config{Data: data, Progress: os.Stderr, Settings: map[string]string{
		"fsync": "off", "shared_buffers": "16MB", "dynamic_shared_memory_type": "mmap",
	}}
}

// newDataDir is a new place for a server's data. Its parent lets every user pass, as t.TempDir does not: root's server may have to
// run as nobody.
func newDataDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "datastorage-test-"+rand.Text())
	t.Cleanup(func() {
		left, err := filepath.Glob(dir + "*")
		for _, path := range left {
			err = errors.Join(err, os.RemoveAll(path))
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

func startPostgres(t *testing.T, config Config) *Server {
	t.Helper()
	p, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// queryValue connects as the superuser and returns the one value that the statement yields.
func queryValue[T any](t *testing.T, p *Server, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// processesOf are those whose command names the server's data, and their children.
func processesOf(t *testing.T, p *Server) []program.Process {
	t.Helper()
	all, err := program.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]program.Process{}
	for _, each := range all {
		if strings.Contains(each.Command, p.clusterPath()) {
			found[each.PID] = each
		}
	}
	for _, each := range all {
		if _, child := found[each.Parent]; child {
			found[each.PID] = each
		}
	}
	var list []program.Process
	for _, each := range found {
		list = append(list, each)
	}
	return list
}

func TestPostgresLife(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{16: "16.14", 18: "18.4"} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			config := testConfig(newDataDir(t))
			config.Version = version
			p := startPostgres(t, config)
			if got := queryValue[string](t, p, "SHOW server_version"); got != want {
				t.Errorf("version is %s, want %s", got, want)
			}
			checkVectorDistance(t, p)
			checkPasswordRequired(t, p)
			if got := len(processesOf(t, p)); got < 2 {
				t.Errorf("%d processes of a running server are found, want it and its helpers", got)
			}
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
			if got := processesOf(t, p); len(got) != 0 {
				t.Errorf("after Stop there are %v", got)
			}
			if err := p.Stop(); err != nil {
				t.Errorf("second Stop: %v", err)
			}
			if processID(p) != 0 {
				t.Errorf("a stopped server has PID %d", processID(p))
			}
		})
	}
}

func checkVectorDistance(t *testing.T, p *Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION vector"); err != nil {
		t.Fatal(err)
	}
	if !queryValue[bool](t, p, "SELECT string_to_array(extversion, '.')::int[] >= '{0,8,2}' FROM pg_extension WHERE extname = 'vector'") {
		t.Error("pgvector is older than 0.8.2")
	}
	if got := queryValue[float64](t, p, "SELECT '[1,0]'::halfvec <=> '[0,1]'::halfvec"); got != 1 {
		t.Errorf("cosine distance of orthogonal vectors is %v, want 1", got)
	}
}

func checkPasswordRequired(t *testing.T, p *Server) {
	t.Helper()
	info, err := os.Stat(filepath.Join(p.config.Data, PasswordFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v, want mode 0600", info, err)
	}
	wrong := strings.Replace(p.URL(Superuser, "postgres"), p.password, "wrong", 1)
	if _, err := pgx.Connect(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("a wrong password: %v, want SQLSTATE 28P01", err)
	}
	if got := queryValue[string](t, p, "SELECT current_setting('listen_addresses') || current_setting('unix_socket_directories')"); got != "127.0.0.1" {
		t.Errorf("listens on %q, want 127.0.0.1 alone", got)
	}
}

func TestPostgresKill(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testConfig(newSeededDir(t)))
	conn, err := pgx.Connect(t.Context(), p.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)"); err != nil {
		t.Fatal(err)
	}
	// A backend that is busy does not notice by itself that its server has gone.
	busy := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "INSERT INTO kept SELECT generate_series(1, 1000000000)")
		busy <- err
	}()
	for queryValue[int](t, p, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO kept%' AND state = 'active'") == 0 {
		select {
		case err := <-busy:
			t.Fatalf("the long statement ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	port, before := p.Port(), processID(p)
	if err := killServer(p); err != nil {
		t.Fatal(err)
	}
	if got := processesOf(t, p); len(got) != 0 {
		t.Errorf("after Kill there are %v", got)
	}
	if err := <-busy; err == nil {
		t.Error("the statement of a killed server succeeded")
	}
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Port() != port || processID(p) == before {
		t.Errorf("restarted on port %d as %d, was %d as %d", p.Port(), processID(p), port, before)
	}
	if got := queryValue[int](t, p, "SELECT count(*) FROM kept"); got != 1000 {
		t.Errorf("%d rows are left, want the 1000 committed ones", got)
	}
}

func TestPostgresDone(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testConfig(newSeededDir(t)))
	done := p.Done()
	if err := syscall.Kill(processID(p), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := p.Restart(t.Context()); err != nil {
		t.Errorf("restart of a server that ended by itself: %v", err)
	}
}

func TestPostgresOrphan(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	first := startPostgres(t, config)
	orphaned := first.Done()
	// Its owner is gone when nobody holds the lock.
	if err := first.lock.Close(); err != nil {
		t.Fatal(err)
	}
	second := startPostgres(t, config)
	<-orphaned
	if got := queryValue[int](t, second, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestPostgresStalePIDFile(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	p := startPostgres(t, config)
	for name, content := range map[string]string{
		"empty":                     "",
		"number of another program": fmt.Sprintf("%d\n%s\n", os.Getpid(), p.clusterPath()),
	} {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.clusterPath(), "postmaster.pid"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Restart(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPostgresInUse(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	first := startPostgres(t, config)
	_, err := Start(t.Context(), config)
	var problem *program.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.What, "in use") {
		t.Errorf("second server on the same data: %v", err)
	}
	if got := queryValue[int](t, first, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestPostgresPortTaken(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	config := testConfig(newDataDir(t))
	config.Port = listener.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), config)
	want := fmt.Sprintf("PostgreSQL cannot listen on 127.0.0.1:%d\n", config.Port)
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error is %v, want three lines that begin with %q", err, want)
	}
	if made, err := program.Exists(config.Data); made || err != nil {
		t.Errorf("it made a cluster first: %v", err)
	}
}

func TestPostgresSettingRefused(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	config.Settings["shared_buffers"] = "nonsense"
	_, err := Start(t.Context(), config)
	var problem *program.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.Why, `invalid value for parameter "shared_buffers"`) {
		t.Errorf("error is %v, want PostgreSQL's own words", err)
	}
}

func TestPostgresUnknownVersion(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), Config{Version: 9}); err == nil {
		t.Error("version 9 is started")
	}
}

func TestPostgresCanceled(t *testing.T) {
	t.Parallel()
	config := testConfig(newDataDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, config); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	startPostgres(t, config)
}

// processID is the process id of the server, 0 when it does not run.
func processID(p *Server) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return 0
	}
	return p.server.Process.Pid
}

// killServer ends the server as a crash does and returns when all its processes have ended.
func killServer(p *Server) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killProcesses()
}
