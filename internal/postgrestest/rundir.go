package postgrestest

import (
	"os"
	"sync"
	"testing"
)

// RunDirVariable names a folder that the test binaries of one run share: what one of them makes there, the others find. make test and
// make check set it; without it, each binary has a folder of its own.
const RunDirVariable = "DATASTORAGE_TEST_RUN_DIR"

// ownRunDir is the folder of a binary that shares none.
var ownRunDir struct {
	sync.Mutex
	path string
}

// RunDir returns the run's folder. A binary's own one is removed by Run.
func RunDir(tb testing.TB) string {
	tb.Helper()
	dir, err := runDir()
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

func runDir() (string, error) {
	if shared := os.Getenv(RunDirVariable); shared != "" {
		return shared, nil
	}
	ownRunDir.Lock()
	defer ownRunDir.Unlock()
	if ownRunDir.path != "" {
		return ownRunDir.path, nil
	}
	dir, err := os.MkdirTemp("", dataPrefix+"run-")
	if err != nil {
		return "", err
	}
	// When root runs the tests, the servers may have to run as nobody.
	ownRunDir.path = dir
	return dir, os.Chmod(dir, 0o755)
}

func removeOwnRunDir() error {
	ownRunDir.Lock()
	defer ownRunDir.Unlock()
	if ownRunDir.path == "" {
		return nil
	}
	path := ownRunDir.path
	ownRunDir.path = ""
	return os.RemoveAll(path)
}
