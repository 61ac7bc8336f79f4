package endtoend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/query"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
	"github.com/datastorage-service/datastorage/internal/write"
)

// functionVariable makes this test binary run a function as its program in functions/ does, instead of tests. Its value is the
// function's name.
const functionVariable = "DATASTORAGE_TEST_FUNCTION"

// runFunction serves events until it is killed or the Runtime API is gone.
func runFunction(name string) {
	ctx := context.Background()
	options, open := write.Options(), func(parts *function.Parts) (any, error) { return write.Open(ctx, parts) }
	if name == "query" {
		options, open = query.Options(), func(parts *function.Parts) (any, error) { return query.Open(ctx, parts) }
	}
	parts, err := function.Open(ctx, os.Getenv, options)
	if err == nil {
		var handler any
		if handler, err = open(parts); err == nil {
			parts.Serve(ctx, handler)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// lambdaCall is an event for a function and what identifies it.
type lambdaCall struct {
	id          string // of the invocation
	requestID   string // of the API Gateway
	traceID     string
	remediation string
	span        string // of its trace, which has it once
	event       events.APIGatewayV2HTTPRequest
}

// concurrentRuntime is a Runtime API that several loops of one process poll (Lambda developer guide, "Using the Lambda runtime API").
type concurrentRuntime struct {
	calls chan lambdaCall

	mu        sync.Mutex
	running   map[string]bool
	most      int                 // invocations that ran at the same time
	responses map[string][]string // by invocation
	failures  []string
}

func newConcurrentRuntime() *concurrentRuntime {
	return &concurrentRuntime{calls: make(chan lambdaCall), running: map[string]bool{}, responses: map[string][]string{}}
}

func (c *concurrentRuntime) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "test")
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case call := <-c.calls:
			c.begin(call.id)
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", call.id)
			w.Header().Set("Lambda-Runtime-Trace-Id", "Root="+call.traceID+";Parent="+traceParent+";Sampled=1;Lineage=1:a87bd80c:1|68fd508a:5")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(5*time.Minute).UnixMilli(), 10))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
			_ = json.NewEncoder(w).Encode(call.event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		c.end(r.PathValue("id"), string(body), err != nil || path.Base(r.URL.Path) == "error")
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func (c *concurrentRuntime) begin(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[id] = true
	c.most = max(c.most, len(c.running))
}

func (c *concurrentRuntime) end(id, response string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed || !c.running[id] {
		c.failures = append(c.failures, id+": "+response)
	}
	delete(c.running, id)
	c.responses[id] = append(c.responses[id], response)
}

func (c *concurrentRuntime) counts() (responses, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.responses), c.most
}

// startConcurrentFunction starts the function with four concurrent invocations, and kills it when stop is called or the test ends. A data race ends the
// process, if the test binary has the race detector.
func startConcurrentFunction(t *testing.T, name, runtimeURL string, settings map[string]string, stdout, stderr *lockedBuffer) (stop func()) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	settings = maps.Clone(settings)
	settings[functionVariable], settings["AWS_LAMBDA_MAX_CONCURRENCY"] = name, "4"
	settings["AWS_LAMBDA_RUNTIME_API"] = strings.TrimPrefix(runtimeURL, "http://")
	settings["GORACE"] = "halt_on_error=1"
	for variable, value := range settings {
		child.Env = append(child.Env, variable+"="+value)
	}
	child.Stdout, child.Stderr = stdout, stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	stop = sync.OnceFunc(func() {
		select {
		case err := <-ended:
			t.Errorf("the function ended: %v", err)
		default:
			_ = child.Process.Kill()
			<-ended
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(stderr.String())
		}
	})
	return stop
}

