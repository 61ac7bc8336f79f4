package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/client"
)

// operation is a method of the client, the request that it must send and the response that it must
// decode.
type operation struct {
	id, method, target, body string
	response                 string
	do                       func(context.Context, *client.Client) (any, error)
	want                     any
}

var (
	start = time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC)
	taken = client.Receipt{
		ID: 7, RemediationID: "r-1", CreatedAt: start, Embedding: client.EmbeddingStateStored,
		EventID: "0195a8f0-0000-7000-8000-000000000001", LeafHash: "ab",
	}
	stored = client.Remediation{
		ID: 7, RemediationID: "r-1", Name: "PodCrash", Namespace: "prod", ActionType: "restart", Phase: client.PhasePending,
		Status: client.StatusPending, Severity: client.SeverityUnknown, StartTime: start, Metadata: json.RawMessage(`{"n":1.00}`),
		SignatureID: "s", Actor: "local", CreatedAt: start, UpdatedAt: start,
	}
)

const storedJSON = `"id":7,"remediation_id":"r-1","name":"PodCrash","namespace":"prod","action_type":"restart","phase":"pending",` +
	`"status":"pending","severity":"unknown","start_time":"2026-03-01T10:00:00.123456Z","metadata":{"n":1.00},"signature_id":"s",` +
	`"actor":"local","created_at":"2026-03-01T10:00:00.123456Z","updated_at":"2026-03-01T10:00:00.123456Z"`

func allOperations() []operation {
	return slices.Concat(writeOperations(), readOperations(), []operation{
		{
			id: "findSimilar", method: "GET", target: "/v1/remediations/r-1/similar?limit=2&mode=lexical&namespace=prod",
			response: `{"data":[],"search":{"mode":"lexical","model":""}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.Similar(ctx, "r-1", client.FindSimilarParams{Mode: client.SearchModeLexical, Limit: 2, Namespace: "prod"})
			},
			want: &client.SimilarResults{Data: []client.SearchResult{}, Search: client.SearchInfo{Mode: client.SearchModeLexical}},
		},
		{
			id: "search", method: "POST", target: "/v1/search", body: `{"filters":{"namespace":"prod"},"limit":2,"query":"oom"}`,
			response: `{"data":[{"signature_id":"s","text":"oom","score":0.5,"occurrences":3,"actions":[],"remediations":[],
				"success_rate":{"success":0,"failure":0}}],"search":{"mode":"semantic","model":"hash"}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.Search(ctx, client.SearchInput{
					Query: "oom", Limit: new(2), Filters: &client.SearchFilters{Namespace: new("prod")},
				})
			},
			want: &client.SearchResults{
				Data: []client.SearchResult{{
					SignatureID: "s", Text: "oom", Score: 0.5, Occurrences: 3, Actions: []client.ActionRate{},
					Remediations: []client.RemediationSummary{},
				}},
				Search: client.SearchInfo{Mode: client.SearchModeSemantic, Model: "hash"},
			},
		},
		{
			id: "getSuccessRate", method: "GET",
			target: "/v1/stats/success-rate?group_by=action_type&limit=5&min_samples=10&namespace=prod&since=7d",
			response: `{"data":[{"key":"restart","total":3,"success":2,"failure":0,"rate":1,"low":0.25,"high":1},
				{"key":"","total":1,"success":0,"failure":0}],
				"stats":{"group_by":"action_type","min_samples":10,"limit":5,"has_more":true}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.SuccessRate(ctx, client.GetSuccessRateParams{
					GroupBy: client.DimensionActionType, MinSamples: 10, Namespace: "prod", Since: "7d", Limit: 5,
				})
			},
			want: &client.SuccessRates{
				Data: []client.SuccessRate{
					{Key: "restart", Total: 3, Success: 2, Rate: new(1.0), Low: new(0.25), High: new(1.0)}, {Total: 1},
				},
				Stats: client.SuccessRateInfo{GroupBy: client.DimensionActionType, MinSamples: 10, Limit: 5, HasMore: true},
			},
		},
		{
			id: "getTrend", method: "GET", target: "/v1/stats/trend?interval=day&since=7d&time_zone=Europe%2FBerlin",
			response: `{"data":[{"start":"2026-03-01T10:00:00.123456Z","end":"2026-03-01T10:00:00.123456Z","total":10,"pending":1,"running":2,
				"success":3,"failure":4}],"stats":{"interval":"day","time_zone":"Europe/Berlin","since":"2026-03-01T10:00:00.123456Z",
				"until":"2026-03-01T10:00:00.123456Z"}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.Trend(ctx, client.GetTrendParams{Interval: client.IntervalDay, TimeZone: "Europe/Berlin", Since: "7d"})
			},
			want: &client.Trend{
				Data: []client.TrendBucket{{
					Start: start, End: start, Total: 10, Pending: 1, Running: 2, Success: 3, Failure: 4,
				}},
				Stats: client.TrendInfo{Interval: client.IntervalDay, TimeZone: "Europe/Berlin", Since: start, Until: start},
			},
		},
		{
			id: "getHealth", method: "GET", target: "/health", response: `{"status":"alive"}`,
			do:   func(ctx context.Context, c *client.Client) (any, error) { return c.Health(ctx) },
			want: &client.Health{Status: client.HealthStatusAlive},
		},
		{
			id: "getContract", method: "GET", target: "/openapi.json", response: `{"openapi":"3.1.0"}`,
			do:   func(ctx context.Context, c *client.Client) (any, error) { return c.Contract(ctx) },
			want: json.RawMessage(`{"openapi":"3.1.0"}`),
		},
		{
			id: "getReady", method: "GET", target: "/ready",
			response: `{"status":"degraded","checks":[{"name":"embedding","status":"failed","latency_ms":1.5,"detail":"down"}]}`,
			do:       func(ctx context.Context, c *client.Client) (any, error) { return c.Ready(ctx) },
			want: &client.Readiness{Status: client.ReadinessStatusDegraded, Checks: []client.Check{{
				Name: client.CheckNameEmbedding, Status: client.CheckStatusFailed, LatencyMS: 1.5, Detail: "down",
			}}},
		},
	})
}

