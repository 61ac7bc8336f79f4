package endtoend_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// good is a request exactly at a limit.
type good struct {
	name, method, path string // path includes the query
	body               string
	status             int
}

func (g good) accepted(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), g.method, stack.URL+g.path, strings.NewReader(g.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", `application/json; charset="UTF-8"`)
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != g.status {
		t.Fatalf("status %d, want %d: %.2000s %v", response.StatusCode, g.status, body, err)
	}
}

// TestLimitsArePossible sends requests exactly at each limit; TestBadInput sends those one beyond.
func TestLimitsArePossible(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	storeSeed(t, stack)
	for _, row := range append(goodRecords(), append(goodChildren(), goodQuestions()...)...) {
		t.Run(row.method+" "+row.path[:min(len(row.path), 60)]+" "+row.name, func(t *testing.T) {
			t.Parallel()
			row.accepted(t, stack)
		})
	}
}

func goodRecords() []good {
	var rows []good
	number := 0
	stored := func(name string, pairs ...string) {
		number++
		pairs = append([]string{"remediation_id", jsonString(fmt.Sprint("limit-", number))}, pairs...)
		rows = append(rows, good{name, "POST", "/v1/remediations", withMembers(recordMembers(), pairs...), 201})
	}
	for field, limit := range map[string]int{
		"remediation_id": 255, "name": 255, "namespace": 255, "cluster_name": 255, "alert_fingerprint": 255, "action_type": 100,
		"target_resource": 512,
	} {
		stored(fmt.Sprintf("%d characters of %s", limit, field), field, jsonString(strings.Repeat("💾", limit)))
	}
	for _, field := range []string{"cluster_name", "environment", "severity", "alert_fingerprint", "target_resource", "end_time", "duration_ms", "error_message", "workflow_yaml", "metadata"} {
		stored(field+" is null", field, "null")
	}
	stored("64 KiB of error_message", "error_message", jsonString(strings.Repeat("é", 32<<10)))
	stored("256 KiB of workflow_yaml", "workflow_yaml", jsonString(strings.Repeat("磁\n", 64<<10)))
	stored("64 KiB of metadata", "metadata", `{"a":`+jsonString(strings.Repeat("x", 64<<10-len(`{"a":""}`)))+`}`)
	stored("ten levels of metadata", "metadata", strings.Repeat(`{"a":`, 9)+"{}"+strings.Repeat("}", 9))
	stored("numbers of metadata", "metadata", `{"a":[1e308,-1e308,5e-324,123456789012345678901234567890.000000000000000000001,-0]}`)
	stored("first time", "start_time", `"1970-01-01T00:00:00Z"`)
	stored("last time", "start_time", `"9999-12-31T23:59:59.999999999Z"`)
	stored("time of a zone", "start_time", `"1970-01-01T01:00:00+01:00"`)
	stored("end is start", "end_time", `"2026-01-02T03:04:05Z"`, "duration_ms", "0")
	stored("duration fits", "end_time", `"2026-01-02T03:04:06.0009Z"`, "duration_ms", "1000")
	stored("longest duration", "duration_ms", "9007199254740991")
	stored("integer as a float", "duration_ms", "1.5e3")
	stored("words of SQL", "remediation_id", jsonString("my-app-delete-jobs'; DROP TABLE remediation_audit; --"), "namespace", jsonString("select * from users"))
	stored("joiners and marks", "name", jsonString("می\u200cخواهم \u200eabc\u200f é́"))
	whole := withMembers(recordMembers(), "remediation_id", `"limit-body"`)
	return append(rows, good{"6,000,000 bytes", "POST", "/v1/remediations", whole + strings.Repeat(" ", 6_000_000-len(whole)), 201})
}

