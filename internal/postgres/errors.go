package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// Attempts is the number of attempts of one call of the store, or of the calls that Retry repeats together.
const Attempts = 5

// retryBase is the upper bound of the pause after the first attempt. It doubles with each attempt; the pause is drawn at random below it
// ("full jitter": AWS Architecture Blog, Exponential Backoff And Jitter, 2015). All pauses together are shorter than a second, so that
// they end before a caller with two seconds gives up.
const retryBase = 50 * time.Millisecond

// retry runs do until it succeeds or fails for good, at most as often as the store attempts a call, and translates its error. do MUST be safe
// to repeat after an unknown outcome; every write of this package is, because it carries its ids.
func retry[T any](ctx context.Context, s *Store, act string, do func(context.Context) (T, error)) (T, error) {
	return Retry(ctx, s.attempts, Transient, func(ctx context.Context) (T, error) {
		result, err := do(ctx)
		if err != nil {
			err = translate(ctx, act, err)
		}
		return result, err
	})
}

// Retry runs do until it succeeds, its error is not retryable, it was attempted that often, or the context ends.
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

// translate turns a driver's error into the domain's, by SQLSTATE. Errors of the domain pass unchanged.
func translate(ctx context.Context, act string, err error) error {
	var server *pgconn.PgError
	switch {
	case domain(err):
		return err
	case ctx.Err() != nil:
		// The context ended: whatever the driver says is a consequence.
		return fmt.Errorf("%s: %w: %w", act, audit.ErrUnavailable, ended(ctx))
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", act, audit.ErrNotFound)
	case errors.As(err, &server):
		return fmt.Errorf("%s: %w: %w", act, meaning(server), err)
	case timedOut(err), broken(err):
		return fmt.Errorf("%s: %w: %w", act, audit.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", act, err)
	}
}

// ended is why the context ended. A cause that somebody gave it does not hide which of the two kinds of end it was.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func domain(err error) bool {
	var faults audit.ValidationErrors
	return errors.As(err, &faults) || errors.Is(err, audit.ErrConflict) || errors.Is(err, audit.ErrNotFound) ||
		errors.Is(err, audit.ErrUnavailable) || errors.Is(err, audit.ErrRefused)
}

// errServer is a server's error that has no other meaning: a fault of this service.
var errServer = errors.New("the database reports a fault")

// meaning maps an SQLSTATE (PostgreSQL documentation, appendix A) to what a caller can do about it.
func meaning(server *pgconn.PgError) error {
	switch code := server.Code; {
	case isSignatureGone(server),
		code == "40001", code == "40P01", // serialization failure, deadlock
		code == "53300",                  // too many connections
		code == "55P03", code == "57014", // lock not available, statement timeout
		code == "25006",                                // read-only: a fail-over is under way
		strings.HasPrefix(code, "08"),                  // connection exception
		strings.HasPrefix(code, "57P0"),                // shutdown, crash, cannot connect now
		strings.HasPrefix(code, "28"), code == "3D000", // access denied, no such database: a password that changes, a set-up under way
		code == "53100", code == "53200", code == "58030": // disk full, out of memory, I/O error
		return audit.ErrUnavailable
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), // data exception, constraint violation
		strings.HasPrefix(code, "54"): // program limit exceeded: a key too long for its index
		return audit.ErrRefused
	default:
		return errServer
	}
}

// isSignatureGone reports a write of something that belongs to a signature which was dropped at that moment, or before, when it was remembered
// to be stored; or the database is another one than before, restored or made anew. The same write is to be sent again, with the signature.
func isSignatureGone(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "23503" &&
		(server.ConstraintName == "remediation_audit_signature_id_fkey" || server.ConstraintName == "embedding_signature_id_fkey")
}

// Transient reports whether the same call may succeed in a moment: after a lost connection, a restart of the server, a deadlock, too many
// connections, a signature dropped meanwhile, or a rotated password, which the next connection has. It does not after a statement timeout or
// on a full disk: these are left to the caller.
func Transient(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return errors.Is(err, audit.ErrUnavailable) && !errors.Is(err, ErrModelUnknown)
	}
	return isSignatureGone(server) || access.Refused(server) || server.Code == "40001" || server.Code == "40P01" || server.Code == "53300" ||
		strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P0")
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || pgconn.Timeout(err)
}

// broken reports a connection that could not be made, was cut, or is closed already.
func broken(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
