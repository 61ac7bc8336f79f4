package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/migrations"
)

// provider is the functions' environment for one embedding provider.
type provider func(name string) string

// embeddingProviders returns the in-process provider and, if the environment names another, that
// one.
func embeddingProviders(getenv func(string) string) []provider {
	// Long deadlines, so that searches do not fail on a busy machine or with a slow model.
	patient := func(embedding func(string) string) provider {
		return func(name string) string {
			switch name {
			case "DATASTORAGE_REQUEST_TIMEOUT":
				return "29s"
			case "DATASTORAGE_EMBEDDING_DEADLINE":
				return "20s"
			default:
				return embedding(name)
			}
		}
	}
	named := getenv("DATASTORAGE_EMBEDDING_PROVIDER")
	if named == "" || named == "hashing" {
		return []provider{patient(getenv)}
	}
	return []provider{patient(func(string) string { return "" }), patient(getenv)}
}

// service is the API on a loopback port, on its own database.
type service struct {
	api       *client.Client
	model     string
	functions *local.Functions
	server    *http.Server
}

// startService creates a database and starts the service on it.
func startService(
	ctx context.Context, server *pgserver.Server, database string, env provider, log io.Writer,
) (*service, error) {
	if err := server.Bootstrap(ctx, database); err != nil {
		return nil, err
	}
	model, err := registerModel(ctx, server.URL(pgserver.AdminRole, database), env)
	if err != nil {
		return nil, err
	}
	functions, err := local.NewFunctions(ctx, env,
		server.URL(pgserver.WriterRole, database), server.URL(pgserver.ReaderRole, database),
		slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})), nil)
	if err != nil {
		return nil, err
	}
	s := &service{model: model, functions: functions}
	if err := s.serveGateway(ctx); err != nil {
		functions.Close()
		return nil, err
	}
	return s, nil
}

func registerModel(ctx context.Context, adminURL string, env provider) (string, error) {
	models, err := embedding.LoadModels(ctx, env)
	if err != nil {
		return "", err
	}
	model := models[0].Model()
	return model.String(), migrations.RegisterModel(ctx, adminURL, model.String(), model.Dimensions)
}

// serveGateway serves the functions through the gateway.
func (s *service) serveGateway(ctx context.Context) error {
	root, err := program.DefaultDir()
	if err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(filepath.Dir(root), "template.yaml"))
	if err != nil {
		return fmt.Errorf("read the routes: %w", err)
	}
	gateway, err := gateway.New(gateway.Config{
		Template: template, Functions: s.functions.Handlers, Authorizer: gateway.Authorizer(),
	})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.api, err = client.New("http://" + listener.Addr().String()); err != nil {
		return errors.Join(err, listener.Close())
	}
	s.server = &http.Server{Handler: gateway, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // a failure shows in the requests
	return nil
}

// makePendingEmbeddings makes the pending embeddings, as the schedule of a deployment does, until
// none is pending or none can be made.
func (s *service) makePendingEmbeddings(ctx context.Context) error {
	for {
		done, err := s.functions.Maintain.Invoke(ctx)
		switch {
		case done.Refused > 0:
			return fmt.Errorf("the embedding provider refuses %d texts", done.Refused)
		case err == nil:
			return nil
		case done.Embedded == 0:
			return fmt.Errorf("make the pending embeddings: %w", err)
		}
	}
}

func (s *service) closeService() error {
	err := s.server.Close()
	s.functions.Close()
	return err
}
