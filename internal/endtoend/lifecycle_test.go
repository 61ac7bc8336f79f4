package endtoend_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// The tests of this file run functions in Lambda's emulator, as they are deployed, and check what the process
// prints and which database sessions it has.

// printed is the output of the function and the emulator.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// lines returns the lines that contain all of the words.
func (p *printed) lines(words ...string) []string {
	var found []string
	for line := range strings.Lines(p.String()) {
		has := true
		for _, word := range words {
			has = has && strings.Contains(line, word)
		}
		if has {
			found = append(found, line)
		}
	}
	return found
}

// sample is an event of the folder events.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	event, err := os.ReadFile(filepath.Join(functiontest.Root(t), "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return event
}

func invokeEmulator(t *testing.T, emulator *sam.Emulator, event []byte) string {
	t.Helper()
	response, err := emulator.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return string(response)
}

// terminate sends SIGTERM, as Lambda does before it ends a sandbox.
func terminate(t *testing.T, emulator *sam.Emulator) {
	t.Helper()
	signal(t, emulator, syscall.SIGTERM)
}

func signal(t *testing.T, emulator *sam.Emulator, signal syscall.Signal) {
	t.Helper()
	functions, err := emulator.Functions(t.Context())
	if err != nil || len(functions) != 1 {
		t.Fatalf("processes %v: %v", functions, err)
	}
	if err := syscall.Kill(functions[0], signal); err != nil {
		t.Fatal(err)
	}
}

// TestSIGTERM checks that a function that is shut down leaves no open connection.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for function, event := range map[string]string{"write": "create", "query": "list", "health": "ready"} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			database, connections := postgrestest.New(t), "application_name = 'datastorage-"+function+"'"
			emulator := functiontest.StartEmulator(t, functiontest.Build(t, function), database.WriterURL(), nil)
			if response := invokeEmulator(t, emulator, sample(t, event)); !strings.Contains(response, `"statusCode":20`) {
				t.Fatalf("response %s", response)
			}
			if database.Sessions(t, connections) == 0 {
				t.Fatal("the function has no connection")
			}
			terminate(t, emulator)
			database.AwaitSessions(t, 0, connections)
		})
	}
}

// TestSIGTERMDuringWork shuts a function down while a request waits for a locked table. If the table is
// unlocked soon, the request is completed and counted; if not, it is reported before the process may be killed.
func TestSIGTERMDuringWork(t *testing.T) {
	t.Parallel()
	for status, freed := range map[string]bool{"success": true, "timeout": false} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.New(t)
			var out printed
			emulator := functiontest.StartEmulator(t, functiontest.Build(t, "write"), database.WriterURL(), &out)
			invokeEmulator(t, emulator, sample(t, "workflow")) // a 404 that warms the function
			free := lockTable(t, database, "remediation_audit")
			responses := make(chan string, 1)
			go func() {
				response, err := emulator.Invoke(context.WithoutCancel(t.Context()), sample(t, "create"))
				responses <- fmt.Sprint(string(response), err)
			}()
			database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
			terminate(t, emulator)
			if freed {
				free()
			}
			eventually(t, "the request's metric", func() bool {
				return len(out.lines("_aws", "datastorage_operations_total", `"operation":"createRemediation"`, `"status":"`+status+`"`)) == 1
			})
			free()
			if response := <-responses; !strings.Contains(response, `"statusCode":201`) {
				t.Errorf("response %s", response)
			}
			database.AwaitSessions(t, 0, "application_name = 'datastorage-write'")
			if n := len(out.lines("_aws", "datastorage_operations_total", `"operation":"createRemediation"`)); n != 1 {
				t.Errorf("the request is counted %d times:\n%s", n, out.String())
			}
		})
	}
}

// TestFrozenForMinutes stops functions between two requests for minutes, as Lambda freezes an idle sandbox, and
// breaks their connections in the meantime. The next request of each succeeds, and the same event is the same write.
func TestFrozenForMinutes(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two minutes")
	}
	const frozen = 130 * time.Second
	type function struct {
		what     string
		emulator *sam.Emulator
		event    []byte
		response string
	}
	var all []function
	for name, meanwhile := range map[string]func(*postgrestest.Tap){
		"nothing happens":     func(*postgrestest.Tap) {},
		"the network forgets": (*postgrestest.Tap).Forget,
		"the proxy closes":    (*postgrestest.Tap).CutAll,
	} {
		database := postgrestest.New(t)
		for _, of := range []struct{ function, event, url, response string }{
			{"write", "create", database.WriterURL(), `"statusCode":200`}, // not 201, because it was stored before
			{"query", "list", database.ReaderURL(), `"statusCode":200`},
			{"health", "ready", database.ReaderURL(), `"statusCode":200`},
		} {
			tap := postgrestest.NewTap(t, of.url)
			emulator := functiontest.StartEmulator(t, functiontest.Build(t, of.function), tap.URL(), nil)
			f := function{what: of.function + ", " + name, emulator: emulator, event: sample(t, of.event), response: of.response}
			if response := invokeEmulator(t, emulator, f.event); !strings.Contains(response, `"statusCode":20`) {
				t.Fatalf("%s: before: %s", f.what, response)
			}
			signal(t, emulator, syscall.SIGSTOP)
			meanwhile(tap)
			all = append(all, f)
		}
	}
	began := time.Now()
	t.Parallel() // the other tests run meanwhile
	time.Sleep(time.Until(began.Add(frozen)))
	for _, f := range all {
		signal(t, f.emulator, syscall.SIGCONT)
		if response := invokeEmulator(t, f.emulator, f.event); !strings.Contains(response, f.response) {
			t.Errorf("%s: after: %s", f.what, response)
		}
	}
}

