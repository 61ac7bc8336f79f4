package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// sandboxVariable makes this test binary run as a function's process. Its value is the database's
// URL.
const sandboxVariable = "DATASTORAGE_TEST_SANDBOX"

// runSandbox writes a remediation for each ID on its standard input and prints "stored" or the
// error.
func runSandbox(ctx context.Context, url string, in io.Reader, out io.Writer) error {
	store, err := postgres.Open(ctx, postgres.Config{URL: url, MaxConns: 2})
	if err != nil {
		return err
	}
	defer store.Close()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		response := "stored"
		if err := writeAlone(ctx, store, lines.Text()); err != nil {
			response = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, response); err != nil {
			return err
		}
	}
	return nil
}

func writeAlone(ctx context.Context, store *postgres.Store, id string) error {
	var invalid audit.ValidationErrors
	record := minimalRemediation(id)
	record.Check(audit.Checker{Errors: &invalid, Actions: redact.Actions{}}, nil)
	made, err := audit.NewEntry(record, "sandbox", time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	written, err := store.Append(ctx, []audit.Entry{made}, nil)
	if err != nil {
		return err
	}
	return written[0].Err
}

// sandbox is a process that runs runSandbox.
type sandbox struct {
	t       *testing.T
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startSandbox(t *testing.T, url string) *sandbox {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{t: t, process: exec.CommandContext(t.Context(), self)}
	s.process.Env = append(os.Environ(), sandboxVariable+"="+url)
	s.process.Stderr = os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if s.in, err = s.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.in.Close()
		if err := s.process.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sandbox) write(id string) string {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, id); err != nil {
		s.t.Fatal(err)
	}
	response, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(response)
}

func (s *sandbox) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// TestFrozenSandbox stops a process between two requests, as Lambda freezes a sandbox, and breaks
// its connections meanwhile. It checks that the next request succeeds and that nothing is written
// twice.
func TestFrozenSandbox(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*testing.T, *postgrestest.Tap, *postgrestest.Database){
		"nothing":             func(*testing.T, *postgrestest.Tap, *postgrestest.Database) {},
		"the network forgets": func(_ *testing.T, tap *postgrestest.Tap, _ *postgrestest.Database) { tap.Forget() },
		"the proxy closes":    func(_ *testing.T, tap *postgrestest.Tap, _ *postgrestest.Database) { tap.CutAll() },
		"the server ends the sessions": func(t *testing.T, _ *postgrestest.Tap, db *postgrestest.Database) {
			t.Helper()
			execSQL(t, db.SuperuserURL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'datastorage_writer' AND datname = current_database()")
		},
		"the server restarts": func(t *testing.T, _ *postgrestest.Tap, db *postgrestest.Database) {
			t.Helper()
			if err := db.Server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := postgrestest.NewOn(t, postgrestest.NewServer(t))
			tap := postgrestest.NewTap(t, db.WriterURL())
			s := startSandbox(t, tap.URL())
			const rounds = 3
			for n := range rounds {
				if response := s.write(fmt.Sprint("before ", n)); response != "stored" {
					t.Errorf("before: %s", response)
				}
				s.signal(syscall.SIGSTOP)
				happens(t, tap, db)
				time.Sleep(1500 * time.Millisecond) // longer than a connection is trusted without a ping
				s.signal(syscall.SIGCONT)
				if response := s.write(fmt.Sprint("after ", n)); response != "stored" {
					t.Errorf("after: %s", response)
				}
			}
			for table, n := range countRows(t, db) {
				if want := map[string]int{"signature": 1, "remediation_audit": 2 * rounds, "audit_event": 2 * rounds}[table]; n != want {
					t.Errorf("%d rows in %s, want %d", n, table, want)
				}
			}
		})
	}
}

// TestForgottenConnections checks the same for every call of the store, with all of its connections
// dead.
func TestForgottenConnections(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	var group sync.WaitGroup
	for name, call := range storeCalls(t) {
		store := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model, MaxConns: 2})
		store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
		group.Go(func() {
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() { _, _ = store.SignaturesStored(t.Context(), nil) })
			}
			both.Wait()
			store.Tap.Forget()
			time.Sleep(1500 * time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := call(ctx, store); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
}
