package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

// startReplica copies a running server and starts the copy as a streaming replica, which applies changes after
// the given delay. Config.Data is required and must not exist; Config.Version must be the primary's.
func startReplica(ctx context.Context, primary *pgserver.Server, config pgserver.Config, delay time.Duration) (*pgserver.Server, error) {
	if err := os.Mkdir(config.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the replica's directory: %w", err)
	}
	if err := copyPrimaryTo(ctx, primary, config.Data, delay); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the primary: %w", err), os.RemoveAll(config.Data))
	}
	return pgserver.Start(ctx, config)
}

func copyPrimaryTo(ctx context.Context, p *pgserver.Server, data string, delay time.Duration) error {
	password, err := passwordOf(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, pgserver.PasswordFile), []byte(password), 0o600); err != nil {
		return err
	}
	if err := p.Chown(data); err != nil {
		return err
	}
	cluster := filepath.Join(data, pgserver.ClusterDir)
	cmd := exec.CommandContext(ctx, p.Bin("pg_basebackup"), "--pgdata="+cluster, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--host=127.0.0.1", "--port="+strconv.Itoa(p.Port()), "--username="+pgserver.Superuser)
	p.RunAsUser(cmd)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "LC_ALL=C")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := program.Spawn(cmd)
	if err != nil {
		return fmt.Errorf("run pg_basebackup: %w", err)
	}
	if <-ended; !cmd.ProcessState.Success() {
		return fmt.Errorf("run pg_basebackup: %s: %s", cmd.ProcessState, program.LastLines(out.String(), 3))
	}
	// In postgresql.auto.conf, so that CatchUp can change it by ALTER SYSTEM.
	settings, err := os.OpenFile(filepath.Join(cluster, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(settings, "recovery_min_apply_delay = %d\n", delay.Milliseconds())
	return errors.Join(err, settings.Close())
}

// passwordOf returns the password of all roles of the server.
func passwordOf(p *pgserver.Server) (string, error) {
	parsed, err := url.Parse(p.URL(pgserver.Superuser, "postgres"))
	if err != nil {
		return "", err
	}
	password, _ := parsed.User.Password()
	return password, nil
}
