package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// pgBouncerConfig configures startPgBouncer.
type pgBouncerConfig struct {
	// Server is the server behind the pooler. Required.
	Server *pgserver.Server
	// Data is the directory of the pooler's files; it must not exist, and Stop removes it. Required.
	Data string
	// Dir receives the downloaded program. Empty means program.DefaultDir.
	Dir string
	// Progress receives a line for the download. Nil discards it.
	Progress io.Writer
}

// pgBouncer is a pooler in transaction mode, used in place of RDS Proxy: consecutive transactions of a client
// run in different sessions. It stops when this process ends; on Linux, even if this process is killed.
type pgBouncer struct {
	server  *pgserver.Server
	port    int
	data    string
	process *exec.Cmd
	ended   <-chan struct{}
}

// startPgBouncer finds PgBouncer in PATH or installs it, starts it, and returns once it accepts connections. An
// error that the user can fix is a *program.Problem.
func startPgBouncer(ctx context.Context, config pgBouncerConfig) (*pgBouncer, error) {
	executable, libraries, err := findPgBouncer(ctx, config)
	if err != nil {
		return nil, err
	}
	b := &pgBouncer{server: config.Server, data: config.Data}
	if b.port, err = program.FreePort(ctx); err != nil {
		return nil, err
	}
	if err := b.writeConfiguration(); err != nil {
		return nil, errors.Join(program.Explain("configure PgBouncer", err, config.Data), os.RemoveAll(b.data))
	}
	log := &program.Output{Writer: io.Discard}
	b.process = exec.CommandContext(context.WithoutCancel(ctx), executable, "-q", filepath.Join(b.data, "pgbouncer.ini"))
	config.Server.RunAsUser(b.process)
	b.process.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
	b.process.Stdout, b.process.Stderr = log, log
	if b.ended, err = program.Spawn(b.process); err != nil {
		return nil, errors.Join(fmt.Errorf("start PgBouncer: %w", err), os.RemoveAll(b.data))
	}
	if err := b.awaitReady(ctx, log); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// Address returns the pooler's host and port.
func (b *pgBouncer) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// Data returns the directory of the pooler's files.
func (b *pgBouncer) Data() string { return b.data }

// Stop ends the pooler and removes its files. It may be called more than once.
func (b *pgBouncer) Stop() error {
	err := b.process.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PgBouncer: %w", err)
	}
	<-b.ended
	return os.RemoveAll(b.data)
}