// TestConcurrentInvocations runs the built-in loops of write and query with four invocations at once in one process. It checks that all
// four run at the same time, that each event is handled once and has its own response, and that log, metrics and traces of one
// are never those of another.
func TestConcurrentInvocations(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()}) // registers the model
	const events = 40
	for _, c := range []struct { //nolint:paralleltest // reads follow writes
		name, url string
		calls     []lambdaCall
		status    int
	}{
		{"write", stack.Database.WriterURL(), newWrites(t, events), 201},
		{"query", stack.Database.ReaderURL(), newReads(t, events), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			daemon := telemetrytest.NewTraceDaemon(t)
			settings := provider.env()
			settings["DATASTORAGE_DATABASE_URL"], settings["AWS_XRAY_DAEMON_ADDRESS"] = c.url, daemon.Address
			runtime := newConcurrentRuntime()
			server := httptest.NewServer(runtime.routes())
			t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
			var stdout, stderr lockedBuffer
			stop := startConcurrentFunction(t, c.name, server.URL, settings, &stdout, &stderr)

			before, _, _ := provider.counts()
			release := provider.hold()
			go func() {
				for _, call := range c.calls {
					runtime.calls <- call
				}
			}()
			eventually(t, "four calls of the provider", func() bool { calls, _, _ := provider.counts(); return calls == before+4 })
			if responses, most := runtime.counts(); responses != 0 || most != 4 {
				t.Errorf("%d responses and %d invocations while the provider waits, want 0 and 4", responses, most)
			}
			release()
			checkConcurrentTraces(t, daemon, c.calls)
			eventually(t, "all responses", func() bool { responses, _ := runtime.counts(); return responses == events })
			checkConcurrentResponses(t, runtime, c.calls, c.status)
			stop() // then all that it printed has been read
			checkConcurrentLog(t, stderr.String(), c.calls)
			checkConcurrentMetrics(t, stdout.String(), c.calls)
		})
	}
}

// newWrites are remediations of different incidents, each of which needs a vector.
func newWrites(t *testing.T, n int) []lambdaCall {
	t.Helper()
	return newLambdaCalls(t, "create", n, func(call *lambdaCall) {
		call.span = "RemediationAppend"
		call.event.Body = withMembers(recordMembers(), "remediation_id", jsonString(call.remediation), "error_message", jsonString(numberedMessage(*call)))
	})
}

// numberedMessage spells the number of the call, because digits are not part of an incident.
func numberedMessage(call lambdaCall) string {
	words := []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	message := "volume is full:"
	for _, digit := range strings.TrimPrefix(call.remediation, "r-") {
		message += " " + words[digit-'0']
	}
	return message
}

// newReads are four searches, each of which needs a vector, and then reads of the written remediations.
func newReads(t *testing.T, n int) []lambdaCall {
	t.Helper()
	searches := newLambdaCalls(t, "search", 4, func(call *lambdaCall) {
		call.event.Body = jsonObject(map[string]string{"query": jsonString(numberedMessage(*call))})
		call.remediation, call.span = "", "embed made-up@32"
	})
	reads := newLambdaCalls(t, "get", n, func(call *lambdaCall) {
		call.span = "RemediationGet"
		call.event.RawPath = "/v1/remediations/" + call.remediation
		call.event.PathParameters = map[string]string{"remediation_id": call.remediation}
	})
	return append(searches, reads[4:]...)
}

func newLambdaCalls(t *testing.T, sample string, n int, fill func(*lambdaCall)) []lambdaCall {
	t.Helper()
	calls := make([]lambdaCall, n)
	for i := range calls {
		call := lambdaCall{
			id: fmt.Sprintf("invocation-%d", i), requestID: fmt.Sprintf("request-%d", i), remediation: fmt.Sprintf("r-%d", i),
			traceID: fmt.Sprintf("1-5759e988-%024x", i),
		}
		if err := json.Unmarshal(functiontest.Sample(t, sample), &call.event); err != nil {
			t.Fatal(err)
		}
		call.event.RequestContext.RequestID = call.requestID
		fill(&call)
		calls[i] = call
	}
	return calls
}

