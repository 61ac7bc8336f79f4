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

// minServer is the oldest supported version: PostgreSQL 16.
const minServer = 160000

var errNotChecked = errors.New("not checked")

// ComponentCheck is the result of a readiness check of one component of the database.
type ComponentCheck struct {
	Name string
	Err  error
}

// Ready checks, in one round trip, that the versions of the server, of pgvector and of the schema are
// at least those this build needs. It does not retry, so that the result is current, except
// after a refused password, as requests do.
func (s *Store) Ready(ctx context.Context, schema int64, pgvector string) []ComponentCheck {
	version, err := s.queries.Version(ctx, s.pool)
	if access.Refused(err) {
		version, err = s.queries.Version(ctx, s.pool)
	}
	server, isServerError := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
	case isServerError && server.Code == "42883": // no such function: the schema precedes it
		return []ComponentCheck{
			{Name: "postgresql"},
			{Name: "pgvector"},
			{Name: "schema", Err: fmt.Errorf("older than version %d; run the migrations", schema)},
		}
	default:
		// Every failure means that the database cannot be used; the reason is for the log.
		err = fmt.Errorf("%w: %w", audit.ErrUnavailable, translate(ctx, "read the versions", err))
		return []ComponentCheck{
			{Name: "postgresql", Err: err},
			{Name: "pgvector", Err: errNotChecked},
			{Name: "schema", Err: errNotChecked},
		}
	}
	return []ComponentCheck{
		{Name: "postgresql", Err: checkAtLeast(int64(version.Server), minServer)},
		{Name: "pgvector", Err: checkPgvector(version.Pgvector, pgvector)},
		{Name: "schema", Err: checkAtLeast(version.SchemaVersion, schema)},
	}
}

func checkAtLeast(have, want int64) error {
	if have < want {
		return fmt.Errorf("version %d, at least %d is needed", have, want)
	}
	return nil
}

func checkPgvector(have, want string) error {
	if have == "" {
		return errors.New("not installed")
	}
	if isOlderVersion(have, want) {
		return fmt.Errorf("version %s, at least %s is needed", have, want)
	}
	return nil
}

func isOlderVersion(have, want string) bool {
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
