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

// childVariable makes the test binary start a server on the directory that it names, print its
// process id, and wait.
const childVariable = "DATASTORAGE_LOCAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if data := os.Getenv(childVariable); data != "" {
		s, err := Start(context.Background(), testConfig(data))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(processID(s))
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

// seedDataDir copies the data of a server that is made once for all tests into the new directory
// dir, which is faster than initdb.
func seedDataDir(t *testing.T, dir string) {
	t.Helper()
	err := program.MakeOnce(t.Context(), seedPath(), func(staging string) (string, error) {
		data := filepath.Join(staging, "data")
		if err := os.Chmod(staging, 0o755); err != nil { //nolint:gosec // the user nobody may have to enter it
			return "", err
		}
		s, err := Start(t.Context(), testConfig(data))
		if err != nil {
			return "", err
		}
		return data, s.Stop()
	})
	if err != nil {
		t.Fatal(err)
	}
	err = os.CopyFS(dir, os.DirFS(seedPath()))
	// PostgreSQL refuses a directory that others may read, such as this copy.
	if err := errors.Join(err, os.Chmod(filepath.Join(dir, ClusterDir), 0o700)); err != nil {
		t.Fatal(err)
	}
}

// newSeededDir returns a newDataDir that contains the data of a server.
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

// newDataDir returns a new path for a server's data. Every user may enter its parent, unlike that
// of t.TempDir: the server of root may have to run as another user.
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
	s, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// queryValue runs a statement as the superuser and returns its one value.
func queryValue[T any](t *testing.T, s *Server, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(Superuser, "postgres"))
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

// processesOf returns the processes whose command contains the path of the server's data, and their
// children.
func processesOf(t *testing.T, s *Server) []program.Process {
	t.Helper()
	all, err := program.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]program.Process{}
	for _, each := range all {
		if strings.Contains(each.Command, s.clusterPath()) {
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
			s := startPostgres(t, config)
			if got := queryValue[string](t, s, "SHOW server_version"); got != want {
				t.Errorf("version is %s, want %s", got, want)
			}
			checkVectorDistance(t, s)
			checkPasswordRequired(t, s)
			if got := len(processesOf(t, s)); got < 2 {
				t.Errorf("a running server has %d processes, want at least 2", got)
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if got := processesOf(t, s); len(got) != 0 {
				t.Errorf("processes after Stop: %v", got)
			}
			if err := s.Stop(); err != nil {
				t.Errorf("second Stop: %v", err)
			}
			if processID(s) != 0 {
				t.Errorf("a stopped server has PID %d", processID(s))
			}
		})
	}
}

func checkVectorDistance(t *testing.T, s *Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION vector"); err != nil {
		t.Fatal(err)
	}
	if !queryValue[bool](t, s, "SELECT string_to_array(extversion, '.')::int[] >= '{0,8,2}' FROM pg_extension WHERE extname = 'vector'") {
		t.Error("pgvector is older than 0.8.2")
	}
	if got := queryValue[float64](t, s, "SELECT '[1,0]'::halfvec <=> '[0,1]'::halfvec"); got != 1 {
		t.Errorf("cosine distance of orthogonal vectors is %v, want 1", got)
	}
}

func checkPasswordRequired(t *testing.T, s *Server) {
	t.Helper()
	info, err := os.Stat(filepath.Join(s.config.Data, PasswordFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v, want mode 0600", info, err)
	}
	wrong := strings.Replace(s.URL(Superuser, "postgres"), s.password, "wrong", 1)
	if _, err := pgx.Connect(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("a wrong password: %v, want SQLSTATE 28P01", err)
	}
	if got := queryValue[string](t, s, "SELECT current_setting('listen_addresses') || current_setting('unix_socket_directories')"); got != "127.0.0.1" {
		t.Errorf("listens on %q, want only 127.0.0.1", got)
	}
}

func TestPostgresKill(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, testConfig(newSeededDir(t)))
	conn, err := pgx.Connect(t.Context(), s.URL(Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)"); err != nil {
		t.Fatal(err)
	}
	// A busy backend does not notice that its server has ended.
	busy := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "INSERT INTO kept SELECT generate_series(1, 1000000000)")
		busy <- err
	}()
	for queryValue[int](t, s, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO kept%' AND state = 'active'") == 0 {
		select {
		case err := <-busy:
			t.Fatalf("the long statement ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	port, before := s.Port(), processID(s)
	if err := killServer(s); err != nil {
		t.Fatal(err)
	}
	if got := processesOf(t, s); len(got) != 0 {
		t.Errorf("processes after the kill: %v", got)
	}
	if err := <-busy; err == nil {
		t.Error("the statement of a killed server succeeded")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Port() != port || processID(s) == before {
		t.Errorf("restarted on port %d as %d, was %d as %d", s.Port(), processID(s), port, before)
	}
	if got := queryValue[int](t, s, "SELECT count(*) FROM kept"); got != 1000 {
		t.Errorf("%d rows are left, want the 1000 committed ones", got)
	}
}

func TestPostgresDone(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, testConfig(newSeededDir(t)))
	done := s.Done()
	if err := syscall.Kill(processID(s), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := s.Restart(t.Context()); err != nil {
		t.Errorf("restart after an unexpected end: %v", err)
	}
}

func TestPostgresOrphan(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	first := startPostgres(t, config)
	orphaned := first.Done()
	// A server whose lock is free has no owner.
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
	s := startPostgres(t, config)
	for name, content := range map[string]string{
		"empty":                     "",
		"number of another program": fmt.Sprintf("%d\n%s\n", os.Getpid(), s.clusterPath()),
	} {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.clusterPath(), "postmaster.pid"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
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
		t.Errorf("a cluster was made first: %v", err)
	}
}

func TestPostgresSettingRefused(t *testing.T) {
	t.Parallel()
	config := testConfig(newSeededDir(t))
	config.Settings["shared_buffers"] = "nonsense"
	_, err := Start(t.Context(), config)
	var problem *program.Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.Why, `invalid value for parameter "shared_buffers"`) {
		t.Errorf("error is %v, want PostgreSQL's message", err)
	}
}

func TestPostgresUnknownVersion(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), Config{Version: 9}); err == nil {
		t.Error("version 9 was started")
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

// processID returns the process id of the server, or 0 if it does not run.
func processID(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return 0
	}
	return s.server.Process.Pid
}

// killServer ends the server like a crash, and returns when all its processes have ended.
func killServer(s *Server) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killProcesses()
}
