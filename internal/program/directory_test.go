package program

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// fillWithFile returns a fill function that makes a directory with one file.
func fillWithFile(content string) func(string) (string, error) {
	return func(staging string) (string, error) {
		made := filepath.Join(staging, "made")
		if err := os.Mkdir(made, 0o755); err != nil {
			return "", err
		}
		return made, os.WriteFile(filepath.Join(made, "file"), []byte(content), 0o600)
	}
}

// listDirectory returns the names in a directory, without lock files.
func listDirectory(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".lock" {
			all = append(all, entry.Name())
		}
	}
	return all
}

func TestMakeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "path")
	var fills atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := MakeOnce(t.Context(), path, func(staging string) (string, error) {
				fills.Add(1)
				return fillWithFile("complete")(staging)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := fills.Load(); got != 1 {
		t.Errorf("filled %d times, want once", got)
	}
	if got, err := os.ReadFile(filepath.Join(path, "file")); err != nil || string(got) != "complete" {
		t.Errorf("the file contains %q, %v", got, err)
	}
	if got := listDirectory(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}

func TestMakeOnceAfterFailure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "path")
	// A killed run leaves its staging directory.
	if err := os.MkdirAll(path+".unfinished-123/made", 0o755); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := MakeOnce(t.Context(), path, func(string) (string, error) { return "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("error is %v, want that of fill", err)
	}
	if got := listDirectory(t, filepath.Dir(path)); len(got) != 0 {
		t.Errorf("a failure left %v", got)
	}
	if err := MakeOnce(t.Context(), path, fillWithFile("second")); err != nil {
		t.Errorf("second attempt: %v", err)
	}
}

func TestMakeOnceCanceled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "path")
	inside, done := make(chan struct{}), make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- MakeOnce(t.Context(), path, func(staging string) (string, error) {
			close(inside)
			<-ctx.Done()
			return fillWithFile("first")(staging)
		})
	}()
	<-inside
	expired, stop := context.WithCancel(t.Context())
	stop()
	err := MakeOnce(expired, path, fillWithFile("second"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with a canceled context: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Parallel()
	dir, err := DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "go.mod")); err != nil || filepath.Base(dir) != ".local" {
		t.Errorf("%s is not .local in the folder of go.mod: %v", dir, err)
	}
}
