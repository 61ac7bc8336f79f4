package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// The oldest versions that are known to be right: PostgreSQL 16; pgvector 0.8.2 (before it, parallel HNSW builds can overflow).
const (
	minServer   = 160000
	minPgvector = "0.8.2"
)

// Check is what readiness found out about one dependency. Err is nil when it is as it must be.
type Check struct {
	Name string
	Err  error
}

// Ready checks, in one round trip, the server and its version, pgvector and its version, and whether the schema is at least the one
// this build was written for. It tries once, so that the answer is about now;
// twice where the password is refused, because a request would too.
func (s *Store) Ready(ctx context.Context, schema int64) []Check {
	version, err := s.queries.Version(ctx, s.pool)
	if access.Refused(err) {
		version, err = s.queries.Version(ctx, s.pool)
	}
	var server *pgconn.PgError
	switch {
	case err == nil:
	case errors.As(err, &server) && server.Code == "42883":
		return []Check{
			{Name: "postgresql"},
			{Name: "pgvector"},
			{Name: "schema", Err: fmt.Errorf("older than version %d; run the migrations", schema)},
		}
	default:
		// Whatever it is, nothing can be done with this database now; the reason is for the log.
		err = fmt.Errorf("%w: %w", audit.ErrUnavailable, translate(ctx, "ask for versions", err))
		unknown := errors.New("not checked")
		return []Check{{Name: "postgresql", Err: err}, {Name: "pgvector", Err: unknown}, {Name: "schema", Err: unknown}}
	}
	return []Check{
		{Name: "postgresql", Err: atLeast(int64(version.Server), minServer)},
		{Name: "pgvector", Err: pgvectorFit(version.Pgvector)},
		{Name: "schema", Err: atLeast(version.SchemaVersion, schema)},
	}
}

func atLeast(have, want int64) error {
	if have < want {
		return fmt.Errorf("version %d, at least %d is needed", have, want)
	}
	return nil
}

func pgvectorFit(version string) error {
	if version == "" {
		return errors.New("not installed")
	}
	if olderVersion(version, minPgvector) {
		return fmt.Errorf("version %s, at least %s is needed", version, minPgvector)
	}
	return nil
}

func olderVersion(have, want string) bool {
	haveParts, wantParts := strings.Split(have, "."), strings.Split(want, ".")
	for i, part := range wantParts {
		if i >= len(haveParts) {
			return true
		}
		h, _ := strconv.Atoi(haveParts[i])
		w, _ := strconv.Atoi(part)
		if h != w {
			return h < w
		}
	}
	return false
}
