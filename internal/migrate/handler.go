// Package migrate brings the database to the schema that this build was written for: migrations,
// settings, logins, and the embedding models. It connects as the schema's owner and is safe to run
// again and twice at once. A deployment runs it as a custom resource of CloudFormation's, a person
// by invoking it.
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

// Config are the parts of a migrate function. All are required but Telemetry.
type Config struct {
	// DatabaseURL answers how to connect, now, as datastorage_admin, directly, not through a proxy.
	// A secret.
	DatabaseURL func(context.Context) (string, error)
	// Models are the embedding models that the other functions are configured for, the active one
	// of a new database first.
	Models embedding.Models
	Log    *slog.Logger
	// Telemetry gets metrics and traces; nil means that nothing does.
	Telemetry *telemetry.Telemetry
}

// Order is what the function is asked for beside the migrations.
type Order struct {
	// Login is "iam" where the service's roles are to log in with IAM tokens; anything else leaves
	// their logins as they are.
	Login string `json:"login"`
}

// Done is the answer of the function.
type Done struct {
	// Applied are the names of the migrations that were applied, oldest first.
	Applied []string `json:"applied"`
	// Version is the schema's version now.
	Version int64 `json:"version"`
}

// Handler runs the migrations.
type Handler struct{ config Config }

// New makes the handler; an error names the part that is missing.
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
	return &Handler{config}, nil
}

// Operation is the operation of a migration in metrics, log lines and traces.
const Operation = "migrate"

// Migrate migrates. It is safe to be repeated, and after a failure goes on where that happened.
func (h *Handler) Migrate(ctx context.Context, order Order) (done Done, err error) {
	ctx, invocation := h.config.Telemetry.Begin(ctx, telemetry.Call{Operation: Operation})
	status := telemetry.Failure
	defer func() { invocation.End(status) }()
	done, err = h.runMigrations(ctx, order)
	status = telemetry.Outcome(err)
	return done, err
}

func (h *Handler) runMigrations(ctx context.Context, order Order) (Done, error) {
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
	h.config.Log.InfoContext(ctx, "migrated", slog.Any("applied", done.Applied), slog.Int64("version", done.Version))
	return done, nil
}

// RegisterModels makes the models known to the database; the first one of a new database becomes
// the active one. It connects as the schema's owner.
func RegisterModels(ctx context.Context, url string, models embedding.Models) error {
	for _, embedder := range models {
		model := embedder.Model()
		if err := migrations.RegisterModel(ctx, url, model.String(), model.Dimensions); err != nil {
			return err
		}
	}
	return nil
}
