package postgres

import (
	"context"
	"fmt"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// Vectors maps signature IDs to vectors with the dimensions of the store's model.
type Vectors map[audit.ID][]float32

// checkLengths rejects vectors of different lengths, because they are sent concatenated and would
// be split at the wrong offsets. The database checks the length itself.
func (v Vectors) checkLengths() error {
	length := -1
	for id, vector := range v {
		if length >= 0 && len(vector) != length {
			return fmt.Errorf("the vector of signature %s has %d dimensions, another has %d", id, len(vector), length)
		}
		length = len(vector)
	}
	return nil
}

// Vector reads the vector of a signature in the store's model. It returns audit.ErrNotFound if
// there is none.
func (s *Store) Vector(ctx context.Context, signature audit.ID) ([]float32, error) {
	return retry(ctx, s, "read a vector", func(ctx context.Context) ([]float32, error) {
		model, err := s.registeredModel(ctx)
		if err != nil {
			return nil, err
		}
		return s.queries.EmbeddingGet(ctx, s.pool, dbsqlc.EmbeddingGetParams{ModelID: model.ID, SignatureID: signature})
	})
}

// AddVectors stores vectors of stored signatures and returns how many of the vectors were missing.
// It blocks other writers, and is blocked by them, no longer than an append of the same signatures.
func (s *Store) AddVectors(ctx context.Context, vectors Vectors) (int64, error) {
	if err := vectors.checkLengths(); err != nil {
		return 0, err
	}
	ids := make([]audit.ID, 0, len(vectors))
	var flat []float32
	for id, vector := range vectors {
		ids = append(ids, id)
		flat = append(flat, vector...)
	}
	return retry(ctx, s, "add vectors", func(ctx context.Context) (int64, error) {
		return s.queries.EmbeddingInsert(ctx, s.pool, dbsqlc.EmbeddingInsertParams{
			Model: s.model, SignatureIds: ids, Vectors: flat,
		})
	})
}

// SampleSignatures returns the first length characters of the texts of at most limit signatures of
// the current normalizer, a uniform sample.
func (s *Store) SampleSignatures(ctx context.Context, limit, length int) ([]string, error) {
	return retry(ctx, s, "sample signatures", func(ctx context.Context) ([]string, error) {
		return s.queries.SignatureSample(ctx, s.pool, dbsqlc.SignatureSampleParams{
			TextLength: int32(length), Normalizer: signature.Version, PageSize: int64(limit),
		})
	})
}

// SignaturesStored returns which of the signatures have a vector of the store's model.
func (s *Store) SignaturesStored(ctx context.Context, ids []audit.ID) ([]audit.ID, error) {
	return retry(ctx, s, "look up vectors", func(ctx context.Context) ([]audit.ID, error) {
		return s.queries.SignatureStored(ctx, s.pool, dbsqlc.SignatureStoredParams{Model: s.model, SignatureIds: ids})
	})
}

// SignaturesPending returns at most limit signatures without a vector of the store's model, ordered
// by ID, starting after the given one; the zero ID precedes all. It leaves out signatures of older
// normalizers: AddRenormalizedSignatures replaces them.
func (s *Store) SignaturesPending(ctx context.Context, after audit.ID, limit int) ([]audit.Signature, error) {
	return retry(ctx, s, "look for signatures without a vector", func(ctx context.Context) ([]audit.Signature, error) {
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