func writeOperations() []operation {
	return []operation{
		{
			id: "createRemediation", method: "POST", target: "/v1/remediations",
			body: `{"action_type":"restart","cluster_name":"c","metadata":{"n":1.00},"name":"PodCrash","namespace":"prod",` +
				`"phase":"pending","remediation_id":"r-1","start_time":"2026-03-01T10:00:00.123456Z","status":"pending"}`,
			response: receipt,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateRemediation(ctx, client.RemediationInput{
					RemediationID: "r-1", Name: "PodCrash", Namespace: "prod", ClusterName: new("c"), ActionType: "restart",
					Phase: client.PhasePending, Status: client.StatusPending, StartTime: start,
					Metadata: json.RawMessage(`{"n": 1.00}`),
				})
			},
			want: &client.Written{Receipt: taken},
		},
		{
			id: "createRemediations", method: "POST", target: "/v1/remediations/batch",
			body: `{"records":[{"remediation_id":"<a&>","new_field":12345678901234567890.10},{}]}`,
			response: `{"results":[{"index":0,"status":200,"id":7},{"index":1,"status":422,` +
				`"problem":{"type":"/problems/invalid","title":"Invalid","status":422}}]}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateRemediationsJSON(ctx, []json.RawMessage{
					json.RawMessage(`{"remediation_id":"<a&>", "new_field": 12345678901234567890.10}`), json.RawMessage(`{}`),
				})
			},
			want: []client.BatchResult{{Index: 0, Status: 200, ID: 7}, {
				Index: 1, Status: 422, Problem: &client.Problem{Type: "/problems/invalid", Title: "Invalid", Status: 422},
			}},
		},
		{
			id: "updateRemediation", method: "PATCH", target: "/v1/remediations/r-1",
			body:     `{"end_time":"2026-03-01T10:00:00.123456Z","error_message":null,"phase":"completed"}`,
			response: "{" + storedJSON + "}",
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.UpdateRemediation(ctx, "r-1", client.RemediationUpdate{
					Phase: new(client.PhaseCompleted), EndTime: client.Set(start), ErrorMessage: client.Null[string](),
				})
			},
			want: &client.Updated{Remediation: stored},
		},
		{
			id: "createAIAnalysis", method: "POST", target: "/v1/remediations/r-1/ai-analyses",
			body:     `{"analysis_id":"a","confidence_score":0,"model":"m","provider":"p"}`,
			response: receipt,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateAIAnalysis(ctx, "r-1", client.AIAnalysisInput{
					AnalysisID: "a", Provider: "p", Model: "m", ConfidenceScore: new(0.0),
				})
			},
			want: &client.Written{Receipt: taken},
		},
		{
			id: "createWorkflow", method: "POST", target: "/v1/remediations/r-1/workflows",
			body: `{"completed_steps":0,"phase":"planning","start_time":"2026-03-01T10:00:00.123456Z","total_steps":2,` +
				`"workflow_id":"w"}`,
			response: receipt,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateWorkflow(ctx, "r-1", client.WorkflowInput{
					WorkflowID: "w", Phase: client.WorkflowPhasePlanning, TotalSteps: 2, StartTime: start,
				})
			},
			want: &client.Written{Receipt: taken},
		},
		{
			id: "createExecution", method: "POST", target: "/v1/remediations/r-1/executions",
			body: `{"action_type":"restart","execution_id":"e","start_time":"2026-03-01T10:00:00.123456Z","success":false,` +
				`"workflow_id":"w"}`,
			response: receipt,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateExecution(ctx, "r-1", client.ExecutionInput{
					WorkflowID: "w", ExecutionID: "e", ActionType: "restart", StartTime: start,
				})
			},
			want: &client.Written{Receipt: taken},
		},
	}
}

func readOperations() []operation {
	return []operation{
		{
			id: "getRemediation", method: "GET", target: "/v1/remediations/r-1",
			response: "{" + storedJSON + `,"ai_analyses":[],"workflows":[],"executions":[{"workflow_id":"w","execution_id":"e"}],` +
				`"truncated":["executions"]}`,
			do: func(ctx context.Context, c *client.Client) (any, error) { return c.GetRemediation(ctx, "r-1") },
			want: &client.RemediationDetail{Remediation: stored, RemediationChildren: client.RemediationChildren{
				AIAnalyses: []client.AIAnalysis{}, Workflows: []client.Workflow{},
				Executions: []client.Execution{{WorkflowID: "w", ExecutionID: "e"}},
				Truncated:  []client.ChildKind{client.ChildKindExecutions},
			}},
		},
		{
			id: "listRemediations", method: "GET",
			target:   "/v1/remediations?include_total=true&limit=2&name=%D8%B9%26%2C+x&offset=4&sort=%2Bstart_time&status=success%2Cfailure",
			response: `{"data":[{` + storedJSON + `}],"pagination":{"limit":2,"has_more":true,"next_cursor":"c","offset":4,"total":9}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListRemediations(ctx, client.ListRemediationsParams{
					Status: "success,failure", Name: "ع&, x", Limit: 2, Offset: 4, IncludeTotal: true, Sort: client.SortOldestFirstPlus,
				})
			},
			want: &client.RemediationList{Data: []client.Remediation{stored}, Pagination: client.Pagination{
				Limit: 2, HasMore: true, NextCursor: "c", Offset: new(4), Total: new(int64(9)),
			}},
		},
		{
			id: "getHistory", method: "GET", target: "/v1/remediations/r-1/history?cursor=c&limit=5",
			response: `{"data":[{"event_id":"e","kind":"update","actor":"local","recorded_at":"2026-03-01T10:00:00.123456Z",` +
				`"leaf_hash":"ab","canonical":"{}"}],"pagination":{"limit":5,"has_more":false}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.History(ctx, "r-1", client.GetHistoryParams{Cursor: "c", Limit: 5})
			},
			want: &client.History{
				Data: []client.HistoryEntry{{
					EventID: "e", Kind: client.EntryKindUpdate, Actor: "local", RecordedAt: start, LeafHash: "ab", Canonical: "{}",
				}},
				Pagination: client.Pagination{Limit: 5},
			},
		},
		{
			id: "listIncidentEvents", method: "GET", target: "/v1/incident-events?alert_name=a&since=24h",
			response: `{"data":[{"id":1,"remediation_id":"r-1","alert_name":"a","namespace":"n","workflow_status":"running",` +
				`"created_at":"2026-03-01T10:00:00.123456Z","updated_at":"2026-03-01T10:00:00.123456Z","embedding_vector":[0.5]}],` +
				`"pagination":{"limit":100,"has_more":false}}`,
			do: func(ctx context.Context, c *client.Client) (any, error) {
				return c.IncidentEvents(ctx, client.ListIncidentEventsParams{AlertName: "a", Since: "24h"})
			},
			want: &client.IncidentEventList{
				Data: []client.IncidentEvent{{
					ID: 1, RemediationID: "r-1", AlertName: "a", Namespace: "n", WorkflowStatus: client.StatusRunning,
					CreatedAt: start, UpdatedAt: start, EmbeddingVector: []float32{0.5},
				}},
				Pagination: client.Pagination{Limit: 100},
			},
		},
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, op := range allOperations() {
		t.Run(op.id, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondOK(op.response))
			got, err := op.do(t.Context(), s.client(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(op.want, got); diff != "" {
				t.Errorf("response (-want +got): %s", diff)
			}
			seen := s.requests()[0]
			sent := strings.Join([]string{seen.method, seen.target, seen.body, seen.header.Get("Content-Type")}, "\n")
			contentType := ""
			if op.body != "" {
				contentType = "application/json"
			}
			if diff := cmp.Diff(strings.Join([]string{op.method, op.target, op.body, contentType}, "\n"), sent); diff != "" {
				t.Errorf("request (-want +got): %s", diff)
			}
		})
	}
}

// pathVariable is the variable in a path of the contract.
var pathVariable = regexp.MustCompile(`\{\w+\}`)

func TestOperationsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(text, &contract); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for path, item := range contract.Paths {
		for method, node := range item {
			var operation struct {
				ID string `yaml:"operationId"`
			}
			if method == "parameters" {
				continue
			}
			if err := node.Decode(&operation); err != nil {
				t.Fatal(err)
			}
			want = append(want, operation.ID+" "+strings.ToUpper(method)+" "+pathVariable.ReplaceAllString(path, "r-1"))
		}
	}
	for _, op := range allOperations() {
		path, _, _ := strings.Cut(op.target, "?")
		got = append(got, op.id+" "+op.method+" "+path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations of the contract and tested ones (-contract +tested): %s", diff)
	}
}

func TestKeysAreEscaped(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"a/b":      "a%2Fb",
		"..":       "%2E%2E",
		"a?b#c%d":  "a%3Fb%23c%25d",
		"ü 漢字 🙂":   "%C3%BC%20%E6%BC%A2%E5%AD%97%20%F0%9F%99%82",
		"{x}+,;@&": "%7Bx%7D%2B%2C%3B%40%26",
		"a.b-c_~:": "a.b-c_~%3A",
	}
	for key, want := range tests {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondOK("{"+storedJSON+"}"))
			if _, err := s.client(t).GetRemediation(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if got := s.requests()[0].target; got != "/v1/remediations/"+want {
				t.Errorf("the server saw %s, want …/%s", got, want)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		s := serve(t, respondOK(`{"data":[]}`))
		if _, err := s.client(t).GetRemediation(t.Context(), ""); err == nil || len(s.requests()) != 0 {
			t.Errorf("an empty key: error %v, %d requests; it would have listed everything", err, len(s.requests()))
		}
	})
}

func TestReplayIsReported(t *testing.T) {
	t.Parallel()
	s := serve(t, respondOK(receipt, "Idempotency-Replayed", "true"), respondOK("{"+storedJSON+"}", "Idempotency-Replayed", "true"))
	c := s.client(t)
	written, err := c.CreateRemediation(t.Context(), client.RemediationInput{})
	if err != nil || !written.Replayed {
		t.Errorf("create: %+v, %v; want a replay", written, err)
	}
	updated, err := c.UpdateRemediation(t.Context(), "r-1", client.RemediationUpdate{})
	if err != nil || !updated.Replayed {
		t.Errorf("update: %+v, %v; want a replay", updated, err)
	}
}

func TestBatchResults(t *testing.T) {
	t.Parallel()
	s := serve(t, respondOK(`{"results":[]}`), respondOK(`{"results":[{"index":0,"status":200,"id":1},{"index":1,"status":409,
		"problem":{"type":"/problems/conflict","title":"Conflict","status":409,"request_id":"q"}}]}`))
	c := s.client(t)
	if _, err := c.CreateRemediations(t.Context(), nil); err != nil || s.requests()[0].body != `{"records":[]}` {
		t.Errorf("no records: %v, sent %s", err, s.requests()[0].body)
	}
	results, err := c.CreateRemediations(t.Context(), make([]client.RemediationInput, 2))
	if err != nil {
		t.Fatal(err)
	}
	if err := results[0].Err(); err != nil || !results[0].Replayed() {
		t.Errorf("result 0: %v, replayed %t", err, results[0].Replayed())
	}
	if err := results[1].Err(); !errors.Is(err, client.ErrConflict) || results[1].Replayed() {
		t.Errorf("result 1: %v, replayed %t", err, results[1].Replayed())
	}
	if _, err := c.CreateRemediations(t.Context(), make([]client.RemediationInput, 3)); err == nil {
		t.Error("2 results for 3 records were accepted")
	}
}

func TestLeafHashIsVerified(t *testing.T) {
	t.Parallel()
	// printf '\0{}' | sha256sum
	entry := client.HistoryEntry{Canonical: "{}", LeafHash: "28a3a18f6cd6406b086e9ffda1f9b8a13dbcf44b0f3f32cb9031a11fd053acf9"}
	if err := entry.Verify(); err != nil {
		t.Error(err)
	}
	entry.Canonical = "{ }"
	if err := entry.Verify(); err == nil {
		t.Error("another text was accepted")
	}
}
