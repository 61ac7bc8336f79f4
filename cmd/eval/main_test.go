package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
)

// The figures follow from testdata. In incidents, the relevant document of the second query is the
// older one of its signature, so it ranks second; i-3 and i-4 have one signature and two templates,
// i-5 and i-6 two signatures and one template. The two sets have nothing in common.
func TestRun(t *testing.T) {
	t.Parallel()
	got, err := evaluate(t, nil, "-dir", "testdata", "-mode", "semantic")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"set model mode queries nDCG@10 MRR@10 hit@1 hit@5 false no true no median ms",
		"incidents hash-word-char35-v1@512 semantic 2 0.815 0.750 0.500 1.000 0.000 1.000 TIME",
		"plain hash-word-char35-v1@512 semantic 2 1.000 1.000 1.000 1.000 0.000 1.000 TIME",
		"incidents: 1.25 signatures per judged template, 16.67 % of documents wrongly merged (4 templates, 6 documents)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// The lexical retriever alone ranks every relevant document first, except that of the second query
// of incidents.
func TestRunWeights(t *testing.T) {
	t.Parallel()
	got, err := evaluate(t, nil, "-dir", "testdata", "-mode", "semantic", "-weight")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"semantic weight, nDCG@10 model as shipped best on the other sets best with hindsight",
		"incidents hash-word-char35-v1@512 0.15 0.815 0.00 0.815 0.00 0.815",
		"plain hash-word-char35-v1@512 0.15 1.000 0.00 1.000 0.00 1.000",
	}
	if diff := cmp.Diff(want, got[3:6]); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// If the embeddings of a set cannot be made, the run fails and does not measure a part of the set.
// The in-process provider is measured and printed before.
func TestProviderIsDown(t *testing.T) {
	t.Parallel()
	got, err := evaluate(t, map[string]string{
		"DATASTORAGE_EMBEDDING_PROVIDER": "openai", "DATASTORAGE_EMBEDDING_URL": "http://127.0.0.1:1/v1",
		"DATASTORAGE_EMBEDDING_MODEL": "absent", "DATASTORAGE_EMBEDDING_DIMENSIONS": "8",
	}, "-dir", "testdata/plain", "-mode", "semantic")
	if err == nil || !strings.Contains(err.Error(), "set plain: make the pending embeddings: ") {
		t.Errorf("error %v, want that the pending embeddings cannot be made", err)
	}
	want := []string{
		"set model mode queries nDCG@10 MRR@10 hit@1 hit@5 false no true no median ms",
		"plain hash-word-char35-v1@512 semantic 2 1.000 1.000 1.000 1.000 0.000 NaN TIME",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// evaluate returns the lines printed after the first, which describes the machine, with single
// spaces and without the times.
func evaluate(t *testing.T, env map[string]string, args ...string) ([]string, error) {
	t.Helper()
	var out, progress bytes.Buffer
	err := run(t.Context(), args, func(name string) string { return env[name] }, &out, &progress)
	t.Logf("%s%s", progress.String(), out.String())
	var lines []string
	for line := range strings.Lines(out.String()) {
		line = strings.Join(strings.Fields(line), " ")
		lines = append(lines, regexp.MustCompile(`(semantic \d.*) \d+\.\d$`).ReplaceAllString(line, "$1 TIME"))
	}
	if len(lines) == 0 {
		t.Fatal("nothing was printed")
	}
	return lines[1:], err
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want options
		ok   bool
	}{
		{"-dir a", options{dir: "a", modes: []client.SearchMode{"semantic", "lexical", "hybrid"}}, true},
		{"-dir a -mode hybrid -weight", options{dir: "a", modes: []client.SearchMode{"hybrid"}, weights: true}, true},
		{"-dir a -mode hybrid", options{dir: "a", modes: []client.SearchMode{"hybrid"}}, true},
		{"", options{}, false},
		{"-dir a -mode sematic", options{}, false},
		{"-dir a -nonsense", options{}, false},
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

func TestProviders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string // provider and dimensions
	}{
		{"default", nil, []string{" "}},
		{"embedded, with its dimensions", map[string]string{"PROVIDER": "hashing", "DIMENSIONS": "1024"}, []string{"hashing 1024"}},
		{"not embedded", map[string]string{"PROVIDER": "openai", "DIMENSIONS": "384"}, []string{" ", "openai 384"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const prefix = "DATASTORAGE_EMBEDDING_"
			var got []string
			for _, env := range embeddingProviders(func(name string) string { return c.env[strings.TrimPrefix(name, prefix)] }) {
				got = append(got, env(prefix+"PROVIDER")+" "+env(prefix+"DIMENSIONS"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("providers (-want +got):\n%s", diff)
			}
		})
	}
}
