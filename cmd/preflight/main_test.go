package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPreflight runs the checks on a machine that has everything, and on one without Python, a C
// compiler and PgBouncer.
func TestPreflight(t *testing.T) {
	none := func(string) string { return "" }
	var out strings.Builder
	if !run(t.Context(), none, &out) || out.Len() > 0 {
		t.Errorf("with everything: %s", &out)
	}

	empty := t.TempDir()
	t.Setenv("HOME", empty)
	t.Setenv("PATH", empty)
	goCommand := "#!/bin/sh\necho cc\n"
	if err := os.WriteFile(filepath.Join(empty, "go"), []byte(goCommand), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if run(t.Context(), none, &out) {
		t.Error("nothing is missing from an empty PATH")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{"C compiler: apt-get install gcc", "LocalStack needs Python", "SAM CLI needs Python", "PgBouncer: "} {
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d does not name %q:\n%s", i, want, &out)
		}
	}

	out.Reset()
	run(t.Context(), func(string) string { return "http://127.0.0.1:4566" }, &out)
	if strings.Contains(out.String(), "LocalStack") {
		t.Errorf("with a running LocalStack: %s", &out)
	}
}
