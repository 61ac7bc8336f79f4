package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// DefaultDir returns the path of .local in the module that contains the working directory, or in
// the working directory if there is no module. The folder need not exist.
func DefaultDir() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".local"), nil
		}
		if dir == filepath.Dir(dir) {
			return filepath.Join(start, ".local"), nil
		}
	}
}

// Exists reports whether there is a file, directory or link with that name.
func Exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// MakeOnce makes the directory path if it does not exist. fill gets a new directory to work in and
// returns the directory inside it that becomes path. Concurrent calls, including those of other
// processes, wait for the first one. After a kill, path is either missing or complete; the next
// call removes the rest.
func MakeOnce(ctx context.Context, path string, fill func(staging string) (string, error)) error {
	if done, err := Exists(path); done || err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("wait for %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Close() }()
	if done, err := Exists(path); done || err != nil {
		return err
	}
	return ReplaceDir(path, fill)
}

// ReplaceDir makes the directory as MakeOnce does. The caller must hold a lock on path.
func ReplaceDir(path string, fill func(staging string) (string, error)) error {
	pattern := filepath.Base(path) + ".unfinished-*"
	stale, err := filepath.Glob(filepath.Join(filepath.Dir(path), pattern))
	if err != nil {
		return err
	}
	for _, dir := range stale {
		// A child of the killed run may still write there; the next call removes what is left now.
		_ = os.RemoveAll(dir)
	}
	staging, err := os.MkdirTemp(filepath.Dir(path), pattern)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	filled, err := fill(staging)
	if err != nil {
		return err
	}
	return os.Rename(filled, path)
}
