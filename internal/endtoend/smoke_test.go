package endtoend_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/endtoend"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	call := func(method, path, body string) {
		req, _ := http.NewRequestWithContext(t.Context(), method, stack.URL+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		t.Log(method, path, res.StatusCode, res.Header, string(b))
	}
	rec := `{"remediation_id":"r-1","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod","target_resource":"pod/api-5d8f9c7b6d-x2k4j","phase":"processing","status":"running","start_time":"2026-01-02T03:04:05Z","error_message":"back-off 5m0s restarting failed container password=hunter2xyz","metadata":{"n":1700000000123456789}}`
	call("POST", "/v1/remediations", rec)
	call("POST", "/v1/remediations", rec)
	call("POST", "/v1/remediations", strings.Replace(rec, "shop", "shop2", 1))
	call("PATCH", "/v1/remediations/r-1", `{"phase":"completed","status":"success","end_time":"2026-01-02T03:05:05.5Z"}`)
	call("PATCH", "/v1/remediations/r-1", `{"phase":"completed","status":"success","end_time":"2026-01-02T03:05:05.5Z"}`)
	call("PATCH", "/v1/remediations/r-1", `{"phase":"pending"}`)
	call("POST", "/v1/remediations/r-1/ai-analyses", `{"analysis_id":"a1","provider":"bedrock","model":"claude","confidence_score":0.9}`)
	call("POST", "/v1/remediations/r-1/workflows", `{"workflow_id":"w1","phase":"completed","total_steps":3,"completed_steps":3,"start_time":"2026-01-02T03:04:05Z"}`)
	call("POST", "/v1/remediations/r-1/executions", `{"workflow_id":"w1","execution_id":"e1","action_type":"restart_pod","success":true,"start_time":"2026-01-02T03:04:05Z"}`)
	call("POST", "/v1/remediations/zz/executions", `{"workflow_id":"w1","execution_id":"e1","action_type":"restart_pod","success":true,"start_time":"2026-01-02T03:04:05Z"}`)
	call("GET", "/v1/remediations/r-1", "")
	call("GET", "/v1/remediations/r-1/history?limit=2", "")
	call("GET", "/v1/remediations?namespace=shop&limit=1&include_total=true", "")
	call("POST", "/v1/search", `{"query":"pod crash looping back-off", "explain":true}`)
	call("GET", "/v1/incident-events?limit=1", "")
	call("GET", "/ready", "")
	call("GET", "/health", "")
	call("GET", "/nope", "")
	call("DELETE", "/v1/remediations/x", "")
	call("POST", "/v1/remediations", `{"name":1,"foo":2,"start_time":"x"}`)
	call("POST", "/v1/remediations/batch", `{"records":[`+strings.Replace(rec, "r-1", "r-2", 1)+`,{"name":"x"},`+rec+`]}`)
}
