package migrations_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Run(m)) }

// newEmptyDatabase creates a database with nothing but pgvector, which only a superuser may install.
func newEmptyDatabase(tb testing.TB) *postgrestest.Database {
	tb.Helper()
	return newEmptyDatabaseOn(tb, postgrestest.New(tb).Server)
}

func newEmptyDatabaseOn(tb testing.TB, server *pgserver.Server) *postgrestest.Database {
	tb.Helper()
	db := &postgrestest.Database{Server: server, Name: "empty_" + strings.ToLower(rand.Text())}
	execSQL(tb, server.URL(pgserver.Superuser, "postgres"), "CREATE DATABASE "+db.Name+" OWNER "+pgserver.AdminRole+" TEMPLATE template0")
	tb.Cleanup(func() {
		execSQL(tb, db.Server.URL(pgserver.Superuser, "postgres"), "DROP DATABASE "+db.Name+" WITH (FORCE)")
	})
	execSQL(tb, db.SuperuserURL(), "CREATE EXTENSION vector")
	return db
}

func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.WithoutCancel(tb.Context()), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

func execSQL(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	conn := connect(tb, url)
	for _, sql := range statements {
		if _, err := conn.Exec(context.WithoutCancel(tb.Context()), sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	_ = conn.Close(context.WithoutCancel(tb.Context()))
}

func queryRows[T any](tb testing.TB, url, sql string, args ...any) []T {
	tb.Helper()
	conn := connect(tb, url)
	found, err := conn.Query(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[T])
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	_ = conn.Close(tb.Context())
	return all
}

func queryValue[T any](tb testing.TB, url, sql string, args ...any) T {
	tb.Helper()
	all := queryRows[T](tb, url, sql, args...)
	if len(all) != 1 {
		tb.Fatalf("%s: %d rows, want 1", sql, len(all))
	}
	return all[0]
}

// tryInTransaction executes statements in a transaction that it rolls back, and returns the server's error for
// the last one.
func tryInTransaction(tb testing.TB, conn *pgx.Conn, statements ...string) *pgconn.PgError {
	tb.Helper()
	tx, err := conn.Begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = tx.Rollback(tb.Context()) }()
	for i, sql := range statements {
		_, err = tx.Exec(tb.Context(), sql)
		if err != nil && i < len(statements)-1 {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	var server *pgconn.PgError
	if err != nil && !errors.As(err, &server) {
		tb.Fatal(err)
	}
	return server
}

// sqlState returns the SQLSTATE, empty for success.
func sqlState(err *pgconn.PgError) string {
	if err == nil {
		return ""
	}
	return err.Code
}
