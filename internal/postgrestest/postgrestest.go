// Package postgrestest gives tests a real database: one private server per test binary, and on it a fresh, migrated database
// per test, reached as the application's own roles. It never skips a test: where no server can be had, the test fails.
//
// It knows how databases are made and thrown away, and nothing of what is kept in them.
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }
//
//	func TestStore(t *testing.T) {
//		t.Parallel()
//		db := postgrestest.New(t)
//		pool, err := pgxpool.New(t.Context(), db.WriterURL())
//		…
//	}
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/migrations"
)

// VersionVariable selects the major version of PostgreSQL: 16, which is also the default, or 18.
const VersionVariable = "DATASTORAGE_TEST_POSTGRES_VERSION"

// The embedding model that every fresh database has, registered and active: feature hashing, as short as it can be.
const (
	Model      = "hash-word-char35-v1@64"
	Dimensions = 64
)

const template = "datastorage_template"

// Database is a migrated database for one test, with Model registered.
type Database struct {
	Server *pgserver.Server
	Name   string
}

// AdminURL connects as the database's owner, datastorage_admin.
func (d *Database) AdminURL() string { return d.Server.URL(pgserver.AdminRole, d.Name) }

// WriterURL connects as datastorage_writer.
func (d *Database) WriterURL() string { return d.Server.URL(pgserver.WriterRole, d.Name) }

// ReaderURL connects as datastorage_reader.
func (d *Database) ReaderURL() string { return d.Server.URL(pgserver.ReaderRole, d.Name) }

// SuperuserURL connects as PostgreSQL's superuser, for what a test does to the server behind the application's back.
func (d *Database) SuperuserURL() string { return d.Server.URL(pgserver.Superuser, d.Name) }

// shared is the server of this test binary. It cannot hang on a test, because it outlives each of them.
var shared sharedServer

// Run runs the tests of a package between the start of the shared server, which the first New causes, and its end. It returns
// the exit code.
func Run(m *testing.M) int {
	shared.enter()
	code := m.Run()
	if err := errors.Join(shared.leave(), removeOwnRunDir()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// New makes a database on the shared server. It is dropped when the test ends.
func New(tb testing.TB) *Database {
	tb.Helper()
	server, err := shared.use()
	if err != nil {
		tb.Fatal(err)
	}
	d := &Database{Server: server, Name: "test_" + strings.ToLower(rand.Text())}
	name := pgx.Identifier{d.Name}.Sanitize()
	tb.Cleanup(func() { d.exec(tb, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	d.exec(tb, "CREATE DATABASE "+name+" OWNER "+pgserver.AdminRole+" TEMPLATE "+template)
	// A copy lacks the settings that belong to the database it was made from.
	if err := migrations.Configure(tb.Context(), d.AdminURL()); err != nil {
		tb.Fatal(err)
	}
	return d
}

// exec runs a statement beside the database, as the superuser; also during cleanup, when the test's context has ended.
func (d *Database) exec(tb testing.TB, sql string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, d.Server.URL(pgserver.Superuser, "postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	_, err = conn.Exec(ctx, sql)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		tb.Fatal(err)
	}
}

// NewServer starts a server for one test that kills, stops or fills it. It ends with the test.
func NewServer(tb testing.TB) *pgserver.Server {
	tb.Helper()
	data := newDataDir()
	server, err := start(tb.Context(), data)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(stopWithPooler(server), removeDataDir(data)); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// NewReplica starts a streaming replica of a server of the test's own, which stays behind it by the delay until CatchUp. It ends with the test.
func NewReplica(tb testing.TB, primary *pgserver.Server, delay time.Duration) *pgserver.Server {
	tb.Helper()
	data := newDataDir()
	version, err := version()
	if err != nil {
		tb.Fatal(err)
	}
	config := pgserver.Config{Version: version, Data: data, Settings: settings()}
	replica, err := startReplica(tb.Context(), primary, config, delay)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(replica.Stop(), removeDataDir(data)); err != nil {
			tb.Error(err)
		}
	})
	return replica
}

// CatchUp lets a replica apply at once what it receives.
func CatchUp(tb testing.TB, replica *pgserver.Server) {
	tb.Helper()
	d := &Database{Server: replica}
	d.exec(tb, "ALTER SYSTEM SET recovery_min_apply_delay = 0")
	d.exec(tb, "SELECT pg_reload_conf()")
}

// NewOn makes a database on a server of the test's own. It goes with the server.
func NewOn(tb testing.TB, server *pgserver.Server) *Database {
	tb.Helper()
	d := &Database{Server: server, Name: "test_" + strings.ToLower(rand.Text())}
	if err := prepare(tb.Context(), server, d.Name); err != nil {
		tb.Fatal(err)
	}
	return d
}

func prepare(ctx context.Context, server *pgserver.Server, database string) error {
	if err := server.Bootstrap(ctx, database); err != nil {
		return err
	}
	return migrations.RegisterModel(ctx, server.URL(pgserver.AdminRole, database), Model, Dimensions)
}

// start runs a server that is quick rather than safe against the machine's own failure. Acknowledged commits still survive
// the server being killed: synchronous_commit stays on.
func start(ctx context.Context, data string) (*pgserver.Server, error) {
	version, err := version()
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Config{
		Version:  version,
		Data:     data,
		Progress: os.Stderr,
		Settings: settings(),
	})
	if err == nil {
		servePooler(server)
	}
	return server, err
}

// version is the major version that VersionVariable selects, 0 for the default.
func version() (int, error) {
	selected := os.Getenv(VersionVariable)
	if selected == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(selected)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", VersionVariable, err)
	}
	return version, nil
}

func settings() map[string]string {
	return map[string]string{
		"fsync":           "off",
		"max_connections": "200",
		"shared_buffers":  "32MB",
		// Kept in the data directory, so that a killed server leaves nothing in /dev/shm.
		"dynamic_shared_memory_type": "mmap",
	}
}

// sharedServer is the server that the tests of one binary share.
type sharedServer struct {
	mu      sync.Mutex
	running bool
	data    string
	server  *pgserver.Server
	err     error
}

func (s *sharedServer) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
}

// use starts the server at its first call. An error is final: the second test need not wait for the same failure.
func (s *sharedServer) use() (*pgserver.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errors.New("postgrestest.New without postgrestest.Run in TestMain")
	}
	if s.server == nil && s.err == nil {
		s.server, s.err = s.start()
	}
	return s.server, s.err
}

