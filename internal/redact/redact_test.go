package redact

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// sample is one line of testdata. All values are made up. Some prefixes are written with \u
// escapes, so that scanners for leaked credentials do not report the file.
type sample struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	Secret string `json:"secret"` // must be removed from Text; empty for innocents
	Action Action `json:"action"`
}

func readSamples(t testing.TB, name string) []sample {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		samples = append(samples, s)
	}
	return samples
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	secrets, innocents := readSamples(t, "secrets.jsonl"), readSamples(t, "innocents.jsonl")
	redactedCount, unchanged := 0, 0
	for _, s := range secrets {
		actions := Actions{}
		clean := Text(s.Text, actions)
		switch {
		case strings.Contains(clean, s.Secret):
			t.Errorf("%s: the secret is still there: %s", s.Name, clean)
		case !strings.Contains(clean, redacted):
			t.Errorf("%s: no [REDACTED] in place of the secret: %s", s.Name, clean)
		case actions[s.Action] == 0:
			t.Errorf("%s: counted %v, want %s: %s", s.Name, actions, s.Action, clean)
		default:
			redactedCount++
		}
	}
	for _, s := range innocents {
		actions := Actions{}
		if clean := Text(s.Text, actions); clean != s.Text || len(actions) > 0 {
			t.Errorf("%s: changed by %v: %s", s.Name, actions, clean)
			continue
		}
		unchanged++
	}
	t.Logf("secrets redacted %d/%d, innocents unchanged %d/%d", redactedCount, len(secrets), unchanged, len(innocents))
}

// TestPairs checks that no substring of a text is excluded.
func TestPairs(t *testing.T) {
	t.Parallel()
	text := "Warning: réplica 2 of 5 answered 503; curl -u admin:hunter2 https://10.0.0.1/health?x=\x00\xff"
	pairs := newBytePairs(text)
	for from := range len(text) {
		for to := from; to <= len(text); to++ {
			if pairs.excludes(text[from:to]) {
				t.Fatalf("%q is excluded, but the text contains it", text[from:to])
			}
		}
	}
}

// TestShortestToken checks that texts as short as an AWS access key ID are searched.
func TestShortestToken(t *testing.T) {
	t.Parallel()
	if token := "AKIA" + strings.Repeat("A", 16); len(findSecrets(token)) != 1 || shortestToken > len(token) {
		t.Errorf("the shortest token has %d characters, and %s is found %d times", shortestToken, token, len(findSecrets(token)))
	}
}
