package embedding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/internal/config"
)

// Models are the embedders of a function, each of another model: one, or two while the second is to take the place of the first.
// Which of them makes the vectors of a write or a search is said by the database, at any time.
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

// OpenModels makes an embedder of each of the settings; next may be the zero value, for none. See Open.
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

// Of is the embedder of a model by the name that vectors are stored under, or nil.
func (m Models) Of(name string) *Embedder {
	if i := slices.IndexFunc(m, func(e *Embedder) bool { return e.Model().String() == name }); i >= 0 {
		return m[i]
	}
	return nil
}

// Active is the embedder of the model that ask names. Without one it is ErrUnavailable; an error of ask is returned as it is, wrapped.
func (m Models) Active(ctx context.Context, ask func(context.Context) (string, error)) (*Embedder, error) {
	name, err := ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the active model: %w", err)
	}
	if e := m.Of(name); e != nil {
		return e, nil
	}
	return nil, unavailableFailure(fmt.Sprintf("%s is the active model, but no provider is configured for it, only for %v", name, m), nil)
}

// Validate says whether there is anything in it.
func (m Models) Validate() error {
	if len(m) == 0 || slices.Contains(m, nil) {
		return errors.New("Models must be set")
	}
	return nil
}

// String names the models.
func (m Models) String() string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Model().String()
	}
	return strings.Join(names, " and ")
}
