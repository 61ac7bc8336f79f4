package program

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestFindPython looks for an interpreter among commands that have the right name and the wrong
// version, fail, or are right.
func TestFindPython(t *testing.T) {
	path, home := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path)
	t.Setenv("HOME", home)
	add := func(name, script string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	add(filepath.Join(path, "python3"), "echo 10 /usr/bin/python3.10")
	add(filepath.Join(path, "python3.13"), "echo no pip >&2; exit 1")
	_, err := FindPython(t.Context(), "Probe", 11, 13)
	var problem *Problem
	if !errors.As(err, &problem) || problem.What != "Probe needs Python 3.11 to 3.13 with pip" || !strings.Contains(problem.Why, "python3.12") {
		t.Errorf("none of the versions: %v", err)
	}
	for _, step := range []struct {
		name string
		want Python
	}{
		{filepath.Join(home, ".pyenv/versions/3.12.1/bin/python3"), Python{Executable: "/pyenv/python3.12", Version: 12}},
		{filepath.Join(path, "python3.11"), Python{Executable: "/opt/my python/python3.11", Version: 11}},
		{filepath.Join(path, "python3"), Python{Executable: "/usr/bin/python3.13", Version: 13}},
	} {
		add(step.name, "echo "+strconv.Itoa(step.want.Version)+" "+step.want.Executable)
		if got, err := FindPython(t.Context(), "Probe", 11, 13); err != nil || got != step.want {
			t.Errorf("with %s: %+v, %v", step.name, got, err)
		}
	}
}
