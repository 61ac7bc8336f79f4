package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestRun checks which invocations succeed, fail, and cannot be made, with a setting under which the emulator would run nothing.
func TestRun(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("builds functions for Lambda's emulator")
	}
	t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", "4")
	large := filepath.Join(t.TempDir(), "large.json")
	if err := os.WriteFile(large, bytes.Repeat([]byte("1"), 6_291_557), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, function, event, level, wantOut, wantErr string
	}{
		{name: "alive", function: "health", event: "../../events/health.json", level: "info", wantOut: `"statusCode":200`},
		{name: "a response of 503", function: "health", event: "../../events/ready.json", level: "info", wantOut: `"statusCode":503`},
		{name: "failed", function: "health", event: "../../events/health.json", level: "loud", wantErr: "the function ended without a response"},
		{name: "too large", function: "health", event: large, level: "info", wantErr: "has 6291557 bytes, Lambda accepts 6291556"},
		{name: "no file", function: "health", event: "none.json", level: "info", wantErr: "read the event"},
		{name: "no function", function: "none", event: "../../events/health.json", level: "info", wantErr: "build functions/none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("DATASTORAGE_LOG_LEVEL", c.level)
			t.Setenv("DATASTORAGE_DATABASE_URL", "postgres://datastorage_reader@127.0.0.1:1/nowhere")
			var out, talk bytes.Buffer
			err := run(t.Context(), []string{"-function", c.function, "-event", c.event}, os.Getenv, &out, &talk)
			if (err != nil) != (c.wantErr != "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error %v, want %q\n%s", err, c.wantErr, talk.String())
			}
			if !strings.Contains(out.String(), c.wantOut) {
				t.Errorf("output %q, want %q", out.String(), c.wantOut)
			}
		})
	}
}

// TestInvocationError checks which responses are those of a failed invocation.
func TestInvocationError(t *testing.T) {
	t.Parallel()
	for response, want := range map[string]string{
		`{"statusCode":500,"body":"{}"}`: "",
		`{"batchItemFailures":[]}`:       "",
		`null`:                           "",
		`[]`:                             "",
		`{"errorMessage":"no such table","errorType":"PgError"}`: "the invocation failed: PgError: no such table",
		"Task timed out after 3.00 seconds":                      "the invocation failed: Task timed out after 3.00 seconds",
		"":                                                       "without a response",
		"\n":                                                     "without a response",
	} {
		err := invocationError([]byte(response))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", response, err, want)
		}
	}
}
