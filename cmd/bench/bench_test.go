package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShortRun runs every benchmark at its smallest size; each checks the rows that it stored and found.
func TestShortRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs every benchmark")
	}
	// Not the test's own directory: if root runs the tests, the server runs as a user who may not enter it.
	dir := filepath.Join(os.TempDir(), "datastorage-bench-"+rand.Text())
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var out, progress bytes.Buffer
	if err := runBenchmarks(t.Context(), []string{"-short", "-rounds", "1", "-rows", "5000", "-dir", dir}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s%s", err, progress.String(), out.String())
	}
	for _, name := range benchmarkNames() {
		if !strings.Contains(out.String(), "\n"+name+": ") {
			t.Errorf("the table has no line of %s:\n%s", name, out.String())
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the server's data are still there: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want options
		ok   bool
	}{
		{"", options{rows: 10_000_000, often: 200_000, rounds: 7}, true},
		{"-run write,list -short", options{only: []string{"write", "list"}, short: true, rows: 20_000, often: 2000, rounds: 2}, true},
		{"-rows 5000 -occurrences 2000000 -rounds 3 -fsync -keep", options{rows: 5000, often: 2_000_000, rounds: 3, fsync: true, keep: true}, true},
		{"-run rite", options{}, false},
		{"-rows 10", options{}, false},
		{"-occurrences 20", options{}, false},
		{"-rounds 0", options{}, false},
		{"-nonsense", options{}, false},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			got, err := parseOptions(strings.Fields(c.args), &bytes.Buffer{})
			if (err == nil) != c.ok {
				t.Fatalf("error %v, want one: %v", err, !c.ok)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(options{})); c.ok && diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figures []float64
		q, want float64
	}{
		{nil, 0.5, 0},
		{[]float64{3}, 0.95, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 3, 2, 4}, 0.5, 3},
		{[]float64{1, 2, 3, 4, 5}, 1, 5},
	} {
		if got := quantileOf(c.figures, c.q); got != c.want {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.figures, got, c.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal  goal
		ratio float64
		want  string
	}{
		{goal{}, 0.1, ""},
		{goal{least: 0.8}, 0.8, "met"},
		{goal{least: 0.8}, 0.79, "missed"},
		{goal{most: 1.3}, 1.3, "met"},
		{goal{most: 1.3}, 1.31, "missed"},
	} {
		if got := c.goal.verdictOn(c.ratio); got != c.want {
			t.Errorf("%v against %v is %q, want %q", c.ratio, c.goal, got, c.want)
		}
	}
}
