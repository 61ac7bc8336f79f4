package endtoend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// meter reads the metrics of one step at a time.
type meter struct {
	out  lockedBuffer
	read int
	seen map[string]bool // names of the metrics
}

// step runs do and returns the sums that CloudWatch would compute for it, by series. For
// durations it checks only that there are some.
func (m *meter) step(t *testing.T, do func()) map[string]float64 {
	t.Helper()
	do()
	text := m.out.String()
	figures := telemetrytest.Series(telemetrytest.ReadMetrics(t, text[m.read:]))
	m.read = len(text)
	telemetrytest.CheckClosedSets(t, local.ClosedSets(), figures)
	sums := map[string]float64{}
	for series, values := range figures {
		name, _, _ := strings.Cut(series, "{")
		m.seen[name] = true
		if !strings.HasSuffix(name, "_seconds") {
			for _, value := range values {
				sums[series] += value
			}
			continue
		}
		for _, seconds := range values {
			if seconds <= 0 || seconds > 60 {
				t.Errorf("%s is %v", series, seconds)
			}
		}
	}
	return sums
}

// operationsTotal returns the series that every invocation reports.
func operationsTotal(operation, status string) string {
	return fmt.Sprintf("datastorage_operations_total{operation=%s,status=%s}", operation, status)
}

const (
	cacheHits   = "datastorage_embedding_cache_hits_total{}"
	cacheMisses = "datastorage_embedding_cache_misses_total{}"
	batchSize   = "datastorage_batch_size{}"
)

func embeddingsGenerated(status string) string {
	return "datastorage_embedding_generation_total{status=" + status + "}"
}

func dualWrite(status string) string { return "datastorage_dualwrite_total{status=" + status + "}" }

func queueMessagesTotal(status string) string {
	return "datastorage_queue_messages_total{status=" + status + "}"
}

func notWritten(reason string) string {
	return "datastorage_dualwrite_failures_total{reason=" + reason + "}"
}

func validationFailures(field string) string {
	return "datastorage_validation_failures_total{field=" + field + "}"
}

func sanitizations(action string) string {
	return "datastorage_sanitization_total{action=" + action + "}"
}

