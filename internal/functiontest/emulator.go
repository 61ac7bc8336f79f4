package functiontest

import (
	"encoding/pem"
	"io"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/program"
	"github.com/datastorage-service/datastorage/internal/sam"
)

// Build builds a folder of functions/ as it is deployed, but for this machine's processor, once in a run of the tests, and returns the
// program's path.
func Build(tb testing.TB, function string) string {
	tb.Helper()
	folder := filepath.Join(postgrestest.RunDir(tb), "functions", function)
	err := program.Once(tb.Context(), folder, func(staging string) (string, error) {
		bootstrap, err := sam.BuildFunction(tb.Context(), Root(tb), "functions/"+function, runtime.GOARCH, staging)
		return filepath.Dir(bootstrap), err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(folder, "bootstrap")
}

// StartEmulator runs a built function in the emulator, with the settings of the test databases' model, until the test ends. log gets
// what the function prints; nil discards it.
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

// Certificate returns a certificate that no server of the tests uses, as PEM.
func Certificate(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}
