package postgrestest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/migrations"
)

// template is the name of the database that every test database is a copy of.
const template = "datastorage_template"

// startSeeded starts a server on a copy of the seed, made by makeSeed.
func startSeeded(ctx context.Context, data string) (*pgserver.Server, error) {
	seed, err := makeSeed(ctx)
	if err != nil {
		return nil, err
	}
	if err := copyTree(ctx, seed, data); err != nil {
		return nil, err
	}
	return startServer(ctx, data)
}

// makeSeed returns the data directory of a stopped server with the template database. The directory is kept below
// .local until one of its sources changes, because initdb and the migrations cost more CPU time than most tests.
func makeSeed(ctx context.Context) (string, error) {
	local, err := program.DefaultDir()
	if err != nil {
		return "", err
	}
	key, err := hashSources(filepath.Dir(local), "migrations", "internal/pgserver", "internal/postgrestest")
	if err != nil {
		return "", err
	}
	prefix := filepath.Join(local, "test-postgres"+os.Getenv(VersionVariable)+"-")
	return prefix + key, program.MakeOnce(ctx, prefix+key, func(staging string) (string, error) {
		removeOldSeeds(prefix)
		// Not in staging, because the user that runs the server may not be able to enter it.
		data := newDataDir()
		if err := fillSeed(ctx, data); err != nil {
			return "", errors.Join(fmt.Errorf("make the template database: %w", err), removeDataDir(data))
		}
		made := filepath.Join(staging, "data")
		return made, errors.Join(copyTree(ctx, data, made), removeDataDir(data))
	})
}

// hashSources returns a hash of the names and contents of all files in the folders below root, except tests.
func hashSources(root string, folders ...string) (string, error) {
	hash := sha256.New()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			_, _ = fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// removeOldSeeds keeps the seeds of the last hour, because tests of another branch may be copying one.
func removeOldSeeds(prefix string) {
	seeds, _ := filepath.Glob(prefix + "*")
	for _, seed := range seeds {
		if info, err := os.Stat(seed); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(seed)
		}
	}
}

func fillSeed(ctx context.Context, data string) error {
	server, err := startServer(ctx, data)
	if err != nil {
		return err
	}
	return errors.Join(fillTemplate(ctx, server), server.Stop())
}

func fillTemplate(ctx context.Context, server *pgserver.Server) error {
	if err := server.Bootstrap(ctx, template); err != nil {
		return err
	}
	if err := migrations.RegisterModel(ctx, server.URL(pgserver.AdminRole, template), Model, Dimensions); err != nil {
		return err
	}
	// initdb set this role's password before scram_iterations applied.
	password, err := passwordOf(server)
	if err != nil {
		return err
	}
	return executeAsSuperuser(ctx, server, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", pgserver.Superuser, password))
}

// executeAsSuperuser runs a statement as the superuser, in the database "postgres".
func executeAsSuperuser(ctx context.Context, server *pgserver.Server, sql string) error {
	conn, err := pgx.Connect(ctx, server.URL(pgserver.Superuser, "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// copyTree copies a folder with its permissions and, if root runs the tests, with its owner.
func copyTree(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-Rp", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}
