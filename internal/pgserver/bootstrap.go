package pgserver

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/migrations"
)

// The roles of the service. AdminRole owns the database and runs the migrations, which create the
// other two.
const (
	AdminRole  = "datastorage_admin"
	WriterRole = "datastorage_writer"
	ReaderRole = "datastorage_reader"
)

// Bootstrap migrates the named database to the newest schema, after creating the database and the
// roles of the service if they are missing. It may be repeated, and called concurrently for several
// databases. It does not register embedding models.
func (s *Server) Bootstrap(ctx context.Context, database string) error {
	// Roles belong to the whole server, and of two sessions that alter the same role concurrently
	// one fails.
	s.bootstrap.Lock()
	defer s.bootstrap.Unlock()
	if err := s.createAndMigrate(ctx, database); err != nil {
		return explain("set up database "+database, err, s.config.Data)
	}
	return nil
}

func (s *Server) createAndMigrate(ctx context.Context, database string) error {
	err := s.runAsSuperuser(ctx, "postgres", func(conn *pgx.Conn) error { return s.createDatabase(ctx, conn, database) })
	if err != nil {
		return fmt.Errorf("create it: %w", err)
	}
	// pgvector is not a trusted extension, so the owner of a database may not create it.
	err = s.runAsSuperuser(ctx, database, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS vector")
		return err
	})
	if err != nil {
		return fmt.Errorf("create extension vector: %w", err)
	}
	admin := s.URL(AdminRole, database)
	if _, err := migrations.Up(ctx, admin); err != nil {
		return err
	}
	if err := migrations.Configure(ctx, admin); err != nil {
		return err
	}
	return s.runAsSuperuser(ctx, "postgres", func(conn *pgx.Conn) error {
		return errors.Join(s.setPassword(ctx, conn, WriterRole), s.setPassword(ctx, conn, ReaderRole))
	})
}

func (s *Server) runAsSuperuser(ctx context.Context, database string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, s.URL(Superuser, database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}

func (s *Server) createDatabase(ctx context.Context, conn *pgx.Conn, database string) error {
	var hasRole, hasDatabase bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		EXISTS (SELECT FROM pg_database WHERE datname = $2)`, AdminRole, database).Scan(&hasRole, &hasDatabase)
	if err != nil {
		return err
	}
	if !hasRole {
		if _, err := conn.Exec(ctx, "CREATE ROLE "+AdminRole+" LOGIN CREATEROLE"); err != nil {
			return err
		}
	}
	if err := s.setPassword(ctx, conn, AdminRole); err != nil || hasDatabase {
		return err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' %s",
		pgx.Identifier{database}.Sanitize(), AdminRole, s.localeClause()))
	return err
}

// localeClause selects code point order with Unicode case mapping, as far as each version supports
// it without ICU: from the builtin provider since PostgreSQL 17, before that from the C library,
// which lacks it on macOS.
func (s *Server) localeClause() string {
	switch {
	case s.config.Version >= 17:
		return "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
	case runtime.GOOS == "darwin":
		return "LOCALE 'C'"
	default:
		return "LOCALE 'C.UTF-8'"
	}
}

// setPassword gives a role the password that all roles share. It consists of letters and digits, so
// it needs no quoting.
func (s *Server) setPassword(ctx context.Context, conn *pgx.Conn, role string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, s.password))
	return err
}
