package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/migrate"
	"github.com/datastorage-service/datastorage/migrations"
)

const migrateURLVariable = "DATASTORAGE_MIGRATE_DATABASE_URL"

func newMigrate(a *app) *cobra.Command {
	var databaseURL string
	var dryRun bool
	command := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate a database to the schema of this version",
		Long: `Apply the missing migrations, configure the database, and register the embedding models that the DATASTORAGE_EMBEDDING_… variables
name. Running it again changes nothing; concurrent runs wait for each other.

It connects as the schema's owner, datastorage_admin, directly and not through a proxy.`,
		Example: `  datastorage migrate --dry-run
  DATASTORAGE_MIGRATE_DATABASE_URL=postgres://datastorage_admin@db/datastorage datastorage migrate`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url := cmp.Or(databaseURL, a.getenv(migrateURLVariable))
			switch {
			case url == "":
				return newCommandError(exitUsage, "no database given", errors.New("neither --database-url nor "+migrateURLVariable+" is set"),
					"datastorage migrate --database-url postgres://datastorage_admin@127.0.0.1/datastorage")
			case dryRun:
				return a.printPendingMigrations(cmd.Context(), url)
			}
			return a.migrateDatabase(cmd.Context(), url)
		},
	}
	flags := command.Flags()
	flags.StringVar(&databaseURL, "database-url", "", "the database (default "+migrateURLVariable+"; a password is better there)")
	flags.BoolVar(&dryRun, "dry-run", false, "print the SQL that would run, and change nothing")
	return command
}

// printPendingMigrations prints the SQL of the missing migrations.
func (a *app) printPendingMigrations(ctx context.Context, url string) error {
	lacking, err := migrations.Pending(ctx, url)
	if err != nil {
		return newCommandError(exitFailed, "cannot read the schema version", err, "psql, with the same URL")
	}
	done := migrate.Done{Applied: []string{}, Version: migrations.Latest()}
	for _, migration := range lacking {
		done.Applied = append(done.Applied, migration.Name)
	}
	a.talk.Line("%d migrations would bring the database to version %d", len(lacking), done.Version)
	if a.json {
		return a.printJSON(struct {
			Pending []string `json:"pending"`
			Version int64    `json:"version"`
		}{done.Applied, done.Version})
	}
	for _, migration := range lacking {
		if _, err := fmt.Fprintf(a.out, "-- %s\n%s\n", migration.Name, migration.SQL); err != nil {
			return fmt.Errorf("print the SQL: %w", err)
		}
	}
	return nil
}

func (a *app) migrateDatabase(ctx context.Context, url string) error {
	migrator, err := a.newMigrator(ctx, url)
	if err != nil {
		return newCommandError(exitUsage, "invalid settings of the embedding model", err, "env | grep DATASTORAGE_EMBEDDING")
	}
	done, err := migrator.Migrate(ctx, migrate.Order{})
	if err != nil {
		return newCommandError(exitFailed, fmt.Sprintf("the migration failed (%d migrations were applied)", len(done.Applied)), err,
			"datastorage migrate --dry-run")
	}
	a.talk.Line("%d migrations applied: the database is at version %d", len(done.Applied), done.Version)
	if a.json {
		return a.printJSON(done)
	}
	for _, name := range done.Applied {
		if _, err := fmt.Fprintln(a.out, name); err != nil {
			return fmt.Errorf("print the migrations: %w", err)
		}
	}
	return nil
}

func (a *app) newMigrator(ctx context.Context, url string) (*migrate.Handler, error) {
	models, err := embedding.LoadModels(ctx, a.getenv)
	if err != nil {
		return nil, err
	}
	return migrate.New(migrate.Config{DatabaseURL: constantURL(url), Models: models, Log: slog.New(slog.DiscardHandler)})
}

// constantURL adapts a URL to the migrate function, which asks for it because tokens expire.
func constantURL(url string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return url, nil }
}
