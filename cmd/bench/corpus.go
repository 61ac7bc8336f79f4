package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
	pgvectorpgx "github.com/pgvector/pgvector-go/pgx"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
)

// corpus is the content of a stand's database.
type corpus struct {
	signatures, remediations int
	// step is the time between groups of three remediations, which begin at the same time.
	step time.Duration
}

// fillWithCorpus stores signatures with their terms and vectors, and remediations of them, and runs the maintenance that counts what searches
// and statistics need. It does nothing if an earlier run has stored them.
func (s *stand) fillWithCorpus(ctx context.Context, c corpus) error {
	have, err := s.countRows(ctx)
	if err != nil || have.vectors == c.signatures && have.remediations == c.remediations {
		return err
	}
	if have != (rows{}) {
		return fmt.Errorf("%s holds %+v of an earlier run: remove %s", s.database, have, s.dir)
	}
	s.logProgress("%s: store %d signatures", s.database, c.signatures)
	if err := s.storeSignatures(ctx, c.signatures); err != nil {
		return fmt.Errorf("store signatures: %w", err)
	}
	s.logProgress("%s: store %d remediations", s.database, c.remediations)
	if err := s.fillRemediationsEvery(ctx, c.step, c.remediations); err != nil {
		return err
	}
	// The triggers that mark days were disabled.
	if err := s.execAsSuperuser(ctx, "INSERT INTO stats_changed SELECT DISTINCT (start_time AT TIME ZONE 'UTC')::date FROM remediation_audit"); err != nil {
		return err
	}
	s.logProgress("%s: maintenance run", s.database)
	if _, err := s.functions.Maintain.Invoke(ctx); err != nil {
		return err
	}
	return s.execAsSuperuser(ctx, "VACUUM (ANALYZE)")
}

// storeSignatures copies the signatures of the first count incidents and their vectors, and then makes the indexes of terms and of vectors.
func (s *stand) storeSignatures(ctx context.Context, count int) error {
	return s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		if err := pgvectorpgx.RegisterTypes(ctx, conn); err != nil {
			return err
		}
		var model int16
		var partition string
		err := conn.QueryRow(ctx, "SELECT id, 'embedding_' || id FROM embedding_model WHERE name = $1",
			s.functions.Models[0].Model().String()).Scan(&model, &partition)
		if err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "SET session_replication_role = replica"); err != nil {
			return err
		}
		err = withoutIndexes(ctx, conn, partition, func() error {
			const chunk = 500
			for first := 0; first < count; first += chunk {
				if err := s.storeSignatureChunk(ctx, conn, model, first, min(chunk, count-first)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		// As the trigger does for each signature, but in the order of the index.
		_, err = conn.Exec(ctx, `INSERT INTO signature_term (term, signature_id, count, length)
			SELECT a.term, s.id, a.count, s.length
			FROM signature AS s CROSS JOIN LATERAL unnest(s.terms, s.counts) AS a (term, count)
			ORDER BY a.term, s.id`)
		return err
	})
}

func (s *stand) storeSignatureChunk(ctx context.Context, conn *pgx.Conn, model int16, first, count int) error {
	signatures := make([]audit.Signature, count)
	for i := range signatures {
		r, err := newRemediation("r", first+i)
		if err != nil {
			return err
		}
		signatures[i] = r.Signature()
	}
	vectors, err := s.functions.Models[0].Documents(ctx, signatures, nil)
	if err != nil {
		return err
	}
	if len(vectors) != count {
		return fmt.Errorf("%d incidents have %d signatures", count, len(vectors))
	}
	for _, c := range vectorCopies(model, signatures, vectors) {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromRows(c.rows)); err != nil {
			return fmt.Errorf("copy into %s: %w", c.table, err)
		}
	}
	return nil
}

// vectorCopies returns the rows of signatures, with their terms, and of their vectors.
func vectorCopies(model int16, signatures []audit.Signature, vectors map[audit.ID][]float32) []tableCopy {
	texts := tableCopy{table: "signature", columns: []string{"id", "incident_id", "text", "normalizer", "terms", "counts", "length", "analyzer"}}
	embeddings := tableCopy{table: "embedding", columns: []string{"model_id", "signature_id", "vector"}}
	for _, s := range signatures {
		document := lexical.Analyze(s.Text)
		terms := make([]int64, len(document.Terms))
		for i, term := range document.Terms {
			terms[i] = int64(term)
		}
		texts.rows = append(texts.rows, []any{
			s.ID, s.IncidentID, s.Text, s.Normalizer, terms, document.Counts, document.Length, lexical.Analyzer,
		})
		embeddings.rows = append(embeddings.rows, []any{model, s.ID, pgvector.NewHalfVector(vectors[s.ID])})
	}
	return []tableCopy{texts, embeddings}
}