// lockTable locks a table against all reads and writes until free is called.
func lockTable(t *testing.T, database *postgrestest.Database, table string) (free func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, database.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE "+table); err != nil {
		t.Fatal(err)
	}
	free = sync.OnceFunc(func() { _ = conn.Close(ctx) })
	t.Cleanup(free)
	return free
}

// TestInitFails starts a function with invalid settings: one log line reports it, and the invocation fails. The
// next invocation starts the function again and succeeds, because the cause is fixed.
func TestInitFails(t *testing.T) {
	t.Parallel()
	certificates := filepath.Join(t.TempDir(), "rds.pem")
	url := strings.Replace(postgrestest.New(t).ReaderURL(), "sslmode=disable", "sslmode=verify-full", 1)
	var out printed
	emulator := functiontest.StartEmulator(t, functiontest.Build(t, "health"), url, &out, map[string]string{"DATASTORAGE_DATABASE_CA": certificates})
	if response := invokeEmulator(t, emulator, sample(t, "health")); strings.Contains(response, "statusCode") {
		t.Errorf("response %s", response)
	}
	eventually(t, "a line", func() bool { return len(out.lines("init failed")) > 0 })
	failed := out.lines("init failed")
	if !strings.Contains(failed[0], "DATASTORAGE_DATABASE_CA") || !strings.HasPrefix(failed[0], `{"time":`) {
		t.Fatalf("log %q", failed)
	}
	if err := os.WriteFile(certificates, []byte(functiontest.Certificate(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if response := invokeEmulator(t, emulator, sample(t, "health")); !strings.Contains(response, `"statusCode":200`) {
		t.Errorf("response %s\n%s", response, out.String())
	}
}

// TestInitFailsInOneLine checks that all errors of the settings are reported together.
func TestInitFailsInOneLine(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"write", "query", "health", "migrate", "maintain"} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			var out printed
			emulator := functiontest.StartEmulator(t, functiontest.Build(t, function), "", &out, map[string]string{"DATASTORAGE_LOG_LEVEL": "loud"})
			invokeEmulator(t, emulator, []byte("{}"))
			eventually(t, "a line", func() bool { return len(out.lines("init failed")) > 0 })
			for _, line := range out.lines("init failed") {
				if !strings.Contains(line, "DATASTORAGE_DATABASE_URL must be set") || !strings.Contains(line, "DATASTORAGE_LOG_LEVEL must be") {
					t.Errorf("log %q", line)
				}
			}
		})
	}
}

// TestDeploymentWithWrongSettings sends events of CloudFormation to migrate without its settings: it reports the reason, and its resource
// can be deleted.
func TestDeploymentWithWrongSettings(t *testing.T) {
	t.Parallel()
	responses := make(chan string, 2)
	stack := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		responses <- string(body)
	}))
	defer stack.Close()
	emulator := functiontest.StartEmulator(t, functiontest.Build(t, "migrate"), "", nil, map[string]string{"DATASTORAGE_LOG_LEVEL": "loud"})
	for request, want := range map[string]string{"Create": "DATASTORAGE_DATABASE_URL must be set", "Delete": `"Status":"SUCCESS"`} {
		invokeEmulator(t, emulator, []byte(`{"RequestType": "`+request+`", "ResponseURL": "`+stack.URL+`", "RequestId": "r", "StackId": "s",
			"LogicalResourceId": "Migration", "ResourceType": "Custom::Migration", "PhysicalResourceId": "p", "ResourceProperties": {}}`))
		select {
		case response := <-responses:
			if !strings.Contains(response, want) {
				t.Errorf("%s: %s, want %s", request, response, want)
			}
		default:
			t.Errorf("%s gets no response", request)
		}
	}
}

// TestLazyConnect checks that a function without its database starts, is alive, and reports that it is not ready.
func TestLazyConnect(t *testing.T) {
	t.Parallel()
	emulator := functiontest.StartEmulator(t, functiontest.Build(t, "health"), "postgres://datastorage_reader@127.0.0.1:1/nowhere", nil)
	for event, want := range map[string]string{"health": `"statusCode":200`, "ready": `"statusCode":503`} {
		if response := invokeEmulator(t, emulator, sample(t, event)); !strings.Contains(response, want) {
			t.Errorf("%s: %s", event, response)
		}
	}
}
