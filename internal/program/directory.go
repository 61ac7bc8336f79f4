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

// DefaultDir is the folder .local beside the go.mod that governs the working directory, or in the working directory when no
// go.mod does. It need not exist.
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

// Exists tells whether anything has that name.
func Exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// MakeOnce makes the directory path with fill, which is handed a fresh directory to work in and returns the one inside it that
// shall become path. Whoever comes second, in this process or in another, waits for the first and finds the work done. Killed at
// any point, it leaves either no path or a whole one: what a killed run left over is swept by the next.
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

// ReplaceDir is MakeOnce under its lock.
func ReplaceDir(path string, fill func(staging string) (string, error)) error {
	pattern := filepath.Base(path) + ".unfinished-*"
	stale, err := filepath.Glob(filepath.Join(filepath.Dir(path), pattern))
	if err != nil {
		return err
	}
	for _, dir := range stale {
		// A child of the killed run may still write there; what cannot be removed now goes next time.
		_ = os.RemoveAll(dir)
	}
	staging, err := os.MkdirTemp(filepath.Dir(path), pattern)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	made, err := fill(staging)
	if err != nil {
		return err
	}
	return os.Rename(made, path)
}
