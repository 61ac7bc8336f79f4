package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// FunctionGOFLAGS are what functions are built with: without RPC, paths of this machine, and symbols.
const FunctionGOFLAGS = "-trimpath -tags=lambda.norpc '-ldflags=-s -w'"

// BuildFunction builds a folder such as functions/write below root, as it is deployed, for Linux and a processor in Go's words, into dir and
// returns the program's path.
func BuildFunction(ctx context.Context, root, folder, processor, dir string) (string, error) {
	bootstrap := filepath.Join(dir, filepath.Base(folder), "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bootstrap, "./"+filepath.ToSlash(folder))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS="+FunctionGOFLAGS)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", folder, err, lastLines(string(out), 3))
	}
	return bootstrap, nil
}

// LocalDatabases finds the databases of the local stack in dir: those of the stack that runs, or of a private server that is started for
// the purpose and that end stops. They are migrated.
func LocalDatabases(ctx context.Context, dir string, progress io.Writer) (databases Databases, end func() error, err error) {
	p, end, err := localPostgres(ctx, dir, progress)
	if err != nil {
		return Databases{}, nil, err
	}
	if err := p.Bootstrap(ctx, databaseName); err != nil {
		return Databases{}, nil, errors.Join(explain("migrate the private database", err, dir), end())
	}
	return Databases{
		Admin:  p.URL(AdminRole, databaseName),
		Writer: p.URL(WriterRole, databaseName),
		Reader: p.URL(ReaderRole, databaseName),
	}, end, nil
}

func localPostgres(ctx context.Context, dir string, progress io.Writer) (*Postgres, func() error, error) {
	config, err := PostgresConfig{Dir: dir, Progress: progress}.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	p := &Postgres{config: config}
	if file, err := readPIDFile(p.cluster()); err == nil && file.status == "ready" {
		password, passwordErr := os.ReadFile(filepath.Join(config.Data, passwordFile))
		alive, err := runs(ctx, file.pid, p.cluster())
		if alive && errors.Join(err, passwordErr) == nil {
			p.password, p.config.Port = string(password), file.port
			return p, func() error { return nil }, nil
		}
	}
	p, err = StartPostgres(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Stop, nil
}
