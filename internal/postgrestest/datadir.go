package postgrestest

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

const dataPrefix = "datastorage-test-"

// owned has the locks that mark a directory as in use by this process, even while its
// server is stopped and has released its own lock.
var owned sync.Map

// newDataDir returns the path of a new server's directory, directly in the folder for temporary files. If root
// runs the tests, the server may have to run as another user, who cannot enter the folders of testing.T.
func newDataDir() string {
	data := filepath.Join(os.TempDir(), dataPrefix+rand.Text())
	owner := flock.New(data + ".owner")
	// The error is ignored: an unlocked directory is lost only if its server stops while another test binary sweeps.
	_ = owner.Lock()
	owned.Store(data, owner)
	return data
}

func removeDataDir(data string) error {
	errs := []error{os.RemoveAll(data), removeIfPresent(data + ".lock"), removeIfPresent(data + ".owner")}
	if owner, ok := owned.LoadAndDelete(data); ok {
		if lock, ok := owner.(*flock.Flock); ok {
			errs = append(errs, lock.Close())
		}
	}
	return errors.Join(errs...)
}

func removeIfPresent(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeAbandonedDirs removes the directories of killed test binaries: those for which no process holds the lock of the owner
// or of the server, which may live a moment longer. Files of other users remain.
func removeAbandonedDirs() {
	owners, err := filepath.Glob(filepath.Join(os.TempDir(), dataPrefix+"*.owner"))
	if err != nil {
		return
	}
	for _, path := range owners {
		data := strings.TrimSuffix(path, ".owner")
		owner, server := flock.New(path), flock.New(data+".lock")
		if tryLockOnce(owner) && tryLockOnce(server) {
			left, _ := filepath.Glob(data + "*")
			for _, entry := range left {
				_ = os.RemoveAll(entry)
			}
		}
		_, _ = server.Close(), owner.Close()
	}
}

func tryLockOnce(lock *flock.Flock) bool {
	locked, err := lock.TryLock()
	return err == nil && locked
}
