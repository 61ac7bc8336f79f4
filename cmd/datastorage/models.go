package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/migrations"
)

func newModels(a *app) *cobra.Command {
	var databaseURL string
	command := &cobra.Command{
		Use:   "models",
		Short: "Change the embedding model without downtime",
		Long: `List a database's embedding models, and change from one to another while writes and searches continue:

  1. configure the functions with the next model as well, by DATASTORAGE_EMBEDDING_NEXT_…, and register it (migrate does that);
  2. the maintain function fills it in alongside the old one: list shows the progress;
  3. activate it: searches use it within seconds. Activating the old one again is the way back;
  4. drop the old one, once the functions are configured with the new one alone.

It connects as the schema's owner, datastorage_admin, directly and not through a proxy.`,
		Example: `  datastorage models list
  datastorage models activate text-embedding-3-small@1536`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.PersistentFlags().StringVar(&databaseURL, "database-url", "",
		"the database (default "+migrateURLVariable+"; a password is better there)")
	// withURL reads the URL from the flag or the environment, and fails if there is none.
	var withURL withDatabaseURL = func(do func(context.Context, string, []string) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			url := cmp.Or(databaseURL, a.getenv(migrateURLVariable))
			if url == "" {
				return newCommandError(exitUsage, "no database given", errors.New("neither --database-url nor "+migrateURLVariable+" is set"),
					"datastorage models list --database-url postgres://datastorage_admin@127.0.0.1/datastorage")
			}
			return do(cmd.Context(), url, args)
		}
	}
	command.AddCommand(newModelsList(a, withURL), newModelsRegister(a, withURL), newModelsActivate(a, withURL), newModelsDrop(a, withURL))
	return command
}

// withDatabaseURL makes the RunE of a command from a function that takes the database's URL.
type withDatabaseURL func(do func(ctx context.Context, url string, args []string) error) func(*cobra.Command, []string) error

func newModelsList(a *app, withURL withDatabaseURL) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models: dimensions, active or not, and how many signatures have their vector",
		Example: `  datastorage models list
  datastorage models list --json | jq '.data[] | select(.active)'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              withURL(func(ctx context.Context, url string, _ []string) error { return a.listModels(ctx, url) }),
	}
}

func newModelsRegister(a *app, withURL withDatabaseURL) *cobra.Command {
	return &cobra.Command{
		Use:   "register NAME DIMENSIONS",
		Short: "Register a model, so that maintain fills it in",
		Long: `Create the partition and index of a model's vectors, under NAME@DIMENSIONS. Registering a known model changes nothing. The first
model of a database becomes the active one.`,
		Example:           `  datastorage models register text-embedding-3-small 1536`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withURL(func(ctx context.Context, url string, args []string) error {
			dimensions, err := strconv.Atoi(args[1])
			if err != nil || args[0] == "" || dimensions < 1 || dimensions > maxDimensions {
				return newCommandError(exitUsage, "invalid model", fmt.Errorf("DIMENSIONS must be a whole number from 1 to %d", maxDimensions),
					"datastorage models register --help")
			}
			model := embedding.Model{Name: args[0], Dimensions: dimensions}
			err = migrations.RegisterModel(ctx, url, model.String(), dimensions)
			return a.reportModelChange(err, model.String(), "is registered: maintain fills it in", map[string]any{"name": model.String()})
		}),
	}
}

// maxDimensions is the limit of the database.
const maxDimensions = 4000

func newModelsActivate(a *app, withURL withDatabaseURL) *cobra.Command {
	var force bool
	command := &cobra.Command{
		Use:   "activate NAME",
		Short: "Write and search with a model from now on",
		Long: `Make a model the one for writes and searches, in one transaction; functions use it within 5 seconds. It is refused while
