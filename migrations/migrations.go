// Package migrations holds the schema as numbered SQL files and runs them: the only truth about what the database looks
// like. It knows nothing of what the service does with the tables.
//
// Everything here connects as datastorage_admin, the role that owns the database, on a direct connection: never through
// RDS Proxy, because the lock that makes two runs at once safe belongs to a session.
package migrations

import (
	"context"
	"database/sql"
	"embed"
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

//go:embed *.sql
var files embed.FS

// VersionTable is the table in which the applied versions are kept.
const VersionTable = "schema_version"

// Migration is one numbered file.
type Migration struct {
	Version int64
	// Name is the file's name, for example 0003_remediation.sql.
	Name string
	// SQL is the file as it stands, with the runner's annotations.
	SQL string
}

// All returns every migration, oldest first.
func All() []Migration {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil
	}
	all := make([]Migration, 0, len(entries))
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			continue
		}
		text, err := files.ReadFile(entry.Name())
		if err != nil {
			continue
		}
		all = append(all, Migration{Version: version, Name: entry.Name(), SQL: string(text)})
	}
	return all
}

// Latest is the version that this build of the service was written for.
func Latest() int64 {
	all := All()
	return all[len(all)-1].Version
}

// Up applies every migration the database lacks, each in its own transaction, and returns those it applied, oldest first.
// Runs at the same time wait for each other. Running it again applies nothing.
func Up(ctx context.Context, adminURL string) ([]Migration, error) {
	return UpTo(ctx, adminURL, Latest())
}

// UpTo is Up as far as the given version.
func UpTo(ctx context.Context, adminURL string, version int64) ([]Migration, error) {
	var applied []Migration
	err := withProvider(adminURL, func(p *goose.Provider) error {
		results, err := p.UpTo(ctx, version)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		applied = named(results)
		if err != nil {
			return fmt.Errorf("apply migrations: %w", err)
		}
		return nil
	})
	return applied, err
}

// Pending returns the migrations that Up would apply, oldest first, and changes nothing.
func Pending(ctx context.Context, adminURL string) ([]Migration, error) {
	var current int64
	err := withConn(ctx, adminURL, func(conn *pgx.Conn) (err error) {
		current, err = version(ctx, conn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema version: %w", err)
	}
	var pending []Migration
	for _, migration := range All() {
		if migration.Version > current {
			pending = append(pending, migration)
		}
	}
	return pending, nil
}

// version is the newest that was applied. The runner would make its table to find out.
func version(ctx context.Context, conn *pgx.Conn) (current int64, err error) {
	var begun bool
	err = conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", VersionTable).Scan(&begun)
	if err != nil || !begun {
		return 0, err
	}
	err = conn.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+VersionTable+" WHERE is_applied").Scan(&current)
	return current, err
}

// Configure sets what belongs to the database rather than to its tables and is not copied with them: how HNSW indexes are
// searched. It needs the vector extension, so it runs after Up. New connections see the settings.
//
// relaxed_order lets a filtered search go on until enough rows pass the filter (pgvector's documentation, "Iterative Index
// Scans"); the service sorts what comes back. max_scan_tuples ends a walk that finds little, where measuring all that pass is as fast and
// misses none (docs/decisions/007).
func Configure(ctx context.Context, adminURL string) error {
	return withConn(ctx, adminURL, func(conn *pgx.Conn) error {
		// The first use of the type loads the extension's library, without which its settings may not be named here.
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

// ErrNoIAM means that the server does not know logins by IAM token: it is not one of RDS.
var ErrNoIAM = errors.New("the database has no role rds_iam")

// LoginByIAM lets the service's two roles log in with IAM tokens, which they need behind a proxy that authenticates so, and no longer
// with passwords (RDS's guide, "Creating a database account using IAM authentication"). It needs the roles, so it runs after Up.
func LoginByIAM(ctx context.Context, adminURL string) error {
	return withConn(ctx, adminURL, func(conn *pgx.Conn) error {
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
		return nil, fmt.Errorf("make the migration lock: %w", err)
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

func withConn(ctx context.Context, adminURL string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("connect as the schema's owner: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}

func named(results []*goose.MigrationResult) []Migration {
	byVersion := map[int64]Migration{}
	for _, migration := range All() {
		byVersion[migration.Version] = migration
	}
	applied := make([]Migration, 0, len(results))
	for _, result := range results {
		applied = append(applied, byVersion[result.Source.Version])
	}
	return applied
}
