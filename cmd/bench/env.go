package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// benchEnv is the environment of all benchmarks: the options and a private server.
type benchEnv struct {
	options  options
	progress io.Writer
	started  time.Time
	server   *pgserver.Server
	dir      string
}

func newBenchEnv(ctx context.Context, o options, progress io.Writer) (*benchEnv, error) {
	if o.dir == "" {
		root, err := program.DefaultDir()
		if err != nil {
			return nil, err
		}
		o.dir = filepath.Join(root, "bench")
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	e := &benchEnv{options: o, progress: progress, started: time.Now(), dir: dir}
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the benchmark's directory: %w", err)
	}
	e.server, err = pgserver.Start(ctx, pgserver.Config{
		Data: filepath.Join(e.dir, "server"), Settings: e.serverSettings(), Progress: progress,
	})
	return e, err
}

// serverSettings returns the settings that differ from PostgreSQL's defaults: memory, which the defaults set for a machine of 1 GB, and
// checkpoints, which would fall into some rounds and not into others.
func (e *benchEnv) serverSettings() map[string]string {
	settings := map[string]string{
		"shared_buffers":             "1GB",
		"maintenance_work_mem":       "1GB",
		"max_wal_size":               "4GB",
		"checkpoint_timeout":         "1h",
		"max_connections":            "100",
		"dynamic_shared_memory_type": "mmap",
	}
	if !e.options.fsync {
		settings["fsync"] = "off"
	}
	return settings
}

// serverProcessorTime returns the seconds of processor time that the server's processes have used.
func (e *benchEnv) serverProcessorTime() float64 {
	var postmaster int
	text, err := os.ReadFile(filepath.Join(e.server.Data(), pgserver.ClusterDir, "postmaster.pid"))
	if err == nil {
		_, err = fmt.Sscan(string(text), &postmaster)
	}
	if err != nil {
		return 0
	}
	own, children := processTimes(postmaster)
	return own + children
}

// stopServer stops the server and removes its data, unless -keep is set.
func (e *benchEnv) stopServer() error {
	err := e.server.Stop()
	if e.options.keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

func (e *benchEnv) logProgress(format string, args ...any) {
	_, _ = fmt.Fprintf(e.progress, "%6.1fs  %s\n", time.Since(e.started).Seconds(), fmt.Sprintf(format, args...))
}

// describeMachine describes the machine and versions of the measurement.
func (e *benchEnv) describeMachine(ctx context.Context) (string, error) {
	var server, pgvector string
	err := e.withConnection(ctx, "postgres", func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT current_setting('server_version'),
			(SELECT default_version FROM pg_available_extensions WHERE name = 'vector')`).Scan(&server, &pgvector)
	})
	if err != nil {
		return "", fmt.Errorf("read the versions: %w", err)
	}
	return fmt.Sprintf("%s · %d cores, %s/%s, %s · PostgreSQL %s, pgvector %s, fsync %v · GOGC %s · load %s",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), server, pgvector,
		e.options.fsync, cmp.Or(os.Getenv("GOGC"), "100"), loadAverage()), nil
}

// withConnection calls do with a superuser's connection.
func (e *benchEnv) withConnection(ctx context.Context, database string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, e.server.URL(pgserver.Superuser, database))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", database, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}
