package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// ErrModelUnknown means that the database does not have the embedding model, or that no model is
// active. The store has just refreshed its list of models: call ActiveModel again. It wraps
// audit.ErrUnavailable.
var ErrModelUnknown = fmt.Errorf("%w: the embedding model is not registered", audit.ErrUnavailable)

// ModelProgress is a registered embedding model with its progress.
type ModelProgress struct {
	StoredName string // embedding.Model.String
	Dimensions int
	Active     bool
	// Vectors is the number of Signatures that have a vector of the model.
	Vectors, Signatures int64
}

// Missing returns how many signatures lack a vector of the model.
func (m ModelProgress) Missing() int64 { return m.Signatures - m.Vectors }

// Models returns the registered models with their progress, the active one first. It reads all keys
// of the vectors.
func (s *Store) Models(ctx context.Context) ([]ModelProgress, error) {
	return retry(ctx, s, "count the vectors of each model", func(ctx context.Context) ([]ModelProgress, error) {
		rows, err := s.queries.EmbeddingModelProgress(ctx, s.pool)
		models := make([]ModelProgress, len(rows))
		for i, row := range rows {
			models[i] = ModelProgress{row.Name, int(row.Dimensions), row.Active, row.Vectors, row.Signatures}
		}
		return models, err
	})
}

// ActiveModel returns the stored name of the model to write and search with, at most modelsTTL old.
func (s *Store) ActiveModel(ctx context.Context) (string, error) {
	return retry(ctx, s, "read which embedding model is active", func(ctx context.Context) (string, error) {
		model, err := s.findModel(ctx, func(m dbsqlc.EmbeddingModel) bool { return m.Active })
		return model.Name, err
	})
}

// WithModel returns the store for another model. Both share the connections: closing one closes the
// other.
func (s *Store) WithModel(storedName string) *Store {
	other := *s
	other.model = storedName
	return &other
}

// registeredModel returns the row of the store's model, at most modelsTTL old.
func (s *Store) registeredModel(ctx context.Context) (dbsqlc.EmbeddingModel, error) {
	return s.findModel(ctx, func(m dbsqlc.EmbeddingModel) bool { return m.Name == s.model })
}

// checkStillRegistered returns ErrModelUnknown if the model was dropped, even if a model of the
// same name was registered since.
func (s *Store) checkStillRegistered(ctx context.Context, was dbsqlc.EmbeddingModel) error {
	s.cache.dropModels()
	is, err := s.registeredModel(ctx)
	if err == nil && is.ID != was.ID {
		err = ErrModelUnknown
	}
	return err
}

// findModel returns the matching model. It reads the list from the database before it returns
// ErrModelUnknown.
func (s *Store) findModel(
	ctx context.Context, matches func(dbsqlc.EmbeddingModel) bool,
) (dbsqlc.EmbeddingModel, error) {
	models := s.cache.cachedModels()
	if i := slices.IndexFunc(models, matches); i >= 0 {
		return models[i], nil
	}
	models, err := s.queries.EmbeddingModelList(ctx, s.pool)
	if err != nil {
		return dbsqlc.EmbeddingModel{}, err
	}
	s.cache.cacheModels(models)
	if i := slices.IndexFunc(models, matches); i >= 0 {
		return models[i], nil
	}
	return dbsqlc.EmbeddingModel{}, ErrModelUnknown
}
