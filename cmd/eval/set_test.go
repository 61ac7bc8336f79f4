package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadSets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dir  string
		want []string
	}{
		{"testdata", []string{"incidents", "plain"}},
		{"testdata/plain", []string{"plain"}},
		{"testdata/incidents/.", []string{"incidents"}},
	} {
		t.Run(c.dir, func(t *testing.T) {
			t.Parallel()
			sets, err := readTestSets(c.dir)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range sets {
				names = append(names, s.name)
			}
			if diff := cmp.Diff(c.want, names); diff != "" {
				t.Errorf("sets (-want +got):\n%s", diff)
			}
		})
	}
}

// An inconsistent set is an error, because its figures would look valid.
func TestReadSetRefuses(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"docs.jsonl":    `{"id":"d-1","text":"one"}`,
		"queries.jsonl": `{"id":"q-1","text":"one"}`,
		"qrels.jsonl":   `{"query":"q-1","doc":"d-1","gain":1}`,
	}
	for _, c := range []struct{ name, file, content, want string }{
		{"no documents", "docs.jsonl", "", `judges "d-1", which is not a document`},
		{"a document without an id", "docs.jsonl", `{"text":"one"}`, "document 1: has neither remediation_id nor id"},
		{"no queries", "queries.jsonl", "", `judges "q-1", which is not a query`},
		{"neither queries nor judgements", "queries.jsonl qrels.jsonl", "", "queries.jsonl is empty"},
		{"a query without a relevant document", "qrels.jsonl", `{"query":"q-1","doc":"d-1","gain":0}`, `query "q-1" has no relevant document`},
		{"a negative gain", "qrels.jsonl", `{"query":"q-1","doc":"d-1","gain":-1}`, "is negative"},
		{"half a line", "qrels.jsonl", good["qrels.jsonl"] + "\n{", "qrels.jsonl, value 2"},
		{"a template without documents", "templates.jsonl", `{"template":"t"}`, `template "t" has no documents`},
		{"a template of an unknown document", "templates.jsonl", `{"template":"t","docs":["d-2"]}`, `template "t" has "d-2", which is not a document`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range good {
				write(t, filepath.Join(dir, name), content)
			}
			if _, err := readTestSets(dir); err != nil {
				t.Fatalf("the unchanged set: %v", err)
			}
			for _, name := range strings.Fields(c.file) {
				write(t, filepath.Join(dir, name), c.content)
			}
			if _, err := readTestSets(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that contains %s", err, c.want)
			}
		})
	}
	if _, err := readTestSets(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no docs.jsonl") {
		t.Errorf("in an empty folder: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
