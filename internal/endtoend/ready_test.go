package endtoend_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

type checks = map[client.CheckName]client.CheckStatus

// operations has one request of each operation that needs the database.
func operations(api *client.Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := api.CreateRemediation(ctx, minimalRecord("r"))
			return err
		},
		"batch": func(ctx context.Context) error {
			_, err := api.CreateRemediations(ctx, []client.RemediationInput{minimalRecord("r")})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := api.UpdateRemediation(ctx, "r", client.RemediationUpdate{Phase: new(client.PhaseProcessing), ErrorMessage: client.Set("x")})
			return err
		},
		"analysis": func(ctx context.Context) error {
			_, err := api.CreateAIAnalysis(ctx, "r", fullAnalysis("a"))
			return err
		},
		"workflow": func(ctx context.Context) error {
			_, err := api.CreateWorkflow(ctx, "r", fullWorkflow("w"))
			return err
		},
		"execution": func(ctx context.Context) error {
			_, err := api.CreateExecution(ctx, "r", fullExecution("e"))
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := api.GetRemediation(ctx, "r")
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := api.ListRemediations(ctx, client.ListRemediationsParams{})
			return err
		},
		"history": func(ctx context.Context) error {
			_, err := api.History(ctx, "r", client.GetHistoryParams{})
			return err
		},
		"incident events": func(ctx context.Context) error {
			_, err := api.IncidentEvents(ctx, client.ListIncidentEventsParams{})
			return err
		},
		"search": func(ctx context.Context) error {
			_, err := api.Search(ctx, client.SearchInput{Query: "x"})
			return err
		},
	}
}

// wantUnavailable sends all operations concurrently. Each must respond with 503 and
// Retry-After before the caller gives up.
func wantUnavailable(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results := map[string]chan error{}
	for name, operation := range operations(stack.Client) {
		result := make(chan error, 1)
		results[name] = result
		go func() { result <- operation(ctx) }()
	}
	for name, result := range results {
		err := <-result
		var refusal *client.Error
		if !errors.As(err, &refusal) || refusal.StatusCode != 503 || refusal.RetryAfter <= 0 {
			t.Errorf("%s: %v, want a 503 with Retry-After", name, err)
			continue
		}
		leaksNothing(t, fmt.Sprintf("%+v", refusal.Problem))
	}
	if health, err := stack.Client.Health(ctx); err != nil || health.Status != client.HealthStatusAlive {
		t.Errorf("health: %+v %v", health, err)
	}
}

// wantServed sends all operations, parents first.
func wantServed(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	all := operations(stack.Client)
	for _, name := range []string{"create", "batch", "update", "analysis", "workflow", "execution", "get", "list", "history", "incident events", "search"} {
		if err := all[name](t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// shortTimeout sets a request timeout that is short enough for tests of a database that does not respond, and long enough for
// the other requests of the same stack to succeed on a busy machine.
func shortTimeout() map[string]string { return map[string]string{"DATASTORAGE_REQUEST_TIMEOUT": "8s"} }

func databaseChecksFailed() checks {
	return checks{"postgresql": "failed", "pgvector": "failed", "schema": "failed", "embedding": "ok"}
}

func allChecksOK() checks {
	return checks{"postgresql": "ok", "pgvector": "ok", "schema": "ok", "embedding": "ok"}
}

// TestDatabaseStops stops and kills the database: the service is alive but not ready, and every operation
// returns Retry-After. As soon as the database is back, everything succeeds.
func TestDatabaseStops(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	stack := endtoend.New(t, endtoend.Options{Server: server, Env: shortTimeout()})
	wantServed(t, stack)
	kill := func() error { return postgrestest.Kill(t.Context(), server) }
	for name, end := range map[string]func() error{"stopped": server.Stop, "killed": kill} { //nolint:paralleltest // one after the other, on the same server
		t.Run(name, func(t *testing.T) {
			if err := end(); err != nil {
				t.Fatal(err)
			}
			wantReadiness(t, stack, client.ReadinessStatusUnavailable, databaseChecksFailed())
			wantUnavailable(t, stack)
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantServed(t, stack)
			wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
		})
	}
}

// TestDatabaseIsSilent checks a database that accepts connections and never responds, and one that stops
// responding on an open connection.
func TestDatabaseIsSilent(t *testing.T) {
	t.Parallel()
	t.Run("from the beginning", func(t *testing.T) {
		t.Parallel()
		silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.Close() })
		stack := endtoend.New(t, endtoend.Options{Env: shortTimeout(), Through: func(address string) string {
			return changeURL(t, address, func(u *url.URL) { u.Host = silent.Addr().String() })
		}})
		wantReadiness(t, stack, client.ReadinessStatusUnavailable, databaseChecksFailed())
		wantUnavailable(t, stack)
	})
	t.Run("to the check", func(t *testing.T) {
		t.Parallel()
		var tap *postgrestest.Tap
		stack := endtoend.New(t, endtoend.Options{Env: shortTimeout(), Through: func(address string) string {
			if strings.Contains(address, "reader") {
				tap = postgrestest.NewTap(t, address)
				return tap.URL()
			}
			return address
		}})
		wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
		tap.Stall("schema_applied", 0)
		wantReadiness(t, stack, client.ReadinessStatusUnavailable, databaseChecksFailed())
		wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
	})
}

// changeURL returns a URL after a change.
func changeURL(t *testing.T, address string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// TestAccessIsDenied checks wrong credentials and a missing database; the response reveals neither.
func TestAccessIsDenied(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*url.URL){
		"wrong password":   func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), secret) },
		"unknown role":     func(u *url.URL) { u.User = url.UserPassword("nobody", secret) },
		"unknown database": func(u *url.URL) { u.Path = "/nowhere" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stack := endtoend.New(t, endtoend.Options{Env: shortTimeout(), Through: func(address string) string { return changeURL(t, address, change) }})
			wantReadiness(t, stack, client.ReadinessStatusUnavailable, databaseChecksFailed())
			wantUnavailable(t, stack)
		})
	}
}

