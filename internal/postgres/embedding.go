package postgres

import (
	"context"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// SignaturesStored answers which of the signatures have a vector of the store's model.
func (s *Store) SignaturesStored(ctx context.Context, ids []audit.ID) ([]audit.ID, error) {
	return retry(ctx, "look up vectors", func(ctx context.Context) ([]audit.ID, error) {
		return s.queries.SignatureStored(ctx, s.pool, dbsqlc.SignatureStoredParams{Model: s.model, SignatureIds: ids})
	})
}

// SignaturesPending answers up to limit signatures that have no vector of the store's model, in the order of their ids, from after the
// given one on (the zero ID is before all). Those of older normalizers are left out: RenormalizeAlongside makes others in their place.
func (s *Store) SignaturesPending(ctx context.Context, after audit.ID, limit int) ([]audit.Signature, error) {
	return retry(ctx, "look for signatures without a vector", func(ctx context.Context) ([]audit.Signature, error) {
		rows, err := s.queries.SignaturePending(ctx, s.pool, dbsqlc.SignaturePendingParams{
			Model: s.model, After: after, Normalizer: signature.Version, PageSize: int32(limit),
		})
		signatures := make([]audit.Signature, len(rows))
		for i, row := range rows {
			signatures[i] = audit.Signature{ID: row.ID, Text: row.Text}
		}
		return signatures, err
	})
}

// AddVectors stores vectors of signatures that are known, and answers how many were missing until then. It waits for no writer and
// no writer waits for it longer than for another write of the same signature.
func (s *Store) AddVectors(ctx context.Context, vectors Vectors) (int64, error) {
	if err := vectors.check(); err != nil {
		return 0, err
	}
	ids := make([]audit.ID, 0, len(vectors))
	var flat []float32
	for id, vector := range vectors {
		ids = append(ids, id)
		flat = append(flat, vector...)
	}
	return retry(ctx, "add vectors", func(ctx context.Context) (int64, error) {
		return s.queries.EmbeddingInsert(ctx, s.pool, dbsqlc.EmbeddingInsertParams{
			Model: s.model, SignatureIds: ids, Vectors: flat,
		})
	})
}