func (s *sharedServer) start() (*pgserver.Server, error) {
	sweep()
	s.data = newDataDir()
	server, err := start(context.Background(), s.data)
	if err != nil {
		return nil, err
	}
	return server, prepare(context.Background(), server, template)
}

func (s *sharedServer) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	if s.server == nil {
		return nil
	}
	return errors.Join(stopWithPooler(s.server), removeDataDir(s.data))
}

const dataPrefix = "datastorage-test-"

// owned are the locks that say that this process still needs a directory, also while the server in it is stopped and has let go of its own.
var owned sync.Map

// newDataDir names a server's directory. It stands directly in the folder for temporary files, which every user may enter, as
// those of testing.T are not: when root runs the tests, the server may have to run as nobody.
func newDataDir() string {
	data := filepath.Join(os.TempDir(), dataPrefix+rand.Text())
	owner := flock.New(data + ".owner")
	// Without its lock, the directory would merely not survive a stop of its server.
	_ = owner.Lock()
	owned.Store(data, owner)
	return data
}

func removeDataDir(data string) error {
	errs := []error{os.RemoveAll(data), remove(data + ".lock"), remove(data + ".owner")}
	if owner, ok := owned.LoadAndDelete(data); ok {
		if lock, ok := owner.(*flock.Flock); ok {
			errs = append(errs, lock.Close())
		}
	}
	return errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes what test binaries left that were killed: nobody holds the lock of such a directory's owner, nor that of its server, which
// may live for a moment longer. Another user's files stay.
func sweep() {
	owners, err := filepath.Glob(filepath.Join(os.TempDir(), dataPrefix+"*.owner"))
	if err != nil {
		return
	}
	for _, path := range owners {
		data := strings.TrimSuffix(path, ".owner")
		owner, server := flock.New(path), flock.New(data+".lock")
		if take(owner) && take(server) {
			left, _ := filepath.Glob(data + "*")
			for _, entry := range left {
				_ = os.RemoveAll(entry)
			}
		}
		_, _ = server.Close(), owner.Close()
	}
}

func take(lock *flock.Flock) bool {
	locked, err := lock.TryLock()
	return err == nil && locked
}
