package migrations_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// TestUpUpdatesPgvector checks what happens to an extension that is older than what the server offers: a role that may,
// as on RDS, updates it; otherwise it stays if it is recent enough, and is an error if not.
func TestUpUpdatesPgvector(t *testing.T) {
	t.Parallel()
	ordinary := postgrestest.New(t).Server
	// The extension is not trusted. RDS lets its owner update it, another server a superuser alone.
	privileged := postgrestest.NewServer(t)
	execSQL(t, privileged.URL(pgserver.Superuser, "postgres"), "ALTER ROLE "+pgserver.AdminRole+" SUPERUSER")
	offered := queryValue[string](t, newEmptyDatabase(t).AdminURL(), "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
	for name, c := range map[string]struct {
		server                   *pgserver.Server
		installed, want, wantErr string
	}{
		"old and updated":        {server: privileged, installed: "0.8.1", want: offered},
		"enough and updated":     {server: privileged, installed: migrations.MinPgvector, want: offered},
		"latest":                 {server: ordinary, installed: offered, want: offered},
		"enough and not updated": {server: ordinary, installed: migrations.MinPgvector, want: migrations.MinPgvector},
		"old and not updated":    {server: ordinary, installed: "0.8.1", want: "0.8.1", wantErr: "update pgvector 0.8.1, at least " + migrations.MinPgvector},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newEmptyDatabaseOn(t, c.server)
			execSQL(t, db.SuperuserURL(), fmt.Sprintf("UPDATE pg_extension SET extversion = '%s' WHERE extname = 'vector'", c.installed))
			_, err := migrations.Up(t.Context(), db.AdminURL())
			if got := fmt.Sprint(err); c.wantErr == "" && err != nil || !strings.Contains(got, c.wantErr) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
			if got := queryValue[string](t, db.AdminURL(), "SELECT extversion FROM pg_extension WHERE extname = 'vector'"); got != c.want {
				t.Errorf("version %s, want %s", got, c.want)
			}
			applied := queryValue[bool](t, db.AdminURL(), "SELECT to_regclass('remediation_audit') IS NOT NULL")
			if applied != (c.wantErr == "") {
				t.Errorf("migrations applied: %v", applied)
			}
		})
	}
}
