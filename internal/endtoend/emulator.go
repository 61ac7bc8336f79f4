package endtoend

import (
	"encoding/pem"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// built are the functions that this test binary has built, by folder.
var built struct {
	sync.Mutex
	paths map[string]string
}

// Bootstrap builds a folder of functions/ for this machine, once, below .local.
func Bootstrap(tb testing.TB, function string) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if path := built.paths[function]; path != "" {
		return path
	}
	// Test binaries run side by side: each builds its own, out of the same cache.
	dir, err := os.MkdirTemp("", "datastorage-functions-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		built.Lock()
		defer built.Unlock()
		delete(built.paths, function)
		_ = os.RemoveAll(dir)
	})
	path, err := sam.BuildFunction(tb.Context(), Root(tb), "functions/"+function, runtime.GOARCH, dir)
	if err != nil {
		tb.Fatal(err)
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[function] = path
	return path
}

// NewEmulator runs a built function in the emulator, with the settings of the test databases' model, until the test ends. Log gets what it
// prints; nil means that nobody does.
func NewEmulator(tb testing.TB, bootstrap, databaseURL string, log io.Writer, more ...map[string]string) *sam.Emulator {
	tb.Helper()
	settings := map[string]string{
		"DATASTORAGE_DATABASE_URL": databaseURL, "DATASTORAGE_EMBEDDING_DIMENSIONS": strconv.Itoa(postgrestest.Dimensions),
	}
	maps.Copy(settings, patient())
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

// Certificate is a certificate of nobody's, as PEM.
func Certificate(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}
