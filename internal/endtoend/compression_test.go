package endtoend_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestCompression sends compressed requests and asks for compressed responses.
func TestCompression(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	record := withMembers(recordMembers(), "workflow_yaml", jsonString(strings.Repeat("kind: Pod\n", 1000)))
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		status   int
	}{
		"gzip":                 {"gzip", gzipped(t, record), 201},
		"too large":            {"gzip", gzipped(t, record+strings.Repeat(" ", 6_000_000)), 413},
		"not gzip":             {"gzip", []byte(record), 400},
		"another":              {"br", gzipped(t, record), 415},
		"twice":                {"gzip, gzip", gzipped(t, string(gzipped(t, record))), 415},
		"gzip but not said so": {"", gzipped(t, record), 400},
	} {
		if status := postEncoded(t, stack, c.encoding, c.body); status != c.status {
			t.Errorf("%s: status %d, want %d", name, status, c.status)
		}
	}
	if status := postEncoded(t, stack, "identity", []byte(record)); status != http.StatusOK {
		t.Errorf("the record was not stored as sent: status %d", status)
	}
	plain := getEncoded(t, stack, "", "")
	if got := getEncoded(t, stack, "gzip", "gzip"); got != plain || len(plain) < 10_000 {
		t.Errorf("%d bytes compressed, %d plain", len(got), len(plain))
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func postEncoded(t *testing.T, stack *endtoend.Stack, encoding string, body []byte) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, stack.URL+"/v1/remediations", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// getEncoded returns the body of a record after its Content-Encoding, which must be the wanted one.
func getEncoded(t *testing.T, stack *endtoend.Stack, accepted, wanted string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+"/v1/remediations/new", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", accepted) // the transport decompresses only what it asked for itself
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Encoding"); got != wanted || response.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("Accept-Encoding %q: Content-Encoding %q, Vary %q", accepted, got, response.Header.Get("Vary"))
	}
	reader := io.Reader(response.Body)
	if wanted == "gzip" {
		if reader, err = gzip.NewReader(reader); err != nil {
			t.Fatal(err)
		}
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
