package endtoend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// sampleEvents returns the sample events by name.
func sampleEvents(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(functiontest.Root(t), "events", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = text
	}
	return all
}

// functionOf returns the function of a sample event: that of its route, or the write function for a message of the queue.
func functionOf(t *testing.T, routes map[string][]string, event []byte) string {
	t.Helper()
	var request struct{ RouteKey string }
	if err := json.Unmarshal(event, &request); err != nil {
		t.Fatal(err)
	}
	if functions := routes[request.RouteKey]; len(functions) > 0 {
		return functions[0]
	}
	return "WriteFunction"
}

// TestEndedContexts invokes every route with a context that has ended, one that ends at once, and one that
// leaves no time to respond: the response is 503 with Retry-After, and nothing is stored. Only /health and
// /openapi.json, which do not wait for anything, succeed. For the queue, every message is reported as failed.
func TestEndedContexts(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	before := tableContents(t, stack)
	template, err := os.ReadFile(filepath.Join(functiontest.Root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	routes, err := gateway.RoutesOf(template)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond) // less than the response margin of the router
	defer cancel()
	for kind, ctx := range map[string]context.Context{"cancelled": cancelled, "expired": expired, "short": short} {
		for name, event := range sampleEvents(t) {
			payload, err := stack.Functions.Handlers[functionOf(t, routes, event)].Invoke(ctx, event)
			if err != nil {
				t.Errorf("%s context, %s: the invocation fails: %v", kind, name, err)
				continue
			}
			if strings.HasPrefix(name, "sqs-") {
				if !strings.HasPrefix(string(payload), `{"batchItemFailures":[{"itemIdentifier":"059f36b4-`) {
					t.Errorf("%s context, %s: %s", kind, name, payload)
				}
				continue
			}
			var response events.APIGatewayV2HTTPResponse
			if err := json.Unmarshal(payload, &response); err != nil {
				t.Fatal(err)
			}
			want := 503
			if name == "health" || name == "contract" {
				want = 200
			}
			if response.StatusCode != want || want == 503 && response.Headers["Retry-After"] == "" {
				t.Errorf("%s context, %s: %d %v %s", kind, name, response.StatusCode, response.Headers, response.Body)
			}
			leaksNothing(t, response.Body)
		}
	}
	if _, err := stack.Functions.Maintain.Invoke(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("maintenance run: %v, want context.Canceled", err)
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Error(diff)
	}
}

// TestClientGivesUp checks that the client's errors say why the caller's context ended, before or during the request.
func TestClientGivesUp(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: shortTimeout()})
	createRecord(t, stack, minimalRecord("r"))
	locker := connect(t, stack.Database.AdminURL())
	mustExec(t, locker, "BEGIN")
	mustExec(t, locker, "LOCK TABLE remediation_audit, audit_event IN ACCESS EXCLUSIVE MODE")
	for name, operation := range operations(stack.Client) {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := operation(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
		expiring, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := operation(expiring); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want context.DeadlineExceeded", name, err)
		}
		cancel()
	}
	mustExec(t, locker, "ROLLBACK")
	stack.Database.AwaitSessions(t, 0, serving)
}

// serving is the condition of AwaitSessions for the service's sessions that are active or in a transaction.
const serving = "usename LIKE 'datastorage%' AND state <> 'idle'"

// TestDatabaseIsSlow locks every table: every operation returns 503 in time and cancels its statement on the
// server. Once the tables are unlocked, a retry succeeds.
func TestDatabaseIsSlow(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: shortTimeout()})
	createRecord(t, stack, minimalRecord("r"))
	locker := connect(t, stack.Database.AdminURL())
	mustExec(t, locker, "BEGIN")
	mustExec(t, locker, "LOCK TABLE remediation_audit, audit_event, embedding_model, cursor_key, ai_analysis_audit, workflow_audit, execution_audit IN ACCESS EXCLUSIVE MODE")
	wantUnavailable(t, stack)
	stack.Database.AwaitSessions(t, 1, serving)
	mustExec(t, locker, "ROLLBACK")
	wantServed(t, stack)
	wantJournal(t, stack, "r", 5)
}

// TestWritesAreSlow makes the last statement of every write sleep: the whole write is
// rolled back, and reads continue concurrently.
func TestWritesAreSlow(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: shortTimeout()})
	createRecord(t, stack, minimalRecord("before"))
	execSQL(t, stack.Database.AdminURL(), `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$`,
		"CREATE TRIGGER dawdle AFTER INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION dawdle()")
	before := tableContents(t, stack)
	slow := make(chan error, 1)
	go func() {
		_, err := stack.Client.CreateRemediation(t.Context(), minimalRecord("slow"))
		slow <- err
	}()
	for name, operation := range operations(stack.Client) {
		if isWrite(name) {
			continue
		}
		if err := operation(t.Context()); err != nil && !errors.Is(err, client.ErrNotFound) {
			t.Errorf("%s during a slow write: %v", name, err)
		}
	}
	if err := <-slow; !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("slow write: %v", err)
	}
	stack.Database.AwaitSessions(t, 0, serving)
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Error(diff)
	}
	execSQL(t, stack.Database.AdminURL(), "DROP TRIGGER dawdle ON audit_event")
	createRecord(t, stack, minimalRecord("slow"))
}

// TestPoolIsExhausted blocks the only connection of the writers with a lock: other writers get 503 in time,
// readers are not affected, and the blocked write succeeds once the lock is released.
func TestPoolIsExhausted(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: map[string]string{"DATASTORAGE_DATABASE_MAX_CONNS": "1"}})
	createRecord(t, stack, minimalRecord("r"))
	locker := connect(t, stack.Database.AdminURL())
	mustExec(t, locker, "BEGIN")
	mustExec(t, locker, "SELECT FROM remediation_audit FOR UPDATE")
	held := make(chan error, 1)
	go func() {
		_, err := stack.Client.UpdateRemediation(t.Context(), "r", newPhase(client.PhaseFailed))
		held <- err
	}()
	stack.Database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if _, err := stack.Client.GetRemediation(t.Context(), "r"); err != nil {
		t.Errorf("read: %v", err)
	}
	// The function's deadline ends this write before the one that holds the connection.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	payload, err := stack.Functions.Handlers["WriteFunction"].Invoke(ctx, sampleEvents(t)["create"])
	if err != nil || !strings.Contains(string(payload), `"statusCode":503`) || !strings.Contains(string(payload), "Retry-After") {
		t.Errorf("write without a connection: %s %v", payload, err)
	}
	mustExec(t, locker, "ROLLBACK")
	if err := <-held; err != nil {
		t.Errorf("the blocked write: %v", err)
	}
	createRecord(t, stack, minimalRecord("afterwards"))
}

// TestTooManyConnections makes the server refuse connections to the database, and then accept them again.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: shortTimeout()})
	limit := func(n int) string {
		return fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", stack.Database.Name, n)
	}
	url := stack.Database.Server.URL(pgserver.Superuser, "postgres")
	execSQL(t, url, limit(0))
	wantReadiness(t, stack, client.ReadinessStatusUnavailable, databaseChecksFailed())
	wantUnavailable(t, stack)
	execSQL(t, url, limit(-1))
	wantServed(t, stack)
}
