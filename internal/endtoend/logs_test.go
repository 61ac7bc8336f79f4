package endtoend_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

const (
	traceRoot   = "1-5759e988-bd862e3fe1be46a994272793"
	traceParent = "53995c3f42cd8ad8"
	traceHeader = "Root=" + traceRoot + ";Parent=" + traceParent + ";Sampled=1"
)

// call sends a request without the client, as one that X-Ray samples.
type call struct{ operation, method, path, query, body string }

func (c call) send(t *testing.T, stack *endtoend.Stack) (status int, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), c.method, stack.URL, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL = &url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: c.path, RawQuery: c.query}
	request.Header.Set("X-Amzn-Trace-Id", traceHeader)
	if c.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request) // not checked against the contract, because some requests are invalid
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestEveryLineNamesItsRequest checks every log line of requests and of what happens
// during them for its required fields.
func TestEveryLineNamesItsRequest(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	provider := newProvider(t)
	provider.failWith(providerFailures()["refuses the key"])
	stack := endtoend.New(t, endtoend.Options{
		Env: provider.env(), Log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	read := 0
	lines := func() []map[string]any {
		text := logged.String()[read:]
		read += len(text)
		var all []map[string]any
		for line := range strings.Lines(text) {
			var members map[string]any
			if err := json.Unmarshal([]byte(line), &members); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, members)
		}
		return all
	}
	for _, c := range []struct {
		call
		remediation any
		lines       int
	}{
		{call{"createRemediation", "POST", "/v1/remediations", "", withMembers(recordMembers(), "remediation_id", `"r"`)}, "r", 2},
		{call{"createRemediation", "POST", "/v1/remediations", "", withMembers(recordMembers(), "name", `"\u0007"`)}, "new", 1},
		{call{"updateRemediation", "PATCH", "/v1/remediations/r", "", `{"error_message":"disk is full"}`}, "r", 2},
		{call{"getRemediation", "GET", "/v1/remediations/r", "", ""}, "r", 1},
		{call{"getRemediation", "GET", "/v1/remediations/nobody", "", ""}, "nobody", 1},
		{call{"search", "POST", "/v1/search", "", `{"query":"disk"}`}, nil, 2},
		{call{"getReady", "GET", "/ready", "", ""}, nil, 2},
		{call{"other", "POST", "/v1/nowhere", "", ""}, nil, 1},
	} {
		status, content := c.send(t, stack)
		tel := lines()
		if len(tel) != c.lines {
			t.Errorf("%s: %d lines, want %d: %v", c.path, len(tel), c.lines, tel)
		}
		ids := map[any]bool{}
		for _, line := range tel {
			ids[line["request_id"]] = true
			duration, _ := line["duration_ms"].(float64)
			if line["operation"] != c.operation || line["trace_id"] != traceRoot || line["remediation_id"] != c.remediation || duration <= 0 {
				t.Errorf("%s: line %v", c.path, line)
			}
		}
		last := tel[len(tel)-1]
		if last["msg"] != "request" || last["status"] != float64(status) || last["route"] == "" {
			t.Errorf("%s: last line %v, response %d %s", c.path, last, status, content)
		}
		if id, _ := last["request_id"].(string); len(ids) != 1 || id == "" || status >= 400 && !strings.Contains(content, id) {
			t.Errorf("%s: request ids %v, response %s", c.path, slices.Collect(maps.Keys(ids)), content)
		}
	}
	_, _ = stack.Functions.Maintain.Invoke(t.Context())
	for _, line := range lines() {
		if line["operation"] != "maintain" || line["duration_ms"] == nil {
			t.Errorf("maintain: line %v", line)
		}
	}
}

// redactionSample is a line of the domain's test corpus of secrets.
type redactionSample struct{ Name, Text, Secret string }

func redactionCorpus(t *testing.T) []redactionSample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(functiontest.Root(t), "internal", "redact", "testdata", "secrets.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var samples []redactionSample
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan(); {
		var s redactionSample
		if err := json.Unmarshal(scanner.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
	return samples
}

// withText are requests of every operation, with the text in every place that accepts one.
func withText(text string) []call {
	quoted, escaped := jsonString(text), url.QueryEscape(text)
	of := "/v1/remediations/" + text
	metadata := `{"note":` + quoted + `,"list":[` + quoted + `]}`
	with := func(pairs ...string) string { return withMembers(recordMembers(), pairs...) }
	return []call{
		{"createRemediation", "POST", "/v1/remediations", "", with("remediation_id", quoted, "error_message", quoted)},
		{"createRemediation", "POST", "/v1/remediations", "", with("remediation_id", jsonString("y "+text), "workflow_yaml", quoted, "metadata", metadata)},
		{"createRemediation", "POST", "/v1/remediations", "a=" + escaped, with("name", quoted, "status", quoted)},
		{"createRemediations", "POST", "/v1/remediations/batch", "", `{"records":[` + with("remediation_id", quoted, "metadata", metadata) + `,{` + quoted + `:1}]}`},
		{"updateRemediation", "PATCH", of, "", `{"error_message":` + quoted + `,"metadata":` + metadata + `}`},
		{"updateRemediation", "PATCH", "/v1/remediations/r", "", `{"error_message":` + quoted + `}`},
		{"createAIAnalysis", "POST", of + "/ai-analyses", "", `{"analysis_id":` + quoted + `,"provider":"p","model":` + quoted + `,"metadata":` + metadata + `}`},
		{"createWorkflow", "POST", of + "/workflows", "", `{"workflow_id":` + quoted + `,"metadata":` + metadata + `}`},
		{"createExecution", "POST", of + "/executions", "", `{"error_message":` + quoted + `,"target_resource":` + quoted + `}`},
		{"getRemediation", "GET", of, "", ""},
		{"getHistory", "GET", of + "/history", "", ""},
		{"findSimilar", "GET", of + "/similar", "name=" + escaped, ""},
		{"listRemediations", "GET", "/v1/remediations", "name=" + escaped + "&cursor=" + escaped, ""},
		{"listRemediations", "GET", "/v1/remediations", "target_resource=" + escaped, ""},
		{"search", "POST", "/v1/search", "", `{"query":` + quoted + `,"filters":{"name":` + quoted + `}}`},
		{"listIncidentEvents", "GET", "/v1/incident-events", "alert_name=" + escaped, ""},
		{"getSuccessRate", "GET", "/v1/stats/success-rate", "group_by=name&name=" + escaped, ""},
		{"getTrend", "GET", "/v1/stats/trend", "interval=day&time_zone=" + escaped, ""},
		{"getReady", "GET", "/ready", escaped, ""},
		{"getHealth", "GET", "/health", escaped, ""},
		{"other", "GET", "/v1/" + text, escaped, ""},
	}
}

// messagesWithText are messages of the queue with the text in every place that accepts one.
func messagesWithText(text string) []string {
	quoted := jsonString(text)
	message := func(kind, record string) string { return `{"kind":` + kind + `,"record":` + record + `}` }
	return []string{
		text, quoted, message(quoted, `{}`), `{` + quoted + `:1}`, `[{` + quoted + `:{}},` + quoted + `]`,
		message(`"remediation"`, withMembers(recordMembers(), "remediation_id", jsonString("q "+text), "error_message", quoted, "workflow_yaml", quoted)),
		message(`"remediation"`, withMembers(recordMembers(), "name", quoted, "phase", quoted, "metadata", `{"note":`+quoted+`}`)),
		message(`"update"`, `{"remediation_id":`+quoted+`,"error_message":`+quoted+`}`),
		message(`"workflow"`, `{"remediation_id":`+quoted+`,`+quoted+`:1}`),
		`{"specversion":` + quoted + `,"id":` + quoted + `,"source":` + quoted + `,"type":"t","datacontenttype":` + quoted + `,"data":` + quoted + `}`,
	}
}

// TestSecretsAreNotReported sends the corpus of secrets through every operation and the queue, with a provider
// that repeats its input and finally without a database. It looks for each secret in every line of the log,
// every line of metrics and every trace.
func TestSecretsAreNotReported(t *testing.T) {
	t.Parallel()
	var logged, measured lockedBuffer
	daemon := telemetrytest.NewTraceDaemon(t)
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{
		Env: provider.env(), Metrics: &measured, TraceDaemon: daemon.Address,
		Log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	samples := redactionCorpus(t)
	requests, statuses := 0, map[int]int{}
	var traced strings.Builder
	for i, sample := range samples {
		switch i {
		case len(samples) / 2:
			provider.failWith(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				http.Error(w, string(body), http.StatusUnauthorized)
			})
		case len(samples) - 10:
			stack.Functions.Close()
		}
		consumeMessages(t, stack, messagesWithText(sample.Text)...)
		for _, c := range withText(sample.Text) {
			status, _ := c.send(t, stack)
			statuses[status]++
			requests++
			if status != http.StatusMovedPermanently {
				traced.WriteString(daemon.Next(t).Text)
			}
		}
	}
	tel := map[string]string{"log": logged.String(), "metrics": measured.String(), "traces": traced.String()}
	for where, text := range tel {
		for _, sample := range samples {
			if strings.Contains(text, sample.Secret) || strings.Contains(text, strings.Trim(jsonString(sample.Secret), `"`)) {
				t.Errorf("%s: the %s", sample.Name, where)
			}
		}
		if strings.Count(text, "\n") < requests {
			t.Errorf("%d requests and %d lines of the %s", requests, strings.Count(text, "\n"), where)
		}
	}
	telemetrytest.CheckClosedSets(t, local.ClosedSets(), telemetrytest.Series(telemetrytest.ReadMetrics(t, measured.String())))
	if statuses[200] == 0 || statuses[201] == 0 || statuses[400] == 0 || statuses[404] == 0 || statuses[500]+statuses[503] == 0 {
		t.Errorf("responses by status %v", statuses)
	}
	t.Logf("%d secrets in %d requests, responses by status %v", len(samples), requests, statuses)
}
