package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// ErrModelUnknown means that the database has no such embedding model, or that none is active: ask ActiveModel again, which has
// forgotten what it knew. It is an audit.ErrUnavailable.
var ErrModelUnknown = fmt.Errorf("%w: the embedding model is not registered", audit.ErrUnavailable)

// modelsFor is how long it is remembered which models there are and which is active: so long a switch may go unnoticed.
const modelsFor = 5 * time.Second

// Model is a registered embedding model and how far it is filled in.
type Model struct {
	Name       string
	Dimensions int
	Active     bool
	// Vectors is how many of the Signatures have a vector of the model.
	Vectors, Signatures int64
}

// Missing is how many signatures lack a vector of the model.
func (m Model) Missing() int64 { return m.Signatures - m.Vectors }

// Models counts what each registered model has, the active one first. It reads all keys of the vectors.
func (s *Store) Models(ctx context.Context) ([]Model, error) {
	return retry(ctx, s, "count the vectors of each model", func(ctx context.Context) ([]Model, error) {
		rows, err := s.queries.EmbeddingModelProgress(ctx, s.pool)
		models := make([]Model, len(rows))
		for i, row := range rows {
			models[i] = Model{row.Name, int(row.Dimensions), row.Active, row.Vectors, row.Signatures}
		}
		return models, err
	})
}

// ActiveModel is the name of the model to write and search with, as it was a few seconds ago at most.
func (s *Store) ActiveModel(ctx context.Context) (string, error) {
	return retry(ctx, s, "read which embedding model is active", func(ctx context.Context) (string, error) {
		model, err := s.findModel(ctx, func(m dbsqlc.EmbeddingModel) bool { return m.Active })
		return model.Name, err
	})
}

// WithModel is the same store with vectors written and searched under another model's name. They share their connections; closing one
// closes the other.
func (s *Store) WithModel(name string) *Store {
	other := *s
	other.model = name
	return &other
}

// registered is the row of the store's model, as it was a few seconds ago at most.
func (s *Store) registered(ctx context.Context) (dbsqlc.EmbeddingModel, error) {
	return s.findModel(ctx, func(m dbsqlc.EmbeddingModel) bool { return m.Name == s.model })
}

// stillRegistered finds out whether the model is the one that it was. One that was dropped and registered again is another.
func (s *Store) stillRegistered(ctx context.Context, was dbsqlc.EmbeddingModel) error {
	s.memory.forgetModels()
	is, err := s.registered(ctx)
	if err == nil && is.ID != was.ID {
		err = ErrModelUnknown
	}
	return err
}

// findModel is the one model that is wanted, or ErrModelUnknown, which is never said from memory.
func (s *Store) findModel(ctx context.Context, wanted func(dbsqlc.EmbeddingModel) bool) (dbsqlc.EmbeddingModel, error) {
	models := s.memory.recallModels()
	if i := slices.IndexFunc(models, wanted); i >= 0 {
		return models[i], nil
	}
	models, err := s.queries.EmbeddingModelList(ctx, s.pool)
	if err != nil {
		return dbsqlc.EmbeddingModel{}, err
	}
	s.memory.rememberModels(models)
	if i := slices.IndexFunc(models, wanted); i >= 0 {
		return models[i], nil
	}
	return dbsqlc.EmbeddingModel{}, ErrModelUnknown
}

func (m *memory) recallModels() []dbsqlc.EmbeddingModel {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := now().Sub(m.modelsAt); age < 0 || age > modelsFor {
		return nil
	}
	return m.models
}

func (m *memory) rememberModels(models []dbsqlc.EmbeddingModel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.models, m.modelsAt = models, now()
}

func (m *memory) forgetModels() { m.rememberModels(nil) }

// now is the time of day: the monotonic clock may stand still while a sandbox is frozen.
func now() time.Time { return time.Now().Round(0) }
