package endtoend_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

func orZero[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// storedRemediation returns what the service must return for a record that it has just stored; the values that
// only the service sets are taken from the receipt.
func storedRemediation(record client.RemediationInput, receipt client.Receipt) client.Remediation {
	remediation := client.Remediation{
		ID: receipt.ID, RemediationID: record.RemediationID, Name: record.Name, Namespace: record.Namespace,
		ClusterName: orZero(record.ClusterName), Environment: orZero(record.Environment), Severity: orZero(record.Severity),
		AlertFingerprint: orZero(record.AlertFingerprint), ActionType: record.ActionType, TargetResource: orZero(record.TargetResource),
		Phase: record.Phase, Status: record.Status, StartTime: record.StartTime, EndTime: record.EndTime, DurationMS: record.DurationMS,
		ErrorMessage: record.ErrorMessage, WorkflowYAML: record.WorkflowYAML, Metadata: record.Metadata,
		Actor: "local", CreatedAt: receipt.CreatedAt, UpdatedAt: receipt.CreatedAt,
	}
	if remediation.Severity == "" {
		remediation.Severity = client.SeverityUnknown
	}
	if remediation.Metadata == nil {
		remediation.Metadata = client.Metadata("{}")
	}
	return remediation
}

// sameMetadata compares metadata member by member, with numbers compared digit by digit.
func sameMetadata() gocmp.Option {
	return gocmp.Transformer("JSON", func(text client.Metadata) any {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var tree any
		if err := decoder.Decode(&tree); err != nil {
			return err.Error()
		}
		return tree
	})
}

func ignoreSignature() gocmp.Option {
	return cmpopts.IgnoreFields(client.Remediation{}, "SignatureID")
}

// TestCreateThenGet checks that every field is returned as it was sent.
func TestCreateThenGet(t *testing.T) {
	t.Parallel()
	for field, value := range reflect.ValueOf(fullRecord("full")).Fields() {
		if value.IsZero() {
			t.Errorf("fullRecord lacks %s", field.Name)
		}
	}
	stack := endtoend.New(t, endtoend.Options{})
	long := fullRecord("long")
	long.ErrorMessage = new(strings.Repeat("é<&>", 64<<10/5) + "x")
	long.WorkflowYAML = new(strings.Repeat("磁", 256<<10/3) + "\n")
	numbers := minimalRecord("numbers")
	numbers.Metadata = client.Metadata(`{"a":[1700000000123456789,0.1000000000000000055511151231257827,1e308,5e-324,-0,1.0,100000000000000000000000000000000000000000001]}`)
	deep := minimalRecord("deep")
	deep.Metadata = client.Metadata(strings.Repeat(`{"`+"磁"+`":[`, 4) + `{"":null}` + strings.Repeat("]}", 4))
	empty := minimalRecord("empty texts")
	empty.ErrorMessage, empty.WorkflowYAML, empty.Metadata = new(""), new(""), client.Metadata("{}")
	ended := minimalRecord("ended")
	ended.EndTime, ended.DurationMS = new(start), new(int64(0))
	timed := minimalRecord("timed, not ended")
	timed.DurationMS = new(int64(1<<53 - 1))
	for _, record := range []client.RemediationInput{minimalRecord("minimal"), fullRecord("full"), long, numbers, deep, empty, ended, timed} {
		t.Run(record.RemediationID, func(t *testing.T) {
			t.Parallel()
			written := createRecord(t, stack, record)
			if written.ID < 1 || written.Embedding != client.EmbeddingStateStored || time.Since(written.CreatedAt) > time.Hour {
				t.Errorf("receipt %+v", written)
			}
			got, err := stack.Client.GetRemediation(t.Context(), record.RemediationID)
			if err != nil {
				t.Fatal(err)
			}
			want := &client.RemediationDetail{Remediation: storedRemediation(record, written.Receipt), RemediationChildren: client.RemediationChildren{
				AIAnalyses: []client.AIAnalysis{}, Workflows: []client.Workflow{}, Executions: []client.Execution{},
			}}
			if diff := gocmp.Diff(want, got, sameMetadata(), ignoreSignature()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTimesAreKeptToTheMicrosecond checks that finer digits are dropped, other zones are converted to UTC, and
// a missing duration is derived.
func TestTimesAreKeptToTheMicrosecond(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	record := minimalRecord("r")
	record.StartTime = time.Date(2026, 1, 2, 3, 4, 5, 123456999, time.FixedZone("", 5*3600))
	record.EndTime = new(record.StartTime.Add(1500 * time.Millisecond))
	written := createRecord(t, stack, record)
	got, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	want := storedRemediation(record, written.Receipt)
	want.StartTime = time.Date(2026, 1, 1, 22, 4, 5, 123456000, time.UTC)
	want.EndTime, want.DurationMS = new(want.StartTime.Add(1500*time.Millisecond)), new(int64(1500))
	if diff := gocmp.Diff(want, got.Remediation, sameMetadata(), ignoreSignature()); diff != "" {
		t.Error(diff)
	}
}

// TestIdentifiersInPaths creates, reads, updates and lists remediations whose IDs contain
// characters that are special in a URL.
func TestIdentifiersInPaths(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for _, id := range []string{
		"...", ".a", "a b", "a%2Fb", "a&b=c", "a+b", "a;b", "a:b@c", "'", `"`, "`", `\`, "é", "e\u0301", "قرص", "磁盘", "ดิสก์", "💾",
		"%", "~", "{remediation_id}", "null",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			createRecord(t, stack, minimalRecord(id))
			if _, err := stack.Client.UpdateRemediation(t.Context(), id, client.RemediationUpdate{Status: new(client.StatusRunning)}); err != nil {
				t.Error(err)
			}
			if _, err := stack.Client.CreateAIAnalysis(t.Context(), id, client.AIAnalysisInput{AnalysisID: id, Provider: id, Model: id}); err != nil {
				t.Error(err)
			}
			got, err := stack.Client.GetRemediation(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if got.RemediationID != id || got.Status != client.StatusRunning || len(got.AIAnalyses) != 1 || got.AIAnalyses[0].AnalysisID != id {
				t.Errorf("got %+v", got)
			}
			history, err := stack.Client.History(t.Context(), id, client.GetHistoryParams{})
			if err != nil || len(history.Data) != 3 {
				t.Errorf("history %+v %v", history, err)
			}
			listed, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{RemediationID: id})
			if err != nil || len(listed.Data) != 1 || listed.Data[0].RemediationID != id {
				t.Errorf("list %+v %v", listed, err)
			}
		})
	}
}

// postBody sends a body and returns the response with its body.
func postBody(t *testing.T, stack *endtoend.Stack, path, body string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, stack.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(content)
}

// TestReplay sends the same record again, also as different JSON with the same meaning: it is a replay and
// returns the bytes of the first response.
func TestReplay(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, minimalRecord("parent"))
	for name, c := range map[string]struct{ path, body, again string }{
		"remediation": {
			"/v1/remediations", withMembers(recordMembers(), "end_time", `"2026-01-02T03:04:06Z"`, "metadata", `{"b":1.50,"a":[true]}`),
			withMembers(recordMembers(), "end_time", `"2026-01-02T04:04:06.0000009+01:00"`, "duration_ms", "1000", "severity", `"unknown"`,
				"metadata", ` {"a": [true], "b": 1.50}`, "cluster_name", "null", "name", `"KubePod\u0043rashLooping"`),
		},
		"analysis": {
			"/v1/remediations/parent/ai-analyses", `{"analysis_id":"a","provider":"p","model":"m","confidence_score":0.5}`,
			`{"model":"m","provider":"p","analysis_id":"a","confidence_score":5e-1,"tokens_used":null,"metadata":{}}`,
		},
		"workflow": {
			"/v1/remediations/parent/workflows",
			`{"workflow_id":"w","phase":"planning","total_steps":3,"completed_steps":0,"start_time":"2026-01-02T03:04:05Z"}`,
			`{"workflow_id":"w","phase":"planning","total_steps":3.0,"completed_steps":0,"start_time":"2026-01-02T03:04:05.000Z","end_time":null}`,
		},
		"execution": {
			"/v1/remediations/parent/executions",
			`{"workflow_id":"w","execution_id":"e","action_type":"a","success":false,"start_time":"2026-01-02T03:04:05Z"}`,
			`{"start_time":"2026-01-02T03:04:05+00:00","success":false,"action_type":"a","execution_id":"e","workflow_id":"w","error_message":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, body := postBody(t, stack, c.path, c.body)
			if first.StatusCode != 201 || first.Header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("%d %s", first.StatusCode, body)
			}
			for _, again := range []string{c.body, c.again, c.body} {
				response, repeated := postBody(t, stack, c.path, again)
				if response.StatusCode != 200 || response.Header.Get("Idempotency-Replayed") != "true" {
					t.Errorf("%d, replayed %q", response.StatusCode, response.Header.Get("Idempotency-Replayed"))
				}
				if repeated != body {
					t.Errorf("the replay returns\n%s, not\n%s", repeated, body)
				}
				if got, want := response.Header.Get("Location"), first.Header.Get("Location"); got != want || want == "" {
					t.Errorf("location %q, first %q", got, want)
				}
			}
		})
	}
	t.Cleanup(func() {
		if n := countJournal(stack); n != 5 {
			t.Errorf("%d journal entries, want the parent's and one for each record", n)
		}
	})
}

// TestConflict sends a known ID with each field changed in turn.
func TestConflict(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, fullRecord("r"))
	before := tableContents(t, stack)
	for field, change := range map[string]func(*client.RemediationInput){
		"name":              func(r *client.RemediationInput) { r.Name += "x" },
		"namespace":         func(r *client.RemediationInput) { r.Namespace = "other" },
		"cluster_name":      func(r *client.RemediationInput) { r.ClusterName = nil },
		"environment":       func(r *client.RemediationInput) { r.Environment = new(client.EnvironmentTest) },
		"severity":          func(r *client.RemediationInput) { r.Severity = nil },
		"alert_fingerprint": func(r *client.RemediationInput) { r.AlertFingerprint = new("other") },
		"action_type":       func(r *client.RemediationInput) { r.ActionType = "other" },
		"target_resource":   func(r *client.RemediationInput) { r.TargetResource = new("pod/other") },
		"phase":             func(r *client.RemediationInput) { r.Phase = client.PhaseCompleted },
		"status":            func(r *client.RemediationInput) { r.Status = client.StatusSuccess },
		"start_time":        func(r *client.RemediationInput) { r.StartTime, r.DurationMS = start.Add(time.Microsecond), nil },
		"end_time":          func(r *client.RemediationInput) { r.EndTime = nil },
		"duration_ms":       func(r *client.RemediationInput) { r.EndTime, r.DurationMS = nil, new(int64(1)) },
		"error_message":     func(r *client.RemediationInput) { r.ErrorMessage = new("") },
		"workflow_yaml":     func(r *client.RemediationInput) { r.WorkflowYAML = nil },
		"metadata":          func(r *client.RemediationInput) { r.Metadata = client.Metadata(`{}`) },
		"a digit": func(r *client.RemediationInput) {
			r.Metadata = bytes.Replace(r.Metadata, []byte("456789"), []byte("456788"), 1)
		},
	} {
		record := fullRecord("r")
		change(&record)
		_, err := stack.Client.CreateRemediation(t.Context(), record)
		if !errors.Is(err, client.ErrConflict) {
			t.Errorf("another %s: %v, want a conflict", field, err)
		}
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Error(diff)
	}
}

// TestSecretsAreNotKept looks for secrets in everything that the service stores, returns and logs.
func TestSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	stack := endtoend.New(t, endtoend.Options{Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	record := fullRecord("r")
	record.ErrorMessage = new("dial postgres://app:" + secret + "@db/orders: refused")
	record.WorkflowYAML = new("env:\n  - name: DB_PASSWORD\n    value: " + secret + "\n")
	record.Metadata = client.Metadata(`{"api_key":"` + secret + `","list":[{"note":"Authorization: Bearer ` + strings.Repeat(secret, 2) + `"}],"user":"app"}`)
	createRecord(t, stack, record)
	if _, err := stack.Client.UpdateRemediation(t.Context(), "r", newMessage("password="+secret)); err != nil {
		t.Fatal(err)
	}
	_, _ = postBody(t, stack, "/v1/search", `{"query":"password=`+secret+`"}`)
	_, _ = postBody(t, stack, "/v1/remediations", `{"error_message":"password=`+secret+`","name":"\u0007`+secret+`"}`)
	got, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(*got.ErrorMessage, "password=[REDACTED]") || !strings.Contains(string(got.Metadata), `"user":"app"`) {
		t.Errorf("kept %s, %s", *got.ErrorMessage, got.Metadata)
	}
	url := stack.Database.SuperuserURL()
	for _, table := range []string{"remediation_audit", "signature", "audit_event"} {
		sql := fmt.Sprintf(`SELECT count(*) FROM %s AS t WHERE t::text LIKE '%%%s%%' OR t::text LIKE '%%' || encode('%[2]s', 'hex') || '%%'`, table, secret)
		if n := queryValue[int](t, url, sql); n != 0 {
			t.Errorf("%d rows of %s hold the secret", n, table)
		}
	}
	if text := logged.String(); strings.Contains(text, secret) || !strings.Contains(text, "request_id") {
		t.Errorf("the log is\n%s", text)
	}
}
