package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// StartReplica copies a running server and starts the copy as its streaming replica, which applies what it receives no sooner than the delay
// after it was committed. Data of the configuration is required and must not be there yet; the version is the primary's.
func StartReplica(ctx context.Context, primary *Postgres, config PostgresConfig, delay time.Duration) (*Postgres, error) {
	if err := os.Mkdir(config.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the replica's directory: %w", err)
	}
	if err := primary.copyTo(ctx, config.Data, delay); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the primary: %w", err), os.RemoveAll(config.Data))
	}
	config.Version = primary.config.Version
	return StartPostgres(ctx, config)
}

func (p *Postgres) copyTo(ctx context.Context, data string, delay time.Duration) error {
	if err := os.WriteFile(filepath.Join(data, passwordFile), []byte(p.Password()), 0o600); err != nil {
		return err
	}
	if err := p.identity.give(data); err != nil {
		return err
	}
	cluster := filepath.Join(data, clusterDir)
	cmd := exec.CommandContext(ctx, p.Bin("pg_basebackup"), "--pgdata="+cluster, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--host=127.0.0.1", "--port="+strconv.Itoa(p.Port()), "--username="+Superuser)
	cmd.SysProcAttr = p.identity.attr()
	cmd.SysProcAttr.Pdeathsig = 0 // it ends by itself
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run pg_basebackup: %w: %s", err, lastLines(string(out), 3))
	}
	// Where ALTER SYSTEM can change it.
	settings, err := os.OpenFile(filepath.Join(cluster, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(settings, "recovery_min_apply_delay = %d\n", delay.Milliseconds())
	return errors.Join(err, settings.Close())
}
