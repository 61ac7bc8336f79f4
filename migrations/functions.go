package migrations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// functionTable holds the checksum of each function file that was applied.
const functionTable = "schema_function"

// applyFunctions applies the files of functions/ that changed since they were last applied, in one
// transaction. It does nothing if the schema's version differs from Latest, because the functions
// depend on the tables of that version.
func applyFunctions(ctx context.Context, conn *pgx.Conn) (applied []Migration, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('schema_function'))"); err != nil {
			return err
		}
		if current, err := schemaVersion(ctx, tx); err != nil || current != Latest() {
			return err
		}
		applied, err = changedFunctions(ctx, tx)
		if err != nil {
			return err
		}
		for _, function := range applied {
			if err := applyFunction(ctx, tx, function); err != nil {
				return fmt.Errorf("%s: %w", function.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("apply functions: %w", err)
	}
	return applied, nil
}

func applyFunction(ctx context.Context, tx pgx.Tx, function Migration) error {
	if _, err := tx.Exec(ctx, function.SQL); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+functionTable+" (name, checksum) VALUES ($1, $2)"+
		" ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()", function.Name, functionChecksum(function))
	return err
}

// changedFunctions returns the function files whose checksum differs from the recorded one, ordered
// by name.
func changedFunctions(ctx context.Context, db querier) ([]Migration, error) {
	recorded := map[string]string{}
	exists, err := tableExists(ctx, db, functionTable)
	if err != nil {
		return nil, err
	}
	if exists {
		rows, err := db.Query(ctx, "SELECT name, checksum FROM "+functionTable)
		if err != nil {
			return nil, err
		}
		var name, sum string
		_, err = pgx.ForEachRow(rows, []any{&name, &sum}, func() error {
			recorded[name] = sum
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var changed []Migration
	for _, function := range functionFiles() {
		if recorded[function.Name] != functionChecksum(function) {
			changed = append(changed, function)
		}
	}
	return changed, nil
}

func functionChecksum(function Migration) string {
	sum := sha256.Sum256([]byte(function.SQL))
	return hex.EncodeToString(sum[:])
}
