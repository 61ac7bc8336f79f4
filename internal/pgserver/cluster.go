package pgserver

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

	"github.com/datastorage-service/datastorage/internal/program"
)

// The contents of Config.Data.
const (
	ClusterDir   = "cluster"
	PasswordFile = "password"
	LogFile      = "postgres.log"
)

func (p *Server) clusterPath() string { return filepath.Join(p.config.Data, ClusterDir) }

// ensureCluster makes Data if it is missing, whole or not at all, and reads its password.
func (p *Server) ensureCluster(ctx context.Context) error {
	made, err := program.Exists(p.config.Data)
	if err != nil {
		return err
	}
	if !made {
		err := program.ReplaceDir(p.config.Data, func(staging string) (string, error) { return p.createCluster(ctx, staging) })
		if err != nil {
			return err
		}
	}
	if err := p.Chown(p.config.Data); err != nil || p.password != "" {
		return err
	}
	password, err := os.ReadFile(filepath.Join(p.config.Data, PasswordFile))
	if err != nil {
		return fmt.Errorf("read the superuser's password: %w", err)
	}
	p.password = string(password)
	return nil
}

// createCluster makes a cluster and its password in a new directory inside staging and returns that.
func (p *Server) createCluster(ctx context.Context, staging string) (string, error) {
	data := filepath.Join(staging, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	password := filepath.Join(data, PasswordFile)
	if err := os.WriteFile(password, []byte(rand.Text()), 0o600); err != nil {
		return "", err
	}
	if err := p.Chown(staging); err != nil {
		return "", err
	}
	args := []string{
		"-D", filepath.Join(data, ClusterDir), "-U", Superuser, "--pwfile=" + password,
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

func (p *Server) runInitdb(ctx context.Context, args []string) error {
	var out strings.Builder
	cmd := exec.CommandContext(ctx, p.Bin("initdb"), args...)
	p.RunAsUser(cmd)
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := program.Spawn(cmd)
	if err != nil {
		return err
	}
	<-ended
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %w", cmd.ProcessState, program.OutputError(out.String()))
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

// openServerLog returns where the server's output goes and how that is closed.
func (p *Server) openServerLog() (io.Writer, func() error, error) {
	if p.config.Log != nil {
		return p.config.Log, func() error { return nil }, nil
	}
	file, err := os.Create(filepath.Join(p.config.Data, LogFile))
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}