signatures lack a vector of the model, because searches would not find them. With --force, maintain makes those vectors later.`,
		Example: `  datastorage models activate text-embedding-3-small@1536
  datastorage models activate text-embedding-3-small@1536 --force`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withURL(func(ctx context.Context, url string, args []string) error {
			missing, err := migrations.ActivateModel(ctx, url, args[0], force)
			if errors.Is(err, migrations.ErrModelIncomplete) {
				err = fmt.Errorf("%w: %d signatures", migrations.ErrModelIncomplete, missing)
			}
			result := fmt.Sprintf("is active: %d signatures lack its vector", missing)
			return a.reportModelChange(err, args[0], result, map[string]any{"name": args[0], "missing": missing})
		}),
	}
	command.Flags().BoolVar(&force, "force", false, "also when signatures lack a vector of the model")
	return command
}

func newModelsDrop(a *app, withURL withDatabaseURL) *cobra.Command {
	return &cobra.Command{
		Use:   "drop NAME",
		Short: "Drop a model that is not active, with its vectors",
		Long: `Drop a model with its vectors and its index. It waits for running statements on signatures or vectors, in attempts of a tenth of
a second for up to a minute, so that other statements continue in between.`,
		Example:           `  datastorage models drop text-embedding-ada-002@1536`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withURL(func(ctx context.Context, url string, args []string) error {
			err := migrations.DropModel(ctx, url, args[0])
			return a.reportModelChange(err, args[0], "is dropped", map[string]any{"name": args[0]})
		}),
	}
}

// reportModelChange prints the result of a change of models, or returns its error with the exit code.
func (a *app) reportModelChange(err error, model, outcome string, result any) error {
	code, next := exitFailed, "datastorage models list"
	switch {
	case errors.Is(err, migrations.ErrModelUnknown):
		code = exitNotFound
	case errors.Is(err, migrations.ErrBusy):
		next = "try again under less load"
	}
	if err != nil {
		return newCommandError(code, "nothing was changed for "+model, err, next)
	}
	a.talk.Line("%s %s", model, outcome)
	if a.json {
		return a.printJSON(result)
	}
	return nil
}

// modelLine is a model as --json prints it.
type modelLine struct {
	Name       string `json:"name"`
	Dimensions int    `json:"dimensions"`
	Active     bool   `json:"active"`
	Vectors    int64  `json:"vectors"`
	Signatures int64  `json:"signatures"`
}

func (a *app) listModels(ctx context.Context, url string) error {
	store, err := postgres.Open(ctx, postgres.Config{URL: url, ApplicationName: "datastorage-cli"})
	if err != nil {
		return newCommandError(exitUsage, "invalid database URL", err, "datastorage models list --help")
	}
	defer store.Close()
	models, err := store.Models(ctx)
	if err != nil {
		return newCommandError(exitFailed, "cannot list the models", err, "datastorage migrate --dry-run")
	}
	lines, rows := make([]modelLine, len(models)), make([][]string, len(models))
	for i, m := range models {
		lines[i] = modelLine{m.StoredName, m.Dimensions, m.Active, m.Vectors, m.Signatures}
		active := "no"
		if m.Active {
			active = "yes"
		}
		rows[i] = []string{
			m.StoredName, strconv.Itoa(m.Dimensions), active, strconv.FormatInt(m.Vectors, 10), strconv.FormatInt(m.Signatures, 10), filledPercentage(m),
		}
	}
	if a.json {
		return a.printJSON(map[string][]modelLine{"data": lines})
	}
	return a.out.Table([]console.Column{
		{Title: "MODEL"}, {Title: "DIMENSIONS"}, {Title: "ACTIVE"}, {Title: "VECTORS"}, {Title: "SIGNATURES"}, {Title: "FILLED"},
	}, rows)
}

// filledPercentage returns the percentage of signatures with a vector, rounded down: 100 % means all.
func filledPercentage(m postgres.ModelProgress) string {
	if m.Signatures == 0 {
		return "100 %"
	}
	return fmt.Sprintf("%d %%", m.Vectors*100/m.Signatures)
}
