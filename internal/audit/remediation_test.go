package audit

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/redact"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func validRemediation() Remediation {
	return Remediation{
		RemediationID: "r-1", Name: "KubePodCrashLooping", Namespace: "shop", ActionType: "restart_pod",
		Phase: PhasePending, Status: "pending", StartTime: start,
	}
}

func TestRemediationCheckReportsAllErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Remediation)
		want   string // field code
	}{
		{"no id", func(r *Remediation) { r.RemediationID = "" }, "remediation_id empty"},
		{"slash in the id", func(r *Remediation) { r.RemediationID = "a/b" }, "remediation_id characters"},
		{"long id", func(r *Remediation) { r.RemediationID = strings.Repeat("ä", 256) }, "remediation_id too_long"},
		{"markup in the namespace", func(r *Remediation) { r.Namespace = "<b>" }, "namespace characters"},
		{"bidi override in the namespace", func(r *Remediation) { r.Namespace = "a\u202eb" }, "namespace characters"},
		{"newline in the cluster", func(r *Remediation) { r.ClusterName = new("a\nb") }, "cluster_name characters"},
		{"empty fingerprint", func(r *Remediation) { r.AlertFingerprint = new("") }, "alert_fingerprint empty"},
		{"long action", func(r *Remediation) { r.ActionType = strings.Repeat("a", 101) }, "action_type too_long"},
		{"long target", func(r *Remediation) { r.TargetResource = new(strings.Repeat("a", 513)) }, "target_resource too_long"},
		{"environment", func(r *Remediation) { r.Environment = new(Environment("prod")) }, "environment not_in_set"},
		{"severity", func(r *Remediation) { r.Severity = "severe" }, "severity not_in_set"},
		{"phase", func(r *Remediation) { r.Phase = "done" }, "phase not_in_set"},
		{"status", func(r *Remediation) { r.Status = "ok" }, "status not_in_set"},
		{"start before 1970", func(r *Remediation) { r.StartTime = MinTime.Add(-1) }, "start_time out_of_range"},
		{"start after 9999", func(r *Remediation) { r.StartTime = MaxTime }, "start_time out_of_range"},
		{"end before start", func(r *Remediation) { r.EndTime = new(start.Add(-time.Second)) }, "end_time order"},
		{"negative duration", func(r *Remediation) { r.DurationMS = new(int64(-1)) }, "duration_ms out_of_range"},
		{"contradicting duration", func(r *Remediation) {
			r.EndTime, r.DurationMS = new(start.Add(time.Second)), new(int64(999))
		}, "duration_ms order"},
		{"long error", func(r *Remediation) { r.ErrorMessage = new(strings.Repeat("x", maxErrorMessage+1)) }, "error_message too_long"},
		{"error that redaction makes too long", func(r *Remediation) {
			r.ErrorMessage = new(strings.Repeat("password=abcdefg1 ", maxErrorMessage/18))
		}, "error_message too_long"},
		{"long workflow", func(r *Remediation) { r.WorkflowYAML = new(strings.Repeat("x", maxWorkflowYAML+1)) }, "workflow_yaml too_long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			record := validRemediation()
			test.change(&record)
			var invalid ValidationErrors
			record.Check(Checker{Path: "records[3].", Errors: &invalid, Actions: redact.Actions{}}, nil)
			if len(invalid) != 1 || invalid[0].Field+" "+invalid[0].Code != "records[3]."+test.want {
				t.Errorf("errors %v, want %s", invalid, test.want)
			}
		})
	}
}

func TestRemediationCheckCompletes(t *testing.T) {
	t.Parallel()
	record := validRemediation()
	record.StartTime = start.Add(1999 * time.Nanosecond).In(time.FixedZone("CET", 3600))
	record.EndTime = new(start.Add(1500 * time.Millisecond))
	record.ErrorMessage = new("password=hunter2hunter2\x00")
	var invalid ValidationErrors
	actions := redact.Actions{}
	record.Check(Checker{Errors: &invalid, Actions: actions}, map[string]any{"api_token": "abc", "n": json.Number("1.50")})
	want := validRemediation()
	want.Severity = SeverityUnknown
	want.StartTime = start.Add(time.Microsecond)
	want.EndTime = new(start.Add(1500 * time.Millisecond))
	want.DurationMS = new(int64(1499))
	want.ErrorMessage = new("password=[REDACTED]")
	want.Metadata = `{"api_token":"[REDACTED]","n":1.50}`
	if diff := cmp.Diff(want, record); diff != "" || len(invalid) > 0 {
		t.Error(diff, invalid)
	}
	wantActions := redact.Actions{redact.ActionControlRemoved: 1, redact.ActionPassword: 1, redact.ActionMetadataValue: 1}
	if diff := cmp.Diff(wantActions, actions); diff != "" {
		t.Error(diff)
	}
}

func TestMetadataLimits(t *testing.T) {
	t.Parallel()
	nested := func(depth int) map[string]any {
		tree := map[string]any{}
		for range depth - 1 {
			tree = map[string]any{"a": tree}
		}
		return tree
	}
	tests := []struct {
		name string
		tree map[string]any
		want string
	}{
		{"ten levels", nested(10), ""},
		{"eleven levels", nested(11), CodeDepth},
		{"64 KiB", map[string]any{"a": strings.Repeat("x", MaxMetadata-8)}, ""},
		{"a byte more", map[string]any{"a": strings.Repeat("x", MaxMetadata-7)}, CodeTooLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			record := validRemediation()
			var invalid ValidationErrors
			record.Check(Checker{Errors: &invalid, Actions: redact.Actions{}}, test.tree)
			got := ""
			if len(invalid) > 0 {
				got = invalid[0].Code
			}
			if got != test.want || len(invalid) > 1 {
				t.Errorf("errors %v, want %q", invalid, test.want)
			}
		})
	}
}

func TestPhaseCanAdvanceTo(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{
		"pending pending": true, "pending processing": true, "pending completed": true, "pending failed": true,
		"processing processing": true, "processing completed": true, "processing failed": true,
		"completed completed": true, "failed failed": true,
	}
	for _, from := range Phases() {
		for _, to := range Phases() {
			if got := from.canAdvanceTo(to); got != allowed[string(from)+" "+string(to)] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
	}
}

func TestOutcomeRate(t *testing.T) {
	t.Parallel()
	// scipy.stats.binomtest(k, n).proportion_ci(method="wilson"), SciPy 1.x, to six digits.
	tests := []struct {
		outcome         Outcome
		rate, low, high float64
	}{
		{Outcome{Success: 1, Failure: 0}, 1, 0.206549, 1},
		{Outcome{Success: 48, Failure: 2}, 0.96, 0.865399, 0.988961},
		{Outcome{Success: 0, Failure: 10}, 0, 0, 0.277533},
		{Outcome{Success: 5, Failure: 5}, 0.5, 0.236593, 0.763407},
	}
	for _, test := range tests {
		rate, low, high, ok := test.outcome.Rate()
		for i, pair := range [][2]float64{{rate, test.rate}, {low, test.low}, {high, test.high}} {
			if !ok || math.Abs(pair[0]-pair[1]) > 1e-5 {
				t.Errorf("%+v: figure %d is %.6f, want %.6f", test.outcome, i, pair[0], pair[1])
			}
		}
	}
	if _, _, _, ok := (Outcome{}).Rate(); ok {
		t.Error("a rate without ended remediations")
	}
}
