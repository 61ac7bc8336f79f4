package api

import (
	"errors"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// TestMessageMetricField checks the metric field for the path of an error in a message.
func TestMessageMetricField(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "request", "kind": "request", "[3].kind": "request", "data": "request", "record.name": "name", "data[3].record.metadata.a": "metadata",
	} {
		if got := messageMetricField(path); got != want {
			t.Errorf("%s counts as %q, want %q", path, got, want)
		}
	}
}

// TestReasonOmitsUnknownNames checks that only names from openapi.yaml reach the log as part of an
// error's path.
func TestReasonOmitsUnknownNames(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"":                               "must not",
		"kind":                           "kind: must not",
		"[12].record.metadata":           "[12].record.metadata: must not",
		"data[3].record.metadata.hunter": "data[3].record.metadata…: must not",
		"data.record.hunter":             "data.record…: must not",
		`["hunter 2"].record`:            "…: must not",
		`record.metadata["a.record.b"]`:  "record.metadata…: must not",
		"hunter[2].name":                 "…: must not",
	} {
		if got := Reason(audit.ValidationErrors{{Field: field, Code: audit.CodeUnknown, Detail: "must not"}}); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if got := Reason(errors.New("password=hunter2xyz")); strings.Contains(got, "hunter2xyz") {
		t.Errorf("the reason for a dependency's error is %q", got)
	}
}
