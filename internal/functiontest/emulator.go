package functiontest

import (
	"encoding/pem"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/gofrs/flock"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// builds are the programs that this test binary has built.
var builds struct {
	sync.Mutex
	paths map[string]string
}

// Build builds a folder of functions/ as for deployment, but for this machine's processor, and returns the
// program's path. With -short it skips the test. All test binaries build to the same file below .local, so go
// build links it again only if a source has changed.
func Build(tb testing.TB, function string) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("builds a function")
	}
	builds.Lock()
	defer builds.Unlock()
	if path := builds.paths[function]; path != "" {
		return path
	}
	dir := filepath.Join(Root(tb), ".local", "test-functions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, function+".lock"))
	if err := lock.Lock(); err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	path, err := sam.BuildFunction(tb.Context(), Root(tb), "functions/"+function, runtime.GOARCH, dir)
	if err != nil {
		tb.Fatal(err)
	}
	if builds.paths == nil {
		builds.paths = map[string]string{}
	}
	builds.paths[function] = path
	return path
}

// StartEmulator runs a built function in the emulator until the test ends, with the settings of the test
// databases' model. log receives what the function prints; nil discards it.
func StartEmulator(tb testing.TB, bootstrap, databaseURL string, log io.Writer, more ...map[string]string) *sam.Emulator {
	tb.Helper()
	settings := map[string]string{
		"DATASTORAGE_DATABASE_URL": databaseURL, "DATASTORAGE_EMBEDDING_DIMENSIONS": strconv.Itoa(postgrestest.Dimensions),
	}
	maps.Copy(settings, PatientSettings())
	for _, other := range more {
		maps.Copy(settings, other)
	}
	emulator, err := sam.StartEmulator(tb.Context(), sam.EmulatorConfig{Bootstrap: bootstrap, Settings: settings, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := emulator.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return emulator
}

// Certificate returns a PEM certificate that matches no server of the tests.
func Certificate(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}
