package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// Attempts is the number of attempts of one call of the store, or of the calls that Retry repeats
// together.
const Attempts = 5

// retryBase is the upper bound of the pause after the first attempt. It doubles with each attempt;
// the pause is random ("full jitter": AWS Architecture Blog, Exponential Backoff And Jitter, 2015).
// All pauses together are shorter than a second, to fit into a caller's timeout of two seconds.
const retryBase = 50 * time.Millisecond

// retry runs do until it succeeds or fails with an error that is not transient, at most s.attempts
// times, and translates the error. do MUST be safe to repeat after an unknown outcome: every write of
// this package is, because it carries its IDs.
func retry[T any](
	ctx context.Context, s *Store, action string, do func(context.Context) (T, error),
) (T, error) {
	return Retry(ctx, s.attempts, Transient, func(ctx context.Context) (T, error) {
		result, err := do(ctx)
		if err != nil {
			err = translate(ctx, action, err)
		}
		return result, err
	})
}

// Retry runs do until it succeeds, its error is not retryable, the attempts are used up, or the
// context ends.
func Retry[T any](
	ctx context.Context, attempts int, retryable func(error) bool, do func(context.Context) (T, error),
) (T, error) {
	for attempt := 1; ; attempt++ {
		result, err := do(ctx)
		if err == nil || !retryable(err) || attempt == attempts {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(rand.N(retryBase << (attempt - 1))):
		}
	}
}

// Transient reports whether an immediate retry may succeed: lost connection, restart, deadlock,
// too many connections, dropped signature, rotated password. Statement timeouts and a full disk are
// left to the caller.
func Transient(err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return errors.Is(err, audit.ErrUnavailable) && !errors.Is(err, ErrModelUnknown)
	}
	switch server.Code {
	case "40001", "40P01", "53300": // serialization failure, deadlock, too many connections
		return true
	}
	return isSignatureGone(server) || access.Refused(server) ||
		strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P0") // connection, shutdown
}