// writeConfiguration writes the pooler's files. The pooler refuses unknown startup parameters, rotates through its
// sessions so that consecutive transactions run in different ones, and does not use the support for prepared
// statements of version 1.21 and later.
func (b *pgBouncer) writeConfiguration() error {
	if err := os.Mkdir(b.data, 0o700); err != nil {
		return err
	}
	password, err := passwordOf(b.server)
	if err != nil {
		return err
	}
	var users strings.Builder
	for _, role := range []string{pgserver.Superuser, pgserver.AdminRole, pgserver.WriterRole, pgserver.ReaderRole} {
		_, _ = fmt.Fprintf(&users, "%q %q\n", role, password)
	}
	settings := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = transaction
server_round_robin = 1
max_client_conn = 1000
default_pool_size = 40
server_idle_timeout = 1
server_login_retry = 1
ignore_startup_parameters =
log_connections = 0
log_disconnections = 0
`, b.server.Port(), b.port, filepath.Join(b.data, "users.txt"))
	return errors.Join(
		os.WriteFile(filepath.Join(b.data, "users.txt"), []byte(users.String()), 0o600),
		os.WriteFile(filepath.Join(b.data, "pgbouncer.ini"), []byte(settings), 0o600),
		b.server.Chown(b.data))
}

func (b *pgBouncer) awaitReady(ctx context.Context, log *program.Output) error {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp4", b.Address())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-b.ended:
			return &program.Problem{What: "PgBouncer did not start", Why: program.LastLines(log.End(), 3), Next: "pgbouncer --version   # 1.18 or later"}
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// findPgBouncer returns the path of the program, and the folder of the libraries it needs besides the system's.
func findPgBouncer(ctx context.Context, config pgBouncerConfig) (executable, libraries string, err error) {
	if executable, err := exec.LookPath("pgbouncer"); err == nil {
		return executable, "", nil
	}
	if config.Dir == "" {
		if config.Dir, err = program.DefaultDir(); err != nil {
			return "", "", err
		}
	}
	if config.Progress == nil {
		config.Progress = io.Discard
	}
	path := filepath.Join(config.Dir, "pgbouncer")
	err = program.MakeOnce(ctx, path, func(staging string) (string, error) {
		started := time.Now()
		_, _ = fmt.Fprint(config.Progress, "Downloading PgBouncer of the distribution (1 MB) … ")
		unpacked, err := fetchPgBouncer(ctx, staging)
		if err != nil {
			_, _ = fmt.Fprintln(config.Progress, "failed")
			return "", err
		}
		_, _ = fmt.Fprintf(config.Progress, "done in %ds\n", int(time.Since(started).Seconds()+0.5))
		return unpacked, nil
	})
	if err != nil {
		return "", "", program.Explain("set up PgBouncer", err, config.Dir)
	}
	found, err := filepath.Glob(filepath.Join(path, "usr/lib/*-linux-gnu"))
	if err != nil || len(found) == 0 {
		return "", "", fmt.Errorf("no libraries in %s: %w", path, err)
	}
	return filepath.Join(path, "usr/sbin/pgbouncer"), found[0], nil
}

// fetchPgBouncer downloads the packages of Debian or Ubuntu and unpacks them below staging, without root and
// without installing them. It uses the system's package lists, or else downloads its own.
func fetchPgBouncer(ctx context.Context, staging string) (string, error) {
	out, err := downloadPgBouncer(ctx, staging)
	if err != nil {
		own := []string{"-o", "Dir::State=" + staging, "-o", "Dir::State::status=/var/lib/dpkg/status", "-o", "Dir::Cache=" + staging, "-o", "APT::Sandbox::User="}
		if out, err = runAptIn(ctx, staging, "apt-get", append(own, "-qq", "update")...); err == nil {
			out, err = downloadPgBouncer(ctx, staging, own...)
		}
	}
	if err != nil {
		return "", &program.Problem{
			What: "PgBouncer is missing", Why: "it is not in PATH, and apt-get does not bring it: " + program.LastLines(out, 3),
			Next: "apt-get install pgbouncer   # or brew install pgbouncer", Err: err,
		}
	}
	archives, err := filepath.Glob(filepath.Join(staging, "*.deb"))
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(staging, "unpacked")
	for _, archive := range archives {
		if out, err := runAptIn(ctx, staging, "dpkg", "-x", archive, unpacked); err != nil {
			return "", fmt.Errorf("unpack %s: %w: %s", archive, err, program.LastLines(out, 2))
		}
	}
	return unpacked, nil
}

// downloadPgBouncer downloads the package and its dependencies outside the base system,
// whose names differ between releases.
func downloadPgBouncer(ctx context.Context, dir string, options ...string) (string, error) {
	depends, err := runAptIn(ctx, dir, "apt-cache", append(options, "depends", "pgbouncer")...)
	if err != nil {
		return depends, err
	}
	packages := []string{"pgbouncer"}
	for name := range strings.FieldsSeq(depends) {
		if strings.HasPrefix(name, "libcares") || strings.HasPrefix(name, "libc-ares") || strings.HasPrefix(name, "libevent") {
			packages = append(packages, name)
		}
	}
	return runAptIn(ctx, dir, "apt-get", append(append(options, "-qq", "download"), packages...)...)
}

func runAptIn(ctx context.Context, dir, executable string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, executable, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