// TestMetrics calls every operation and checks the exact count of each metric.
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := &meter{seen: map[string]bool{}}
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env(), Metrics: &m.out})
	type counts map[string]float64
	for _, step := range []struct {
		name string
		do   func() error
		want counts
	}{
		{"the first create", func() error { return createOne(t, stack, minimalRecord("r-1")) }, counts{
			"datastorage_cold_starts_total{}": 1, operationsTotal("createRemediation", "success"): 1,
			dualWrite("success"): 1, cacheMisses: 1, embeddingsGenerated("success"): 1,
		}},
		{"the same incident again", func() error { return createOne(t, stack, minimalRecord("r-2")) }, counts{
			operationsTotal("createRemediation", "success"): 1, dualWrite("success"): 1, cacheHits: 1,
		}},
		{"a replay", func() error { return createOne(t, stack, minimalRecord("r-2")) }, counts{
			operationsTotal("createRemediation", "success"): 1, dualWrite("replayed"): 1, cacheHits: 1,
		}},
		{"a conflict", func() error { return createOne(t, stack, inNamespace("r-2", "elsewhere")) }, counts{
			operationsTotal("createRemediation", "rejected"): 1, dualWrite("failure"): 1, notWritten("conflict"): 1, cacheHits: 1,
		}},
		{"a batch with a bad record", func() error {
			return createBatch(t, stack, minimalRecord("b-1"), minimalRecord(""), withMessage("b-2", "disk is full"), inNamespace("r-2", "elsewhere"))
		}, counts{
			operationsTotal("createRemediations", "success"): 1, batchSize: 4, validationFailures("remediation_id"): 1, dualWrite("success"): 2,
			dualWrite("failure"): 1, notWritten("conflict"): 1, cacheHits: 1, cacheMisses: 1, embeddingsGenerated("success"): 1,
		}},
		{"secrets", func() error { return createOne(t, stack, withMessage("s-1", "password=a1b2 \x00 token=abcdef123456")) }, counts{
			operationsTotal("createRemediation", "success"): 1, dualWrite("success"): 1, cacheMisses: 1, embeddingsGenerated("success"): 1,
			sanitizations("redacted_password"): 1, sanitizations("redacted_token"): 1, sanitizations("control_removed"): 1,
		}},
		{"a provider that is down", func() error {
			provider.failWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
			defer provider.recover()
			return createOne(t, stack, withMessage("p-1", "certificate has expired"))
		}, counts{
			operationsTotal("createRemediation", "success"): 1, dualWrite("pending"): 1, cacheMisses: 1, embeddingsGenerated("failure"): 1,
		}},
		{"the maintenance run", func() error {
			_, err := stack.Functions.Maintain.Invoke(t.Context())
			return err
		}, counts{
			operationsTotal("maintain", "success"): 1, cacheMisses: 1, embeddingsGenerated("success"): 1, "datastorage_embeddings_pending{}": 0, "datastorage_near_duplicate_signatures{}": 0,
		}},
		{"a bad request", func() error {
			_, _ = postBody(t, stack, "/v1/remediations?made=up", `{"name":"","phase":"x","metadata":{"a":1},"unheard":1}`)
			return nil
		}, counts{
			operationsTotal("createRemediation", "rejected"): 1, validationFailures("other"): 2, validationFailures("name"): 1, validationFailures("phase"): 1,
			validationFailures("remediation_id"): 1, validationFailures("namespace"): 1, validationFailures("action_type"): 1, validationFailures("status"): 1, validationFailures("start_time"): 1,
		}},
		{"no route", func() error {
			_, _ = postBody(t, stack, "/v1/nowhere", `{}`)
			return nil
		}, counts{operationsTotal("other", "rejected"): 1}},
		{"an update", func() error {
			_, err := stack.Client.UpdateRemediation(t.Context(), "r-1", newMessage("disk is full"))
			return err
		}, counts{operationsTotal("updateRemediation", "success"): 1, cacheHits: 1}},
		{"an event of the queue", func() error {
			stored, _ := queueRecord("remediation", "queued", "")
			early, _ := queueRecord("ai_analysis", "nobody", "a")
			consumeMessages(t, stack, stored, `{}`, early, strings.Replace(stored, "Queued", "", 1))
			return nil
		}, counts{
			operationsTotal("consumeQueue", "rejected"): 1, batchSize: 2, queueMessagesTotal("stored"): 1, queueMessagesTotal("poison"): 2, queueMessagesTotal("early"): 1,
			validationFailures("request"): 2, validationFailures("name"): 1, dualWrite("success"): 1, cacheMisses: 1, embeddingsGenerated("success"): 1,
		}},
		{"a search", func() error {
			_, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "disk"})
			return err
		}, counts{operationsTotal("search", "success"): 1, cacheMisses: 1, embeddingsGenerated("success"): 1}},
		{"the search again", func() error {
			_, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "disk"})
			return err
		}, counts{operationsTotal("search", "success"): 1, cacheHits: 1}},
		{"readiness", func() error {
			_, err := stack.Client.Ready(t.Context())
			return err
		}, counts{operationsTotal("getReady", "success"): 1}},
		{"health", func() error {
			_, err := stack.Client.Health(t.Context())
			return err
		}, counts{operationsTotal("getHealth", "success"): 1}},
		{"the contract", func() error {
			_, err := stack.Client.Contract(t.Context())
			return err
		}, counts{operationsTotal("getContract", "success"): 1}},
	} {
		got := m.step(t, func() {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		})
		if diff := gocmp.Diff(map[string]float64(step.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	for _, metric := range telemetry.Metrics() {
		// The local stack is no deployed version.
		if metric != telemetry.VersionFailures && !m.seen[metric.Name()] {
			t.Errorf("no step reported %s", metric.Name())
		}
	}
	m.everyOperation(t, stack)
}

// everyOperation checks that each operation of the API reports its ID and its duration.
func (m *meter) everyOperation(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	m.step(t, func() {
		all := allOperations(stack.Client)
		all["similar"] = func(ctx context.Context) error {
			_, err := stack.Client.Similar(ctx, "r-1", client.FindSimilarParams{})
			return err
		}
		all["success rate"] = func(ctx context.Context) error {
			_, err := stack.Client.SuccessRate(ctx, client.GetSuccessRateParams{GroupBy: "name"})
			return err
		}
		all["trend"] = func(ctx context.Context) error {
			_, err := stack.Client.Trend(ctx, client.GetTrendParams{Interval: "day"})
			return err
		}
		for operation, ask := range all {
			if err := ask(t.Context()); err != nil {
				t.Logf("%s: %v", operation, err) // of remediations that do not exist
			}
		}
	})
	text := m.out.String()
	for _, operation := range local.ClosedSets().Values(telemetry.Operations, "operation") {
		if !strings.Contains(text, `"operation":"`+operation+`"`) {
			t.Errorf("no line of %s", operation)
		}
	}
}

func createOne(t *testing.T, stack *endtoend.Stack, record client.RemediationInput) error {
	t.Helper()
	_, err := stack.Client.CreateRemediation(t.Context(), record)
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.StatusCode == http.StatusConflict {
		return nil
	}
	return err
}

// createBatch sends records unchanged, including those that the contract does not allow.
func createBatch(t *testing.T, stack *endtoend.Stack, records ...client.RemediationInput) error {
	t.Helper()
	body, err := json.Marshal(map[string]any{"records": records})
	if err != nil {
		return err
	}
	if response, content := postBody(t, stack, "/v1/remediations/batch", string(body)); response.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", response.StatusCode, content)
	}
	return nil
}

func inNamespace(id, namespace string) client.RemediationInput {
	record := minimalRecord(id)
	record.Namespace = namespace
	return record
}

func withMessage(id, message string) client.RemediationInput {
	record := minimalRecord(id)
	record.ErrorMessage = &message
	return record
}

// TestMetricsOfBadInput sends every kind of invalid request: every error in a response is counted once, and
// input never becomes a value of a dimension.
func TestMetricsOfBadInput(t *testing.T) {
	t.Parallel()
	m := &meter{seen: map[string]bool{}}
	stack := endtoend.New(t, endtoend.Options{Metrics: &m.out})
	storeSeed(t, stack)
	named := 0
	got := m.step(t, func() {
		for _, row := range slices.Concat(
			badBodies(), badRecords(), badTimes(), badTexts(), badUpdates(), badAnalyses(), badWorkflows(), badExecutions(), badBatches(),
			badSearches(), badFilters(), badPages(), badStatistics(), badParameters(), badCursors(t, stack), badPaths(), badMethods(),
		) {
			var problem client.Problem
			_, body := row.send(t, stack)
			if err := json.Unmarshal(body, &problem); err != nil {
				t.Fatalf("%s: %v", row.title(), err)
			}
			named += len(problem.Errors)
		}
	})
	counted := 0.0
	for series, times := range got {
		if strings.HasPrefix(series, telemetry.ValidationFailures.Name()) {
			counted += times
		}
	}
	if counted != float64(named) || named < 100 {
		t.Errorf("%v validation errors are counted, %d were named", counted, named)
	}
	t.Logf("%d validation errors, %d series", named, len(got))
}
