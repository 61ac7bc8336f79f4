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

// owned are the locks that say that this process still needs a directory, also while the server in it is stopped and has let go of its own.
var owned sync.Map

// newDataDir names a server's directory. It stands directly in the folder for temporary files, which every user may enter, as
// those of testing.T are not: when root runs the tests, the server may have to run as another user.
func newDataDir() string {
	data := filepath.Join(os.TempDir(), dataPrefix+rand.Text())
	owner := flock.New(data + ".owner")
	// Without its lock, the directory would merely not survive a stop of its server.
	_ = owner.Lock()
	owned.Store(data, owner)
	return data
}

func removeDataDir(data string) error {
	errs := []error{os.RemoveAll(data), remove(data + ".lock"), remove(data + ".owner")}
	if owner, ok := owned.LoadAndDelete(data); ok {
		if lock, ok := owner.(*flock.Flock); ok {
			errs = append(errs, lock.Close())
		}
	}
	return errors.Join(errs...)
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes what test binaries left that were killed: no process holds the lock of such a directory's owner or of its server, which
// may live for a moment longer. Another user's files stay.
func sweep() {
	owners, err := filepath.Glob(filepath.Join(os.TempDir(), dataPrefix+"*.owner"))
	if err != nil {
		return
	}
	for _, path := range owners {
		data := strings.TrimSuffix(path, ".owner")
		owner, server := flock.New(path), flock.New(data+".lock")
		if take(owner) && take(server) {
			left, _ := filepath.Glob(data + "*")
			for _, entry := range left {
				_ = os.RemoveAll(entry)
			}
		}
		_, _ = server.Close(), owner.Close()
	}
}

func take(lock *flock.Flock) bool {
	locked, err := lock.TryLock()
	return err == nil && locked
}
