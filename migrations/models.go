package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a change of embedding models is refused for.
var (
	// ErrModelUnknown means that no model of this name is registered.
	ErrModelUnknown = errors.New("the embedding model is not registered")
	// ErrModelIncomplete means that signatures lack a vector of the model: run maintain until it has them all.
	ErrModelIncomplete = errors.New("signatures lack a vector of the embedding model")
	// ErrModelActive means that the model is in use: make another one active before.
	ErrModelActive = errors.New("the embedding model is the active one")
	// ErrBusy means that statements under way held a table for longer than anybody should wait behind them: try again later.
	ErrBusy = errors.New("statements under way hold the tables of vectors")
)

// A lock that is not to be had within the functions' 100 ms is tried for again after pause, for patience altogether. Between two tries
// everybody else goes on.
const (
	lockPause    = 500 * time.Millisecond
	lockPatience = time.Minute
)

// RegisterModel makes the partition and the index of an embedding model. The first model registered becomes the active
// one; registering a known model again changes nothing. See DropModel for what it waits for.
func RegisterModel(ctx context.Context, adminURL, name string, dimensions int) error {
	err := withConn(ctx, adminURL, func(conn *pgx.Conn) error {
		return insist(ctx, func() error {
			_, err := conn.Exec(ctx, "SELECT embedding_model_register($1, $2)", name, dimensions)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("register embedding model %s: %w", name, err)
	}
	return nil
}

// ActivateModel makes a registered model the one that is written and searched with, in one transaction, and answers how many signatures
// lack its vector. If there are any, it is ErrModelIncomplete and nothing changes, unless forced. Functions notice within seconds.
func ActivateModel(ctx context.Context, adminURL, name string, force bool) (missing int64, err error) {
	err = withConn(ctx, adminURL, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT embedding_model_activate($1, $2)", name, force).Scan(&missing)
		if err == nil && missing > 0 && !force {
			return ErrModelIncomplete
		}
		return refusal(err)
	})
	if err != nil {
		return missing, fmt.Errorf("activate embedding model %s: %w", name, err)
	}
	return missing, nil
}

// DropModel drops a model with its vectors and its index; the active one is ErrModelActive. It waits for the statements that are using
// the tables of signatures and vectors at the moment, a tenth of a second at a time, and lets everybody else go on in between; after a
// minute of that it is ErrBusy.
func DropModel(ctx context.Context, adminURL, name string) error {
	err := withConn(ctx, adminURL, func(conn *pgx.Conn) error {
		return insist(ctx, func() error {
			_, err := conn.Exec(ctx, "SELECT embedding_model_drop($1)", name)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("drop embedding model %s: %w", name, err)
	}
	return nil
}

// insist runs do until it gets its locks.
func insist(ctx context.Context, do func() error) error {
	for giveUp := time.Now().Add(lockPatience); ; {
		err := do()
		switch {
		case code(err) != "55P03": // lock_not_available
			return refusal(err)
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

// refusal turns what the functions raise into this package's errors.
func refusal(err error) error {
	switch code(err) {
	case "P0002": // no_data_found
		return ErrModelUnknown
	case "55006": // object_in_use
		return ErrModelActive
	default:
		return err
	}
}

func code(err error) string {
	var raised *pgconn.PgError
	if errors.As(err, &raised) {
		return raised.Code
	}
	return ""
}
