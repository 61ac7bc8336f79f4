// Package migrate migrates the database to the schema of this build: migrations, settings, logins
// and embedding models. It connects as the schema's owner. It is idempotent and safe to run
// concurrently. A deployment runs it as a CloudFormation custom resource; an operator can invoke it
// directly.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/migrations"
)

// Config holds the dependencies of a migrate function. All except Telemetry are required.
type Config struct {
	// DatabaseURL returns a connection string with current credentials of datastorage_admin,
	// directly to the database rather than through a proxy. It is a secret.
	DatabaseURL func(context.Context) (string, error)
	// Models are the embedders that the other functions use. The first becomes the active model of
	// a new database.
	Models embedding.Models
	Log    *slog.Logger
	// Telemetry receives metrics and traces; nil discards them.
	Telemetry *telemetry.Telemetry
}

// Order is the payload of a direct invocation.
type Order struct {
	// Login is "iam" to let the service's roles log in with IAM tokens. Any other value leaves the
	// logins unchanged.
	Login string `json:"login"`
	// Activate is the stored name of a registered model that writes and searches use from now on, such as
	// hash-word-char35-v1@512. While signatures lack its vector, only Force activates it.
	Activate string `json:"activate"`
	Force    bool   `json:"force"`
	// Drop is the stored name of a model that is removed with its vectors, after Activate.
	Drop string `json:"drop"`
}

// Done is the function's response.
type Done struct {
	// Applied are the names of the applied migrations, oldest first.
	Applied []string `json:"applied"`
	// Version is the current schema version.
	Version int64 `json:"version"`
	// Missing is how many signatures lack a vector of the model that was activated.
	Missing int64 `json:"missing,omitempty"`
}

// Handler runs the migrations.
type Handler struct {
	config Config
	// unusable is why no migration can run; nil as a rule.
	unusable error
}

// New makes the handler, or returns an error that names a missing dependency.
func New(config Config) (*Handler, error) {
	switch {
	case config.DatabaseURL == nil:
		return nil, errors.New("migrate: DatabaseURL must be set")
	case config.Models.Validate() != nil:
		return nil, fmt.Errorf("migrate: %w", config.Models.Validate())
	case config.Log == nil:
		return nil, errors.New("migrate: Log must be set")
	}
	config.Log = telemetry.Logger(config.Log)
	return &Handler{config: config}, nil
}

// Unusable returns the handler of a function that could not be wired, for example because of a wrong
// setting: every migration fails with the cause, and deleting the custom resource succeeds. A function
// that exits instead leaves CloudFormation waiting, for each request, until the resource times out.
func Unusable(cause error, log *slog.Logger) *Handler {
	return &Handler{config: Config{Log: log}, unusable: cause}
}

// Operation is the name of a migration in metrics, log lines and traces.
const Operation = "migrate"

// Migrate applies what is missing. It is idempotent; after a failure, another call continues.
func (h *Handler) Migrate(ctx context.Context, order Order) (done Done, err error) {
	ctx, invocation := h.config.Telemetry.Begin(ctx, telemetry.Call{Operation: Operation})
	status := telemetry.Failure
	defer func() { invocation.End(status) }()
	done, err = h.runMigrations(ctx, order)
	status = telemetry.Outcome(err)
	return done, err
}

func (h *Handler) runMigrations(ctx context.Context, order Order) (Done, error) {
	if h.unusable != nil {
		return Done{}, fmt.Errorf("migrate: %w", h.unusable)
	}
	url, err := h.config.DatabaseURL(ctx)
	if err != nil {
		return Done{}, fmt.Errorf("migrate: %w", err)
	}
	applied, err := migrations.Up(ctx, url)
	done := Done{Applied: make([]string, 0, len(applied)), Version: migrations.Latest()}
	for _, migration := range applied {
		done.Applied = append(done.Applied, migration.Name)
	}
	if err != nil {
		return done, err
	}
	if err := migrations.Configure(ctx, url); err != nil {
		return done, err
	}
	if order.Login == "iam" {
		if err := migrations.LoginByIAM(ctx, url); err != nil {
			return done, fmt.Errorf("migrate: %w", err)
		}
	}
	if err := RegisterModels(ctx, url, h.config.Models); err != nil {
		return done, fmt.Errorf("migrate: %w", err)
	}
	if done.Missing, err = changeModels(ctx, url, order); err != nil {
		return done, fmt.Errorf("migrate: %w", err)
	}
	h.config.Log.InfoContext(ctx, "migrated", slog.Any("applied", done.Applied), slog.Int64("version", done.Version))
	return done, nil
}

// changeModels activates and drops the models that the order names.
func changeModels(ctx context.Context, url string, order Order) (missing int64, err error) {
	if order.Activate != "" {
		missing, err = migrations.ActivateModel(ctx, url, order.Activate, order.Force)
		if errors.Is(err, migrations.ErrModelIncomplete) {
			err = fmt.Errorf("%w: %d signatures", err, missing)
		}
	}
	if err == nil && order.Drop != "" {
		err = migrations.DropModel(ctx, url, order.Drop)
	}
	return missing, err
}

// RegisterModels registers the models in the database, as the schema's owner. The first becomes the
// active model of a new database.
func RegisterModels(ctx context.Context, url string, models embedding.Models) error {
	for _, embedder := range models {
		model := embedder.Model()
		if err := migrations.RegisterModel(ctx, url, model.String(), model.Dimensions); err != nil {
			return err
		}
	}
	return nil
}
