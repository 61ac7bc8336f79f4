// Package migrations defines the database's schema and applies it. Numbered SQL files, each applied
// once, define the tables; functions/ has a file for each function, applied again whenever it
// changes. schema.sql shows the resulting tables.
//
// The package's functions connect as datastorage_admin, the role that owns the database, and never
// through RDS Proxy, because the lock that makes concurrent runs safe belongs to a session.
package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed [0-9]*.sql functions/*.sql
var files embed.FS

// VersionTable is the name of the table of applied versions.
const VersionTable = "schema_version"

// Migration is one file: a numbered migration, applied once, or a function, applied again whenever
// it changes.
type Migration struct {
	// Version is the number of a migration, 0 for a function.
	Version int64
	// Name is the file's path, for example 0003_remediation.sql or functions/stats_key.sql.
	Name string
	// SQL is the file's content, with the runner's annotations.
	SQL string
}

// All returns every file in the order in which they are applied: the numbered ones, oldest first,
// then the functions by name.
func All() []Migration { return append(numberedFiles(), functionFiles()...) }

func numberedFiles() []Migration { return filesMatching("[0-9]*.sql") }
func functionFiles() []Migration { return filesMatching("functions/*.sql") }

// filesMatching reads the embedded files of a pattern. It cannot fail: the pattern is constant and
// the files are in memory.
func filesMatching(pattern string) []Migration {
	names, _ := fs.Glob(files, pattern)
	all := make([]Migration, len(names))
	for i, name := range names {
		content, _ := files.ReadFile(name)
		number, _, _ := strings.Cut(name, "_")
		version, _ := strconv.ParseInt(number, 10, 64)
		all[i] = Migration{Version: version, Name: name, SQL: string(content)}
	}
	return all
}

// Latest returns the schema version of this build.
func Latest() int64 {
	numbered := numberedFiles()
	return numbered[len(numbered)-1].Version
}

// Digest identifies the content of all files. A deployment runs the migrations if it differs from
// that of the previous deployment.
func Digest() string {
	hash := sha256.New()
	for _, file := range All() {
		_, _ = fmt.Fprintf(hash, "%s\n%s\n", file.Name, file.SQL)
	}
	return hex.EncodeToString(hash.Sum(nil)[:6])
}

// Up updates pgvector if the server offers a later version, applies every migration that the database
// lacks, each in a transaction of its own, then every function that changed, and returns what it
// applied, in that order. Concurrent runs wait for each other. Running it again applies nothing.
func Up(ctx context.Context, adminURL string) ([]Migration, error) {
	err := withConnection(ctx, adminURL, func(conn *pgx.Conn) error { return updatePgvector(ctx, conn) })
	if err != nil {
		return nil, err
	}
	applied, err := UpTo(ctx, adminURL, Latest())
	if err != nil {
		return applied, err
	}
	err = withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		functions, err := applyFunctions(ctx, conn)
		applied = append(applied, functions...)
		return err
	})
	return applied, err
}

// UpTo applies the migrations up to the given version, but not the functions.
func UpTo(ctx context.Context, adminURL string, version int64) ([]Migration, error) {
	var applied []Migration
	err := withProvider(adminURL, func(p *goose.Provider) error {
		results, err := p.UpTo(ctx, version)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		applied = appliedMigrations(results)
		if err != nil {
			return fmt.Errorf("apply migrations: %w", err)
		}
		return nil
	})
	return applied, err
}

// Pending returns what Up would apply, in that order, and changes nothing.
func Pending(ctx context.Context, adminURL string) (pending []Migration, err error) {
	err = withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		current, err := schemaVersion(ctx, conn)
		if err != nil || current > Latest() {
			return err
		}
		for _, migration := range numberedFiles() {
			if migration.Version > current {
				pending = append(pending, migration)
			}
		}
		functions, err := changedFunctions(ctx, conn)
		pending = append(pending, functions...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema version: %w", err)
	}
	return pending, nil
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// schemaVersion returns the newest applied version, 0 if none. The runner's own query is not used
// because it would create the version table.
func schemaVersion(ctx context.Context, db querier) (current int64, err error) {
	exists, err := tableExists(ctx, db, VersionTable)
	if err != nil || !exists {
		return 0, err
	}
	err = db.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+VersionTable+" WHERE is_applied").Scan(&current)
	return current, err
}

func tableExists(ctx context.Context, db querier, table string) (exists bool, err error) {
	err = db.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&exists)
	return exists, err
}

// Configure sets the parameters of HNSW index searches. They belong to the database, are not copied
// with its tables, and apply to new connections. They need the vector extension, so Configure runs
// after Up.
//
// relaxed_order continues a filtered search until enough rows match (pgvector's documentation,
// "Iterative Index Scans"); the service sorts the result. max_scan_tuples ends a search that finds
// few rows, because an exact search is then as fast, and complete (docs/decisions/007).
func Configure(ctx context.Context, adminURL string) error {
	return withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		// The first use of the type vector loads the extension's library, which defines the
		// settings.
		_, err := conn.Exec(ctx, `DO $$
BEGIN
	PERFORM '[1]'::vector;
	EXECUTE format('ALTER DATABASE %I SET hnsw.iterative_scan = relaxed_order', current_database());
	EXECUTE format('ALTER DATABASE %I SET hnsw.ef_search = 100', current_database());
	EXECUTE format('ALTER DATABASE %I SET hnsw.max_scan_tuples = 5000', current_database());
END
$$`)
		if err != nil {
			return fmt.Errorf("set the vector search settings: %w", err)
		}
		return nil
	})
}

// ErrNoIAM means that the server does not support IAM authentication because it is not an RDS
// server.
var ErrNoIAM = errors.New("the database has no role rds_iam")

// LoginByIAM switches the service's two roles from passwords to IAM tokens, which a proxy with IAM
// authentication requires (RDS's guide, "Creating a database account using IAM authentication"). It
// needs the roles, so it runs after Up.
func LoginByIAM(ctx context.Context, adminURL string) error {
	return withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		var known bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam')").Scan(&known); err != nil {
			return fmt.Errorf("look for rds_iam: %w", err)
		}
		if !known {
			return ErrNoIAM
		}
		if _, err := conn.Exec(ctx, "GRANT rds_iam TO datastorage_writer, datastorage_reader"); err != nil {
			return fmt.Errorf("let the service's roles log in by IAM: %w", err)
		}
		return nil
	})
}

func withProvider(adminURL string, do func(*goose.Provider) error) (err error) {
	config, err := pgx.ParseConfig(adminURL)
	if err != nil {
		return fmt.Errorf("parse the database URL: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	return do(provider)
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, fmt.Errorf("create the migration lock: %w", err)
	}
	store, err := database.NewStore(database.DialectPostgres, VersionTable)
	if err != nil {
		return nil, fmt.Errorf("name the version table: %w", err)
	}
	provider, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithSessionLocker(locker))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func withConnection(ctx context.Context, adminURL string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("connect as the schema's owner: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}

func appliedMigrations(results []*goose.MigrationResult) []Migration {
	byVersion := map[int64]Migration{}
	for _, migration := range numberedFiles() {
		byVersion[migration.Version] = migration
	}
	applied := make([]Migration, 0, len(results))
	for _, result := range results {
		applied = append(applied, byVersion[result.Source.Version])
	}
	return applied
}
