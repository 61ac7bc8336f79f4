package local

import (
	"context"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/pgserver"
)

// TestLocalDatabases checks that the databases of a running server are used, and that otherwise a
// server is started.
func TestLocalDatabases(t *testing.T) {
	t.Parallel()
	dir := stackDir(t)
	server, err := pgserver.Start(t.Context(), pgserver.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{true, false} {
		found, end, err := LocalDatabases(t.Context(), dir, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{found.Admin, found.Writer, found.Reader} {
			checkSchema(t, url)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if running {
			checkSchema(t, server.URL(pgserver.AdminRole, databaseName)) // end must not stop it
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
		} else if conn, err := pgx.Connect(t.Context(), found.Admin); err == nil {
			_ = conn.Close(t.Context())
			t.Error("end did not stop the server that it started")
		}
	}
}

// checkSchema checks that the database was migrated.
func checkSchema(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "SELECT schema_applied()"); err != nil {
		t.Error(err)
	}
}