func goodChildren() []good {
	const analyses, workflows, executions = "/v1/remediations/begun/ai-analyses", "/v1/remediations/begun/workflows", "/v1/remediations/begun/executions"
	workflow := `{"workflow_id":%q,"phase":"failed","total_steps":%d,"completed_steps":%[2]d,"start_time":"1970-01-01T00:00:00Z","end_time":null,"metadata":null}`
	long := strings.Repeat("ด", 255)
	return []good{
		{
			"least", "POST", analyses,
			`{"analysis_id":"l1","provider":"p","model":"m","confidence_score":0,"tokens_used":0,"analysis_duration_ms":0}`, 201,
		},
		{
			"most", "POST", analyses,
			`{"analysis_id":"l2","provider":"` + long + `","model":"m","confidence_score":1.0,"tokens_used":9007199254740991,"analysis_duration_ms":9007199254740991}`,
			201,
		},
		{
			"nulls", "POST", analyses,
			`{"analysis_id":"l3","provider":"p","model":"m","confidence_score":null,"tokens_used":null,"analysis_duration_ms":null,"metadata":null}`,
			201,
		},
		{"no steps", "POST", workflows, fmt.Sprintf(workflow, "l1", 0), 201},
		{"most steps", "POST", workflows, fmt.Sprintf(workflow, "l2", 2147483647), 201},
		{"longest id", "POST", workflows, fmt.Sprintf(workflow, long, 1), 201},
		{"most", "POST", executions, `{"workflow_id":"` + long + `","execution_id":"` + long + `","action_type":"` + strings.Repeat("x", 100) +
			`","target_resource":"` + strings.Repeat("磁", 512) + `","success":false,"start_time":"2026-01-02T03:04:05Z","execution_time_ms":9007199254740991,"error_message":` + jsonString(strings.Repeat("x", 64<<10)) + `}`, 201},
		{"merge patch with nulls", "PATCH", "/v1/remediations/a", `{"error_message":null,"workflow_yaml":null,"end_time":null}`, 200},
	}
}

func goodQuestions() []good {
	var batch []string
	for i := range client.MaxBatch {
		batch = append(batch, withMembers(recordMembers(), "remediation_id", jsonString(fmt.Sprint("batch-", i))))
	}
	hundred := strings.TrimSuffix(strings.Repeat("1,", 100), ",")
	return []good{
		{"500 records", "POST", "/v1/remediations/batch", `{"records":[` + strings.Join(batch, ",") + `]}`, 200},
		{"least", "GET", "/v1/remediations?limit=1&offset=0&include_total=false&sort=%2Bstart_time", "", 200},
		{"a plus sign as it is", "GET", "/v1/remediations?sort=+start_time&since=2026-01-02T03:04:05+00:00", "", 200},
		{"most", "GET", "/v1/remediations?limit=1000&offset=1000000&include_total=true&sort=-start_time", "", 200},
		{"100 values", "GET", "/v1/remediations?id=" + hundred + "&name=" + hundred, "", 200},
		{
			"longest values", "GET",
			"/v1/remediations?action_type=" + strings.Repeat("x", 100) + "&target_resource=" + strings.Repeat("%F0%9F%92%BE", 512), "",
			200,
		},
		{"edges of time", "GET", "/v1/remediations?since=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", "", 200},
		{"spans", "GET", "/v1/remediations?since=99999d&until=0s", "", 200},
		{"pairs that are empty", "GET", "/v1/remediations?&limit=5&&", "", 200},
		{"longest id", "GET", "/v1/remediations/" + strings.Repeat("%F0%9F%92%BD", 255), "", 404},
		{"history", "GET", "/v1/remediations/begun/history?limit=1000", "", 200},
		{"view", "GET", "/v1/incident-events?limit=1000&since=1w", "", 200},
		{
			"8 KiB", "POST", "/v1/search",
			`{"query":` + jsonString(strings.Repeat("wort ", 8<<10/5)+"xx") + `,"limit":100,"per_signature":100,"min_score":1}`, 200,
		},
		{
			"least", "POST", "/v1/search",
			`{"query":"x","limit":1,"per_signature":0,"min_score":-1,"mode":"semantic","explain":false,"filters":{}}`, 200,
		},
		{
			"nulls", "POST", "/v1/search",
			`{"query":"x","limit":null,"per_signature":null,"min_score":null,"mode":null,"detail":null,"explain":null,"filters":null}`, 200,
		},
		{"parameters of /health", "GET", "/health?probe=1", "", 200},
	}
}

// TestGatewayRefusesWhatLambdaCannotTake checks the one refusal that the gateway makes instead of the service:
// a body beyond Lambda's payload.
func TestGatewayRefusesWhatLambdaCannotTake(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	api, err := client.New(stack.URL)
	if err != nil {
		t.Fatal(err)
	}
	record := minimalRecord("r")
	record.WorkflowYAML = new(strings.Repeat("x", 6_300_000))
	_, err = api.CreateRemediation(t.Context(), record)
	var refusal *client.Error
	if !errors.As(err, &refusal) || !errors.Is(err, client.ErrTooLarge) || refusal.Problem.Type != "" {
		t.Errorf("%v", err)
	}
}
