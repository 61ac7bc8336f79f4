package pgserver

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/migrations"
)

// The roles of the service. The first owns the database and runs migrations, which make the other two.
const (
	AdminRole  = "datastorage_admin"
	WriterRole = "datastorage_writer"
	ReaderRole = "datastorage_reader"
)

// Bootstrap brings the named database to the newest schema, making it, and the roles of the service, if they are missing. It
// may be repeated, and called at the same time for several databases. It registers no embedding model.
func (p *Server) Bootstrap(ctx context.Context, database string) error {
	// Roles belong to the whole server, and when two sessions alter the same one at once, one of them fails.
	p.bootstrap.Lock()
	defer p.bootstrap.Unlock()
	err := p.runAsSuperuser(ctx, "postgres", func(conn *pgx.Conn) error { return p.createDatabase(ctx, conn, database) })
	if err != nil {
		return fmt.Errorf("make database %s: %w", database, err)
	}
	// pgvector is not marked as trusted, so a database's owner may not create it.
	err = p.runAsSuperuser(ctx, database, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS vector")
		return err
	})
	if err != nil {
		return fmt.Errorf("make pgvector known to database %s: %w", database, err)
	}
	admin := p.URL(AdminRole, database)
	if _, err := migrations.Up(ctx, admin); err != nil {
		return err
	}
	if err := migrations.Configure(ctx, admin); err != nil {
		return err
	}
	return p.runAsSuperuser(ctx, "postgres", func(conn *pgx.Conn) error {
		return errors.Join(p.setPassword(ctx, conn, WriterRole), p.setPassword(ctx, conn, ReaderRole))
	})
}

func (p *Server) runAsSuperuser(ctx context.Context, database string, do func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, p.URL(Superuser, database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return do(conn)
}

func (p *Server) createDatabase(ctx context.Context, conn *pgx.Conn, database string) error {
	var role, made bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		EXISTS (SELECT FROM pg_database WHERE datname = $2)`, AdminRole, database).Scan(&role, &made)
	if err != nil {
		return err
	}
	if !role {
		if _, err := conn.Exec(ctx, "CREATE ROLE "+AdminRole+" LOGIN CREATEROLE"); err != nil {
			return err
		}
	}
	if err := p.setPassword(ctx, conn, AdminRole); err != nil || made {
		return err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0 ENCODING 'UTF8' %s",
		pgx.Identifier{database}.Sanitize(), AdminRole, p.localeClause()))
	return err
}

// localeClause is the clause for text in code point order with Unicode's letter cases, the nearest that each version offers without
// ICU: built in since PostgreSQL 17, before that from the C library, where macOS has none.
func (p *Server) localeClause() string {
	switch {
	case p.config.Version >= 17:
		return "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
	case runtime.GOOS == "darwin":
		return "LOCALE 'C'"
	default:
		return "LOCALE 'C.UTF-8'"
	}
}

// setPassword gives the role the server's one password, which is random letters and digits and needs no quoting.
func (p *Server) setPassword(ctx context.Context, conn *pgx.Conn, role string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, p.password))
	return err
}