func checkConcurrentResponses(t *testing.T, c *concurrentRuntime, calls []lambdaCall, status int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 || c.most != 4 {
		t.Errorf("%d invocations at once, failures %v", c.most, c.failures)
	}
	for _, call := range calls {
		var response events.APIGatewayV2HTTPResponse
		if len(c.responses[call.id]) != 1 || json.Unmarshal([]byte(c.responses[call.id][0]), &response) != nil || response.StatusCode != status {
			t.Errorf("%s: responses %q", call.id, c.responses[call.id])
			continue
		}
		var body struct {
			RemediationID string `json:"remediation_id"`
		}
		if err := json.Unmarshal([]byte(response.Body), &body); err != nil || body.RemediationID != call.remediation {
			t.Errorf("%s of %q: %v %s", call.id, call.remediation, err, response.Body)
		}
	}
}

// checkConcurrentTraces checks that there is one segment of each call, and no other.
func checkConcurrentTraces(t *testing.T, daemon *telemetrytest.TraceDaemon, calls []lambdaCall) {
	t.Helper()
	expected := map[string]lambdaCall{}
	for _, call := range calls {
		expected[call.traceID] = call
	}
	for range calls {
		segment := daemon.Next(t)
		call, found := expected[segment.TraceID]
		remediation, _ := segment.Annotations["remediation_id"].(string)
		if !found || segment.Annotations["request_id"] != call.requestID || remediation != call.remediation {
			t.Errorf("segment %s, want %+v", segment.Text, call)
		}
		delete(expected, segment.TraceID)
		spans := map[string]int{}
		for _, part := range segment.Subsegments {
			spans[part.Name]++
		}
		if spans[call.span] != 1 {
			t.Errorf("%s has %v, want one %s", call.id, spans, call.span)
		}
	}
}

// checkConcurrentLog checks that each call has one line about its request, and that no line mixes two calls.
func checkConcurrentLog(t *testing.T, log string, calls []lambdaCall) {
	t.Helper()
	requests := map[string]int{}
	for line := range strings.Lines(log) {
		var members map[string]any
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Errorf("%v: %s", err, line)
			continue
		}
		checkSameCall(t, members, calls, line)
		if members["msg"] == "request" {
			requests[members["request_id"].(string)]++
		}
	}
	for _, call := range calls {
		if requests[call.requestID] != 1 {
			t.Errorf("%s has %d lines", call.requestID, requests[call.requestID])
		}
	}
}

// checkConcurrentMetrics checks that each call has lines of its own, and that all calls but only one cold start are counted.
func checkConcurrentMetrics(t *testing.T, written string, calls []lambdaCall) {
	t.Helper()
	lines := telemetrytest.ReadMetrics(t, written)
	seen := map[any]bool{}
	for _, line := range lines {
		checkSameCall(t, line, calls, fmt.Sprint(line))
		seen[line["request_id"]] = true
	}
	counted, coldStarts := 0.0, 0.0
	series := telemetrytest.Series(lines)
	for name, values := range series {
		for _, value := range values {
			switch {
			case strings.HasPrefix(name, "datastorage_operations_total{") && strings.Contains(name, "status=success"):
				counted += value
			case name == "datastorage_cold_starts_total{}":
				coldStarts += value
			}
		}
	}
	if counted != float64(len(calls)) || len(seen) != len(calls) || coldStarts != 1 {
		t.Errorf("%v operations, %d requests, %v cold starts: %v", counted, len(seen), coldStarts, slices.Sorted(maps.Keys(series)))
	}
}

// checkSameCall checks that the ids on a line are those of one call.
func checkSameCall(t *testing.T, line map[string]any, calls []lambdaCall, text string) {
	t.Helper()
	for _, call := range calls {
		if line["request_id"] != call.requestID {
			continue
		}
		if remediation, _ := line["remediation_id"].(string); line["trace_id"] != call.traceID || remediation != call.remediation && remediation != "" {
			t.Errorf("a line mixes calls: %s", text)
		}
		return
	}
	t.Errorf("a line of no call: %s", text)
}
