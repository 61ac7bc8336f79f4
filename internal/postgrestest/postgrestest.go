// Package postgrestest gives tests a real database: one private server per test binary, and on it a new,
// migrated database per test, accessed with the application's roles. It never skips a test: without a server,
// the test fails.
//
// It creates and drops databases, and does not depend on their contents.
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
	"os"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/migrations"
)

// VersionVariable selects the major version of PostgreSQL: 16, which is also the default, or 18.
const VersionVariable = "DATASTORAGE_TEST_POSTGRES_VERSION"

// The embedding model that is registered and active in every new database: feature hashing with very few dimensions.
const (
	Model      = "hash-word-char35-v1@64"
	Dimensions = 64
)

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

// SuperuserURL connects as PostgreSQL's superuser, for changes to the server that the application could not make.
func (d *Database) SuperuserURL() string { return d.Server.URL(pgserver.Superuser, d.Name) }

// shared is the server of this test binary. It is a global because it outlives every test.
var shared sharedServer

// Run runs the tests of a package and returns the exit code. The first New starts the shared server; Run stops it.
func Run(m *testing.M) int {
	shared.markRunning()
	code := m.Run()
	if err := shared.stopSharedServer(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// New makes a database on the shared server, and drops it when the test ends.
func New(tb testing.TB) *Database {
	tb.Helper()
	server, err := shared.startOnce()
	if err != nil {
		tb.Fatal(err)
	}
	d := NewOn(tb, server)
	tb.Cleanup(func() { d.execStatement(tb, "DROP DATABASE IF EXISTS "+d.Name+" WITH (FORCE)") })
	return d
}

// NewOn makes a database on a server of NewServer. It lasts as long as the server.
func NewOn(tb testing.TB, server *pgserver.Server) *Database {
	tb.Helper()
	d := &Database{Server: server, Name: "test_" + strings.ToLower(rand.Text())}
	d.execStatement(tb, "CREATE DATABASE "+d.Name+" OWNER "+pgserver.AdminRole+" TEMPLATE "+template)
	// CREATE DATABASE does not copy the settings of the template database.
	if err := migrations.Configure(tb.Context(), d.AdminURL()); err != nil {
		tb.Fatal(err)
	}
	// The service's limit of 15 s is a bet on the machine. A test of the limit sets its own.
	for _, role := range []string{pgserver.WriterRole, pgserver.ReaderRole} {
		d.execStatement(tb, "ALTER ROLE "+role+" IN DATABASE "+d.Name+" SET statement_timeout = '5min'")
	}
	return d
}

// execStatement runs a statement as the superuser, in another database of the server. It does not use the test's
// context, so it may be called during cleanup.
func (d *Database) execStatement(tb testing.TB, sql string) {
	tb.Helper()
	if err := executeAsSuperuser(context.WithoutCancel(tb.Context()), d.Server, sql); err != nil {
		tb.Fatal(err)
	}
}

// NewServer starts a server for a test that kills, stops or fills it. It is stopped when the test ends.
func NewServer(tb testing.TB) *pgserver.Server {
	tb.Helper()
	data := newDataDir()
	server, err := startSeeded(tb.Context(), data)
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

// NewReplica starts a streaming replica of a server from NewServer. The replica applies changes after the given
// delay until CatchUp is called, and is stopped when the test ends.
func NewReplica(tb testing.TB, primary *pgserver.Server, delay time.Duration) *pgserver.Server {
	tb.Helper()
	data := newDataDir()
	version, err := requestedVersion()
	if err != nil {
		tb.Fatal(err)
	}
	config := pgserver.Config{Version: version, Data: data, Settings: serverSettings()}
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

// CatchUp ends the delay: the replica applies changes as soon as it receives them.
func CatchUp(tb testing.TB, replica *pgserver.Server) {
	tb.Helper()
	d := &Database{Server: replica}
	d.execStatement(tb, "ALTER SYSTEM SET recovery_min_apply_delay = 0")
	d.execStatement(tb, "SELECT pg_reload_conf()")
}
