package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// MinPgvector is the oldest supported version of pgvector: parallel HNSW builds of older ones can
// overflow.
const MinPgvector = "0.8.2"

// pgvector is the extension in a database. An upgrade of the server changes what it offers, not what is
// installed.
type pgvector struct {
	// offered and installed are versions, or empty.
	offered, installed string
	// outdated is set if a later version than the installed one is offered.
	outdated bool
	// offersEnough and isEnough are set if what is offered, or installed, is at least MinPgvector.
	offersEnough, isEnough bool
}

// updatePgvector updates the extension to the version that the server offers. It is an error if the
// installed version, or what would be installed, is older than MinPgvector and stays so. A recent one
// that this role may not update stays as it is.
func updatePgvector(ctx context.Context, conn *pgx.Conn) error {
	var v pgvector
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('pgvector'))"); err != nil {
			return err
		}
		if v, err = readPgvector(ctx, tx); err != nil || !v.outdated {
			return err
		}
		_, err = tx.Exec(ctx, "ALTER EXTENSION vector UPDATE")
		return err
	})
	switch {
	case v.isEnough:
		return nil // also if it could not be updated
	case err != nil:
		return fmt.Errorf("update pgvector %s, at least %s is needed: %w", v.installed, MinPgvector, err)
	case v.offered == "":
		return errors.New("the server does not offer pgvector, the extension vector")
	case !v.offersEnough:
		return fmt.Errorf("the server offers pgvector %s, at least %s is needed", v.offered, MinPgvector)
	}
	return nil
}

func readPgvector(ctx context.Context, tx pgx.Tx) (v pgvector, err error) {
	err = tx.QueryRow(ctx, `
		SELECT
			coalesce(a.default_version, ''),
			coalesce(a.installed_version, ''),
			(string_to_array(a.installed_version, '.')::integer[] < string_to_array(a.default_version, '.')::integer[]) IS TRUE,
			(string_to_array(a.default_version, '.')::integer[] >= string_to_array($1, '.')::integer[]) IS TRUE,
			(string_to_array(a.installed_version, '.')::integer[] >= string_to_array($1, '.')::integer[]) IS TRUE
		FROM (VALUES (1)) AS one
		LEFT JOIN pg_available_extensions AS a ON a.name = 'vector'`, MinPgvector).
		Scan(&v.offered, &v.installed, &v.outdated, &v.offersEnough, &v.isEnough)
	return v, err
}
