package embedding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/config"
)

// Models are the embedders of a function, each with its own model: one, or two while the next model
// is introduced. The database determines which of them is active.
type Models []*Embedder

// LoadModels opens the models that the environment configures.
func LoadModels(ctx context.Context, getenv func(string) string) (Models, error) {
	r := config.NewReader(getenv)
	first, next := ReadSettings(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return OpenModels(ctx, first, next)
}

// OpenModels opens the first model, and the next one unless its settings are the zero value.
func OpenModels(ctx context.Context, first, next Settings) (Models, error) {
	one, err := Open(ctx, first)
	if err != nil {
		return nil, err
	}
	if next == (Settings{}) {
		return Models{one}, nil
	}
	other, err := Open(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("next provider: %w", err)
	}
	if one.Model() == other.Model() {
		return nil, fmt.Errorf("next provider: its model is %s, like the first provider's", one.Model())
	}
	return Models{one, other}, nil
}

// Of returns the embedder of the model with this stored name (Model.String), or nil.
func (m Models) Of(storedName string) *Embedder {
	if i := slices.IndexFunc(m, func(e *Embedder) bool { return e.Model().String() == storedName }); i >= 0 {
		return m[i]
	}
	return nil
}

// Active returns the embedder of the model whose stored name readName returns, or ErrUnavailable if
// there is none. An error of readName is returned wrapped.
func (m Models) Active(ctx context.Context, readName func(context.Context) (string, error)) (*Embedder, error) {
	name, err := readName(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the active model: %w", err)
	}
	if e := m.Of(name); e != nil {
		return e, nil
	}
	message := fmt.Sprintf("%s is the active model, but providers are configured only for %v", name, m)
	return nil, unavailableFailure(message, nil)
}

// Validate returns an error if there are no models.
func (m Models) Validate() error {
	if len(m) == 0 || slices.Contains(m, nil) {
		return errors.New("Models must be set")
	}
	return nil
}

// String lists the models' names.
func (m Models) String() string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Model().String()
	}
	return strings.Join(names, " and ")
}
