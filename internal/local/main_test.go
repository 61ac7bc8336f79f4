package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/datastorage-service/datastorage/internal/localstack"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/program"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(stackVariable); dir != "" {
		runChildStack(dir)
	}
	code := m.Run()
	if err := errors.Join(os.RemoveAll(seedPath()), os.RemoveAll(seedPath()+".lock")); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func seedPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("datastorage-stack-seed-%d", os.Getpid()))
}

// seedServer makes the data of a server once for all tests, and returns the folder below
// program.DefaultDir with PostgreSQL.
var seedServer = sync.OnceValues(func() (programs string, err error) {
	ctx := context.Background()
	shared, err := program.DefaultDir()
	if err != nil {
		return "", err
	}
	server, err := pgserver.Start(ctx, pgserver.Config{Data: seedPath(), Progress: os.Stderr, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(shared, server.Bin("postgres"))
	folder, _, _ := strings.Cut(filepath.ToSlash(below), "/")
	return filepath.Join(shared, folder), errors.Join(err, server.Stop())
})

// stackDir returns a folder for a stack that contains PostgreSQL with the data of a new server.
func stackDir(t *testing.T) string {
	t.Helper()
	programs, err := seedServer()
	if err != nil {
		t.Fatal(err)
	}
	dir := newDataDir(t)
	data := filepath.Join(dir, "postgres16")
	err = errors.Join(os.Mkdir(dir, 0o755), os.Symlink(programs, filepath.Join(dir, filepath.Base(programs))), os.CopyFS(data, os.DirFS(seedPath())),
		os.Chmod(filepath.Join(data, pgserver.ClusterDir), 0o700)) // PostgreSQL refuses a directory that others may read
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// newDataDir returns a new path for a stack. Every user may enter its parent, unlike that of
// t.TempDir: the server of root may have to run as another user.
func newDataDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "datastorage-test-"+rand.Text())
	t.Cleanup(func() {
		left, err := filepath.Glob(dir + "*")
		for _, path := range left {
			err = errors.Join(err, os.RemoveAll(path))
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fileNames returns the names in a directory, without lock files.
func fileNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".lock" {
			names = append(names, entry.Name())
		}
	}
	return names
}

func startLocalStack(t *testing.T) *localstack.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts LocalStack")
	}
	l, err := localstack.Start(t.Context(), localstack.Config{Services: []string{"sqs"}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sendRequest returns the response and its body.
func sendRequest(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