// TestPgvectorIsMissing checks readiness on a database whose extension was dropped, and
// that the response does not reveal the reason.
func TestPgvectorIsMissing(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: shortTimeout()})
	execSQL(t, stack.Database.SuperuserURL(), "DROP EXTENSION vector CASCADE")
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, checks{"postgresql": "ok", "pgvector": "failed", "schema": "ok", "embedding": "ok"})
	for name, operation := range operations(stack.Client) {
		var refusal *client.Error
		if err := operation(t.Context()); err != nil && errors.As(err, &refusal) {
			leaksNothing(t, name+fmt.Sprintf("%+v", refusal.Problem))
		}
	}
	execSQL(t, stack.Database.SuperuserURL(), "CREATE EXTENSION vector", "UPDATE pg_extension SET extversion = '0.8.1' WHERE extname = 'vector'")
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, checks{"postgresql": "ok", "pgvector": "failed", "schema": "ok", "embedding": "ok"})
}

// TestSchemaIsOld checks readiness at every earlier version of the schema, and at a later one.
func TestSchemaIsOld(t *testing.T) {
	t.Parallel()
	server := postgrestest.New(t).Server
	database := &postgrestest.Database{Server: server, Name: "old_" + strings.ToLower(rand.Text())}
	execSQL(t, server.URL(pgserver.Superuser, "postgres"), "CREATE DATABASE "+database.Name+" OWNER datastorage_admin TEMPLATE template0 ENCODING 'UTF8'")
	execSQL(t, database.SuperuserURL(), "CREATE EXTENSION vector")
	stack := endtoend.New(t, endtoend.Options{Database: database, Env: shortTimeout()})
	old := checks{"postgresql": "ok", "pgvector": "ok", "schema": "failed", "embedding": "ok"}
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, old)
	for version := int64(1); version < migrations.Latest(); version++ {
		if _, err := migrations.UpTo(t.Context(), database.AdminURL(), version); err != nil {
			t.Fatal(err)
		}
		wantReadiness(t, stack, client.ReadinessStatusUnavailable, old)
	}
	if _, err := migrations.Up(t.Context(), database.AdminURL()); err != nil {
		t.Fatal(err)
	}
	wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
	execSQL(t, database.AdminURL(), "INSERT INTO schema_version (version_id, is_applied) VALUES (9999, true)")
	wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
	execSQL(t, database.AdminURL(), fmt.Sprintf("DELETE FROM schema_version WHERE version_id >= %d", migrations.Latest()))
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, old)
}
