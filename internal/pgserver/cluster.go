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

// The contents of Config.Data: the cluster of PostgreSQL, the password of its roles, and its log.
const (
	ClusterDir   = "cluster"
	PasswordFile = "password"
	LogFile      = "postgres.log"
)

func (s *Server) clusterPath() string { return filepath.Join(s.config.Data, ClusterDir) }

// ensureCluster makes Data if it is missing, completely or not at all, and reads its password.
func (s *Server) ensureCluster(ctx context.Context) error {
	exists, err := program.Exists(s.config.Data)
	if err != nil {
		return err
	}
	if !exists {
		err := program.ReplaceDir(s.config.Data, func(staging string) (string, error) { return s.createCluster(ctx, staging) })
		if err != nil {
			return err
		}
	}
	if err := s.Chown(s.config.Data); err != nil || s.password != "" {
		return err
	}
	password, err := os.ReadFile(filepath.Join(s.config.Data, PasswordFile))
	if err != nil {
		return fmt.Errorf("read the superuser's password: %w", err)
	}
	s.password = string(password)
	return nil
}

// createCluster makes a cluster and its password in a new directory below staging and returns that
// directory.
func (s *Server) createCluster(ctx context.Context, staging string) (string, error) {
	data := filepath.Join(staging, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	password := filepath.Join(data, PasswordFile)
	if err := os.WriteFile(password, []byte(rand.Text()), 0o600); err != nil {
		return "", err
	}
	if err := s.Chown(staging); err != nil {
		return "", err
	}
	args := []string{
		"-D", filepath.Join(data, ClusterDir), "-U", Superuser, "--pwfile=" + password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
	}
	if s.config.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	if err := s.runInitdb(ctx, args); err != nil {
		return "", fmt.Errorf("run initdb: %w", err)
	}
	return data, nil
}

func (s *Server) runInitdb(ctx context.Context, args []string) error {
	var out strings.Builder
	cmd := exec.CommandContext(ctx, s.Bin("initdb"), args...)
	s.RunAsUser(cmd)
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
		return fmt.Errorf("%s: %w", cmd.ProcessState, outputError(out.String()))
	}
	return nil
}

// pidFile has what a server writes into postmaster.pid.
type pidFile struct {
	pid    int
	port   int
	status string
}

// readPIDFile reads lines 1, 4 and 8 as pg_ctl does; line 8 is missing while the server starts.
// src/include/utils/pidfile.h of PostgreSQL has the order of lines.
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

// openServerLog returns the destination of the server's output and the function that closes it.
func (s *Server) openServerLog() (io.Writer, func() error, error) {
	if s.config.Log != nil {
		return s.config.Log, func() error { return nil }, nil
	}
	file, err := os.Create(filepath.Join(s.config.Data, LogFile))
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}
