package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrModelUnknown means that no model of this name is registered.
	ErrModelUnknown = errors.New("the embedding model is not registered")
	// ErrModelIncomplete means that signatures lack a vector of the model: run maintain until none
	// lacks it.
	ErrModelIncomplete = errors.New("signatures lack a vector of the embedding model")
	// ErrModelActive means that the model is in use: activate another one first.
	ErrModelActive = errors.New("the embedding model is the active one")
	// ErrBusy means that running statements locked a table for a minute: try again later.
	ErrBusy = errors.New("running statements hold the tables of vectors")
)

// The SQL functions wait 100 ms for a lock. If they time out, they are retried after lockPause,
// during which other statements proceed, for at most lockPatience in total.
const (
	lockPause    = 500 * time.Millisecond
	lockPatience = time.Minute
)

// RegisterModel creates the partition and the index of an embedding model. The first model becomes
// the active one; registering a known model again changes nothing. It waits for locks as DropModel
// does.
func RegisterModel(ctx context.Context, adminURL, name string, dimensions int) error {
	err := withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		return retryWhileLocked(ctx, func() error {
			_, err := conn.Exec(ctx, "SELECT embedding_model_register($1, $2)", name, dimensions)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("register embedding model %s: %w", name, err)
	}
	return nil
}

// ActivateModel makes a registered model the one that the service writes and searches with, and
// returns how many signatures lack its vector. If any do, it returns ErrModelIncomplete and changes
// nothing, unless forced. The service switches within seconds.
func ActivateModel(ctx context.Context, adminURL, name string, force bool) (missing int64, err error) {
	err = withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT embedding_model_activate($1, $2)", name, force).Scan(&missing)
		if err == nil && missing > 0 && !force {
			return ErrModelIncomplete
		}
		return translateRefusal(err)
	})
	if err != nil {
		return missing, fmt.Errorf("activate embedding model %s: %w", name, err)
	}
	return missing, nil
}

// DropModel drops a model with its vectors and its index. For the active one it returns
// ErrModelActive. It waits for the statements that use the tables of signatures and vectors, 100 ms
// at a time with pauses during which other statements proceed, and returns ErrBusy after a minute.
func DropModel(ctx context.Context, adminURL, name string) error {
	err := withConnection(ctx, adminURL, func(conn *pgx.Conn) error {
		return retryWhileLocked(ctx, func() error {
			_, err := conn.Exec(ctx, "SELECT embedding_model_drop($1)", name)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("drop embedding model %s: %w", name, err)
	}
	return nil
}

// retryWhileLocked calls do until it gets its locks, for at most lockPatience.
func retryWhileLocked(ctx context.Context, do func() error) error {
	for giveUp := time.Now().Add(lockPatience); ; {
		err := do()
		switch {
		case sqlState(err) != "55P03": // lock_not_available
			return translateRefusal(err)
		case time.Now().After(giveUp):
			return ErrBusy
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// translateRefusal translates the SQLSTATEs that the SQL functions raise to this package's errors.
func translateRefusal(err error) error {
	switch sqlState(err) {
	case "P0002": // no_data_found
		return ErrModelUnknown
	case "55006": // object_in_use
		return ErrModelActive
	default:
		return err
	}
}

func sqlState(err error) string {
	var raised *pgconn.PgError
	if errors.As(err, &raised) {
		return raised.Code
	}
	return ""
}
