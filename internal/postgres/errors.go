package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// A transient fault is tried again this often, with the same ids, after a pause that doubles from retryBase and is drawn at random
// up to that bound ("full jitter": AWS Architecture Blog, Exponential Backoff And Jitter, 2015). Together the pauses end before
// a caller with two seconds gives up.
const (
	attempts  = 5
	retryBase = 50 * time.Millisecond
)

// retry runs do until it succeeds, fails for good, or the attempts or the context end; the error is translated. do must be safe to
// repeat after an unknown outcome: every write of this package is, because it carries its ids.
func retry[T any](ctx context.Context, act string, do func(context.Context) (T, error)) (T, error) {
	for attempt := 0; ; attempt++ {
		result, err := do(ctx)
		if err == nil {
			return result, nil
		}
		err = translate(ctx, act, err)
		if !errors.Is(err, audit.ErrUnavailable) || attempt == attempts-1 {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(rand.N(retryBase << attempt)):
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
		return fmt.Errorf("%s: %w: %w", act, audit.ErrUnavailable, context.Cause(ctx))
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", act, audit.ErrNotFound)
	case errors.As(err, &server):
		return fmt.Errorf("%s: %w: %w", act, meaning(server.Code), err)
	case timedOut(err), broken(err):
		return fmt.Errorf("%s: %w: %w", act, audit.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", act, err)
	}
}

func domain(err error) bool {
	var faults audit.Faults
	return errors.As(err, &faults) || errors.Is(err, audit.ErrConflict) || errors.Is(err, audit.ErrNotFound) ||
		errors.Is(err, audit.ErrUnavailable) || errors.Is(err, audit.ErrRefused)
}

// errServer is a server's error that has no other meaning: a fault of this service.
var errServer = errors.New("the database reports a fault")

// meaning maps an SQLSTATE (PostgreSQL documentation, appendix A) to what a caller can do about it.
func meaning(code string) error {
	switch {
	case code == "40001", code == "40P01", // serialization failure, deadlock
		code == "53300",                  // too many connections
		code == "55P03", code == "57014", // lock not available, statement timeout
		code == "25006",                                   // read-only: a fail-over is under way
		strings.HasPrefix(code, "08"),                     // connection exception
		strings.HasPrefix(code, "57P0"),                   // shutdown, crash, cannot connect now
		code == "53100", code == "53200", code == "58030": // disk full, out of memory, I/O error
		return audit.ErrUnavailable
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"): // data exception, constraint violation
		return audit.ErrRefused
	default:
		return errServer
	}
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || pgconn.Timeout(err)
}

// broken reports a connection that could not be made or was cut: the driver has no sentinel for those, but every error of the server
// or of the values sent is of another type.
func broken(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || pgconn.SafeToRetry(err) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"unexpected EOF", "EOF", "connection reset", "broken pipe", "conn closed", "closed network connection"} {
		if strings.HasSuffix(text, sign) {
			return true
		}
	}
	return false
}
