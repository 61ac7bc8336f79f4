package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/migrations"
)

// template is the database that every test database is a copy of.
const template = "datastorage_template"

// startSeeded starts a server on a copy of the seed.
func startSeeded(ctx context.Context, data string) (*pgserver.Server, error) {
	seed, err := makeSeed(ctx)
	if err != nil {
		return nil, err
	}
	if err := copyTree(ctx, seed, data); err != nil {
		return nil, err
	}
	return start(ctx, data)
}

// makeSeed returns the data directory of a stopped server that has the template, made once in a run of the tests: initdb and the
// migrations cost more CPU time than most tests.
func makeSeed(ctx context.Context) (string, error) {
	run, err := runDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(run, "postgres"+os.Getenv(VersionVariable))
	return path, program.Once(ctx, path, func(staging string) (string, error) {
		// Not in staging: the user nobody, as whom the server may have to run, cannot enter it.
		data := newDataDir()
		if err := fillSeed(ctx, data); err != nil {
			return "", errors.Join(fmt.Errorf("make the template database: %w", err), removeDataDir(data))
		}
		made := filepath.Join(staging, "data")
		return made, errors.Join(copyTree(ctx, data, made), removeDataDir(data))
	})
}

func fillSeed(ctx context.Context, data string) error {
	server, err := start(ctx, data)
	if err != nil {
		return err
	}
	return errors.Join(fillTemplate(ctx, server), server.Stop())
}

func fillTemplate(ctx context.Context, server *pgserver.Server) error {
	if err := server.Bootstrap(ctx, template); err != nil {
		return err
	}
	if err := migrations.RegisterModel(ctx, server.URL(pgserver.AdminRole, template), Model, Dimensions); err != nil {
		return err
	}
	// initdb has set this role's password without regard to scram_iterations.
	password, err := passwordOf(server)
	if err != nil {
		return err
	}
	return execute(ctx, server, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", pgserver.Superuser, password))
}

// execute runs a statement as the superuser, in no test's database.
func execute(ctx context.Context, server *pgserver.Server, sql string) error {
	conn, err := pgx.Connect(ctx, server.URL(pgserver.Superuser, "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// copyTree copies a folder with its permissions, and if root runs the tests, with its owner.
func copyTree(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-Rp", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
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
		// Tests log in thousands of times, and by default each login costs the client 4,096 rounds of hashing.
		"scram_iterations": "1",
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
	return startSeeded(context.Background(), s.data)
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
