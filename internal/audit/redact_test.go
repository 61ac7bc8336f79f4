package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// sample is one line of testdata/redaction. Some prefixes are spelled with \u escapes there, so that scanners for leaked credentials
// do not take the file for a leak; all values are made up.
type sample struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	Secret string `json:"secret"` // what must vanish from Text; empty for innocents
	Action Action `json:"action"`
}

func readSamples(t testing.TB, name string) []sample {
	t.Helper()
	data, err := os.ReadFile("testdata/redaction/" + name)
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

func TestRedactionCorpus(t *testing.T) {
	t.Parallel()
	secrets, innocents := readSamples(t, "secrets.jsonl"), readSamples(t, "innocents.jsonl")
	redactedCount, unchanged := 0, 0
	for _, s := range secrets {
		counts := Actions{}
		clean := SanitizeText(s.Text, counts)
		switch {
		case strings.Contains(clean, s.Secret):
			t.Errorf("%s: the secret is still there: %s", s.Name, clean)
		case !strings.Contains(clean, redacted):
			t.Errorf("%s: no mark where the secret was: %s", s.Name, clean)
		case counts[s.Action] == 0:
			t.Errorf("%s: counted %v, want %s: %s", s.Name, counts, s.Action, clean)
		default:
			redactedCount++
		}
	}
	for _, s := range innocents {
		counts := Actions{}
		if clean := SanitizeText(s.Text, counts); clean != s.Text || len(counts) > 0 {
			t.Errorf("%s: changed by %v: %s", s.Name, counts, clean)
			continue
		}
		unchanged++
	}
	t.Logf("secrets redacted %d/%d, innocents unchanged %d/%d", redactedCount, len(secrets), unchanged, len(innocents))
}
