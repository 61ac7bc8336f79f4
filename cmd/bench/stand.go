package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/migrations"
)

// clients is the larger number of clients, and the number of connections of each function.
const clients = 8

// stand is a database with the functions on it, as in the local stack: with feature hashing, and with a log that is formatted and discarded.
type stand struct {
	*benchEnv
	database string
	// dimensions are those of the vectors; 0 means the default.
	dimensions int
	functions  *local.Functions
	recorder   *statementRecorder
}

// openStand makes a new database and wires the functions to it.
func (e *benchEnv) openStand(ctx context.Context, database string) (*stand, error) {
	err := e.withConnection(ctx, "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)")
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.reopenStand(ctx, database, 0)
}

// reopenStand opens a stand on a database that may exist from an earlier run.
func (e *benchEnv) reopenStand(ctx context.Context, database string, dimensions int) (*stand, error) {
	if err := e.server.Bootstrap(ctx, database); err != nil {
		return nil, err
	}
	recorder, err := newStatementRecorder(ctx, e.server.Port())
	if err != nil {
		return nil, err
	}
	s := &stand{benchEnv: e, database: database, dimensions: dimensions, recorder: recorder}
	if err := s.wireFunctions(ctx); err != nil {
		recorder.closeListener()
		return nil, err
	}
	return s, nil
}

func (s *stand) wireFunctions(ctx context.Context) error {
	model, err := s.registeredModel(ctx)
	if err != nil {
		return err
	}
	admin := s.server.URL(pgserver.AdminRole, s.database)
	if err := migrations.RegisterModel(ctx, admin, model.String(), model.Dimensions); err != nil {
		return err
	}
	s.functions, err = s.newFunctions(ctx, func(url string) string { return url })
	return err
}

// newFunctions wires the functions; connectionURL maps the URL of the database to the one that they use.
func (s *stand) newFunctions(ctx context.Context, connectionURL func(string) string) (*local.Functions, error) {
	// Long timeouts, so that a busy machine gives slow figures instead of none.
	settings := map[string]string{
		"DATASTORAGE_DATABASE_MAX_CONNS": strconv.Itoa(clients),
		"DATASTORAGE_REQUEST_TIMEOUT":    "29s",
		"DATASTORAGE_EMBEDDING_DEADLINE": "20s",
	}
	getenv := func(name string) string { return cmp.Or(settings[name], s.functionSetting(name)) }
	log := slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(telemetry.Config{Metrics: io.Discard, ClosedSets: local.ClosedSets()})
	if err != nil {
		return nil, err
	}
	return local.NewFunctions(ctx, getenv, connectionURL(s.writerURL()), connectionURL(s.readerURL()), log, tel)
}

// functionSetting returns a setting of the embedding provider.
func (s *stand) functionSetting(name string) string {
	if name == "DATASTORAGE_EMBEDDING_DIMENSIONS" && s.dimensions > 0 {
		return strconv.Itoa(s.dimensions)
	}
	return ""
}

func (s *stand) writerURL() string { return s.server.URL(pgserver.WriterRole, s.database) }

func (s *stand) readerURL() string { return s.server.URL(pgserver.ReaderRole, s.database) }

func (s *stand) writeFunction() lambda.Handler { return s.functions.Handlers["WriteFunction"] }

func (s *stand) queryFunction() lambda.Handler { return s.functions.Handlers["QueryFunction"] }

// closeAll ends the connections and, unless the data are to be kept, drops the database.
func (s *stand) closeAll(ctx context.Context) error {
	s.functions.Close()
	s.recorder.closeListener()
	if s.options.keep {
		return nil
	}
	return s.withConnection(context.WithoutCancel(ctx), "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+s.database+" WITH (FORCE)")
		return err
	})
}

// withSuperuser calls do with a connection to the stand's database that does not have the roles' statement timeout.
func (s *stand) withSuperuser(ctx context.Context, do func(*pgx.Conn) error) error {
	return s.withConnection(ctx, s.database, do)
}

func (s *stand) execAsSuperuser(ctx context.Context, sql string, args ...any) error {
	return s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// countRemediations counts stored remediations.
func (s *stand) countRemediations(ctx context.Context) (n int, err error) {
	err = s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM remediation_audit").Scan(&n)
	})
	return n, err
}

// registeredModel returns the model of the functions' provider.
func (s *stand) registeredModel(ctx context.Context) (embedding.Model, error) {
	models, err := embedding.LoadModels(ctx, s.functionSetting)
	if err != nil {
		return embedding.Model{}, err
	}
	return models[0].Model(), nil
}
