package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// TestReadEvent compares readEvent with encoding/json.
func TestReadEvent(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatalf("%d samples: %v", len(samples), err)
	}
	payloads := []string{
		`{}`, `null`, `{"headers":null,"body":null,"requestContext":{"authorizer":null}}`, `{"body":"a\u0000\ud800\"\u003c\n"}`,
		"{\"body\":\"\xff\"}", `{"body":"first","body":"last","other":[{}]}`, `{"headers":{"a":"1","a":"2"},"isBase64Encoded":true}`,
		``, `[]`, `"text"`, `{"body":1}`, `{"body":"cut`, `{} {}`,
	}
	for _, sample := range samples {
		payload, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, string(payload))
	}
	for _, payload := range payloads {
		var want events.APIGatewayV2HTTPRequest
		wantErr := json.Unmarshal([]byte(payload), &want)
		got, err := readEvent([]byte(payload))
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%.200s: the error is %v, want %v", payload, err, wantErr)
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%.200s: %s", payload, diff)
		}
	}
}

// BenchmarkReadEvent reads a request with a body of 1.4 kB, by readEvent and by encoding/json.
func BenchmarkReadEvent(b *testing.B) {
	payload, err := json.Marshal(events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /v1/remediations", RawPath: "/v1/remediations",
		Headers: map[string]string{
			"content-type": "application/json", "accept": "application/json", "host": "api.example.com", "user-agent": "benchmark",
			"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "content-length": "1400",
		},
		Body: strings.Repeat(`{"name":"KubePodCrashLooping","note":"back-off\nrestarting"}`, 25),
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func([]byte) error{
		"readEvent":     func(payload []byte) error { _, err := readEvent(payload); return err },
		"encoding-json": func(payload []byte) error { return json.Unmarshal(payload, new(events.APIGatewayV2HTTPRequest)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
