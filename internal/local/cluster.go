package local

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// The contents of PostgresConfig.Data.
const (
	clusterDir   = "cluster"
	passwordFile = "password"
	logFile      = "postgres.log"
)

func (p *Postgres) cluster() string { return filepath.Join(p.config.Data, clusterDir) }

// ensureCluster makes Data if it is missing, whole or not at all, and reads its password.
func (p *Postgres) ensureCluster(ctx context.Context) error {
	made, err := exists(p.config.Data)
	if err != nil {
		return err
	}
	if !made {
		err := replace(p.config.Data, func(staging string) (string, error) { return p.initdb(ctx, staging) })
		if err != nil {
			return err
		}
	}
	if err := p.identity.give(p.config.Data); err != nil || p.password != "" {
		return err
	}
	password, err := os.ReadFile(filepath.Join(p.config.Data, passwordFile))
	if err != nil {
		return fmt.Errorf("read the superuser's password: %w", err)
	}
	p.password = string(password)
	return nil
}

// initdb makes a cluster and its password in a new directory inside staging and returns that.
func (p *Postgres) initdb(ctx context.Context, staging string) (string, error) {
	data := filepath.Join(staging, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	password := filepath.Join(data, passwordFile)
	if err := os.WriteFile(password, []byte(rand.Text()), 0o600); err != nil {
		return "", err
	}
	if err := p.identity.give(staging); err != nil {
		return "", err
	}
	args := []string{
		"-D", filepath.Join(data, clusterDir), "-U", Superuser, "--pwfile=" + password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if p.config.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	if err := p.runInitdb(ctx, args); err != nil {
		return "", fmt.Errorf("run initdb: %w", err)
	}
	return data, nil
}

func (p *Postgres) runInitdb(ctx context.Context, args []string) error {
	var out strings.Builder
	cmd := exec.CommandContext(ctx, p.Bin("initdb"), args...)
	cmd.SysProcAttr = p.identity.attr()
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := spawn(cmd)
	if err != nil {
		return err
	}
	<-ended
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %w", cmd.ProcessState, said(out.String()))
	}
	return nil
}

// pidFile is what a server writes about itself into postmaster.pid.
type pidFile struct {
	pid    int
	port   int
	status string
}

// readPIDFile reads the first, the fourth and the eighth line, the last empty while the server starts (pg_ctl reads them likewise; the
// order of lines is in PostgreSQL's src/include/utils/pidfile.h).
func readPIDFile(cluster string) (pidFile, error) {
	content, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(content), "\n")
	pid, err := strconv.Atoi(lines[0])
	if err != nil {
		return pidFile{}, fmt.Errorf("read postmaster.pid: %w", err)
	}
	file := pidFile{pid: pid}
	if len(lines) >= 8 {
		file.status = strings.TrimSpace(lines[7])
		if file.port, err = strconv.Atoi(lines[3]); err != nil {
			return pidFile{}, fmt.Errorf("read the port in postmaster.pid: %w", err)
		}
	}
	return file, nil
}

// serverLog passes on what a server logs and remembers the end of it.
type serverLog struct {
	out   io.Writer
	close func() error

	mu   sync.Mutex
	last []byte
}

func (p *Postgres) openLog() (*serverLog, error) {
	if p.config.Log != nil {
		return &serverLog{out: p.config.Log, close: func() error { return nil }}, nil
	}
	file, err := os.Create(filepath.Join(p.config.Data, logFile))
	if err != nil {
		return nil, err
	}
	return &serverLog{out: file, close: file.Close}, nil
}

// Write never fails: a log that cannot be kept must not stop the server that writes it.
func (l *serverLog) Write(b []byte) (int, error) {
	const remembered = 4096
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, b...)
	l.last = l.last[max(0, len(l.last)-remembered):]
	_, _ = l.out.Write(b)
	return len(b), nil
}

// Close is called when the server and everything that could still write has ended.
func (l *serverLog) Close() error { return l.close() }

func (l *serverLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last)
}
