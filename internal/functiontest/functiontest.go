// Package functiontest runs functions on events as Lambda does, in the test's process or in Lambda's emulator,
// and compares their responses with golden files. It links no function: each test passes its own.
package functiontest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// PatientSettings are settings with long timeouts, for tests that do not test time:
// requests succeed on a busy machine, too.
func PatientSettings() map[string]string {
	return map[string]string{"DATASTORAGE_REQUEST_TIMEOUT": "29s", "DATASTORAGE_EMBEDDING_DEADLINE": "20s"}
}

// Sample returns a sample event from the folder events.
func Sample(tb testing.TB, name string) []byte {
	tb.Helper()
	event, err := os.ReadFile(samplePath(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return event
}

func samplePath(tb testing.TB, name string) string {
	tb.Helper()
	return filepath.Join(Root(tb), "events", name+".json")
}

// Root returns the module's root folder.
func Root(tb testing.TB) string {
	tb.Helper()
	folder, err := FindRoot()
	if err != nil {
		tb.Fatal(err)
	}
	return folder
}

// FindRoot returns the module's root folder, at or above the working directory.
func FindRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("no go.mod above the working directory")
		}
		folder = parent
	}
}
