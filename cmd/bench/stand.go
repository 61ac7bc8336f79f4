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

// clients is how many connections each function may hold, and the larger number of clients.
const clients = 8

// stand is a database with the functions on it, as the local stack has them: the embedded provider, and a log that is written,
// though to nowhere.
type stand struct {
	*env
	database string
	// dimensions are those of the vectors; 0 means the default.
	dimensions int
	functions  *local.Functions
	recorder   *recorder
}

// open makes a new database and wires the functions to it.
func (e *env) open(ctx context.Context, database string) (*stand, error) {
	err := e.with(ctx, "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)")
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.reopen(ctx, database, 0)
}

// reopen is open for a database that may be there from an earlier run.
func (e *env) reopen(ctx context.Context, database string, dimensions int) (*stand, error) {
	if err := e.server.Bootstrap(ctx, database); err != nil {
		return nil, err
	}
	recorder, err := newRecorder(ctx, e.server.Port())
	if err != nil {
		return nil, err
	}
	s := &stand{env: e, database: database, dimensions: dimensions, recorder: recorder}
	if err := s.wire(ctx); err != nil {
		recorder.close()
		return nil, err
	}
	return s, nil
}

func (s *stand) wire(ctx context.Context) error {
	model, err := s.model(ctx)
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

// newFunctions wires the functions; through says how they reach the database, given the direct way.
func (s *stand) newFunctions(ctx context.Context, through func(string) string) (*local.Functions, error) {
	// Patient, so that a busy machine gives slow figures and not none.
	settings := map[string]string{
		"DATASTORAGE_DATABASE_MAX_CONNS": strconv.Itoa(clients),
		"DATASTORAGE_REQUEST_TIMEOUT":    "29s",
		"DATASTORAGE_EMBEDDING_DEADLINE": "20s",
	}
	getenv := func(name string) string { return cmp.Or(settings[name], s.getenv(name)) }
	log := slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(telemetry.Config{Metrics: io.Discard, ClosedSets: local.ClosedSets()})
	if err != nil {
		return nil, err
	}
	return local.NewFunctions(ctx, getenv, through(s.writerURL()), through(s.readerURL()), log, tel)
}

// getenv has the settings of the embedding provider.
func (s *stand) getenv(name string) string {
	if name == "DATASTORAGE_EMBEDDING_DIMENSIONS" && s.dimensions > 0 {
		return strconv.Itoa(s.dimensions)
	}
	return ""
}

func (s *stand) writerURL() string { return s.server.URL(pgserver.WriterRole, s.database) }

func (s *stand) readerURL() string { return s.server.URL(pgserver.ReaderRole, s.database) }

func (s *stand) writer() lambda.Handler { return s.functions.Handlers["WriteFunction"] }

func (s *stand) querier() lambda.Handler { return s.functions.Handlers["QueryFunction"] }

// close ends the connections and, unless the data are to be kept, drops the database.
func (s *stand) close(ctx context.Context) error {
	s.functions.Close()
	s.recorder.close()
	if s.options.keep {
		return nil
	}
	return s.with(context.WithoutCancel(ctx), "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+s.database+" WITH (FORCE)")
		return err
	})
}

// superuser works on one connection to the stand's database, free of the roles' statement timeout.
func (s *stand) superuser(ctx context.Context, do func(*pgx.Conn) error) error {
	return s.with(ctx, s.database, do)
}

func (s *stand) exec(ctx context.Context, sql string, args ...any) error {
	return s.superuser(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// remediations counts what is stored.
func (s *stand) remediations(ctx context.Context) (n int, err error) {
	err = s.superuser(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM remediation_audit").Scan(&n)
	})
	return n, err
}

// model is that of the embedded provider as the functions have it.
func (s *stand) model(ctx context.Context) (embedding.Model, error) {
	models, err := embedding.LoadModels(ctx, s.getenv)
	if err != nil {
		return embedding.Model{}, err
	}
	return models[0].Model(), nil
}
