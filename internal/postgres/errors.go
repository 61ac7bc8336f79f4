package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// errServer is a server error that callers cannot resolve: a bug of this service or its deployment.
var errServer = errors.New("the database reports an error")

// translate turns an error of the driver into one of the domain, by SQLSTATE. Errors of the domain
// are returned unchanged.
func translate(ctx context.Context, action string, err error) error {
	server, isServerError := errors.AsType[*pgconn.PgError](err)
	switch {
	case isDomainError(err):
		return err
	case ctx.Err() != nil:
		// The driver's error is a consequence of the context's end.
		return fmt.Errorf("%s: %w: %w", action, audit.ErrUnavailable, contextError(ctx))
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", action, audit.ErrNotFound)
	case isServerError:
		return fmt.Errorf("%s: %w: %w", action, classifyServerError(server), err)
	case isTimeout(err), isConnectionError(err):
		return fmt.Errorf("%s: %w: %w", action, audit.ErrUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}

// contextError returns the context's error, joined with its cause if one was set, so that errors.Is
// still finds Canceled or DeadlineExceeded.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func isDomainError(err error) bool {
	if _, ok := errors.AsType[audit.ValidationErrors](err); ok {
		return true
	}
	for _, sentinel := range []error{audit.ErrConflict, audit.ErrNotFound, audit.ErrUnavailable, audit.ErrRefused} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// classifyServerError maps an SQLSTATE (PostgreSQL documentation, appendix A) to the sentinel for
// the caller.
func classifyServerError(server *pgconn.PgError) error {
	switch code := server.Code; {
	case isSignatureGone(server),
		code == "40001", code == "40P01", // serialization failure, deadlock
		code == "53300",                  // too many connections
		code == "55P03", code == "57014", // lock not available, statement timeout
		code == "25006",                                // read-only transaction: a failover is in progress
		strings.HasPrefix(code, "08"),                  // connection exception
		strings.HasPrefix(code, "57P0"),                // shutdown, crash, cannot connect now
		strings.HasPrefix(code, "28"), code == "3D000", // access denied, no such database: a rotated password, a setup in progress
		code == "53100", code == "53200", code == "58030": // disk full, out of memory, I/O error
		return audit.ErrUnavailable
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), // data exception, constraint violation
		strings.HasPrefix(code, "54"): // program limit exceeded: a key too long for its index
		return audit.ErrRefused
	default:
		return errServer
	}
}

// isSignatureGone reports a reference to a signature that does not exist: it was dropped during the
// write, or this store remembers it although it was dropped earlier, or the database was restored
// or recreated. Retry the write, including the signature.
func isSignatureGone(err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || server.Code != "23503" {
		return false
	}
	return server.ConstraintName == "remediation_audit_signature_id_fkey" ||
		server.ConstraintName == "embedding_signature_id_fkey"
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || pgconn.Timeout(err)
}

// isConnectionError reports a connection that could not be made, broke, or was closed.
func isConnectionError(err error) bool {
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connect || network || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
