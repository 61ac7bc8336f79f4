package telemetry

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// Config has the destinations and the closed sets of the telemetry.
type Config struct {
	// Metrics receives lines of the embedded metric format, several in one Write. Nil disables metrics.
	Metrics io.Writer
	// Daemon is the address of the X-Ray daemon in the form of AWS_XRAY_DAEMON_ADDRESS: host:port, or
	// "tcp:host:port udp:host:port". Empty disables traces.
	Daemon string
	// ClosedSets are the dimension values defined by other packages.
	ClosedSets ClosedSets
	// Version is the function and its version, such as datastorage-prod-WriteFunction-1:7: the value of the
	// dimension version. Empty disables the metric VersionFailures.
	Version string
}

// Telemetry is the telemetry of one sandbox. It is safe for concurrent use. A nil Telemetry writes
// nothing.
type Telemetry struct {
	tracing *xray.Config // nil disables traces
	sets    ClosedSets

	mu      sync.Mutex // guards the fields below
	metrics io.Writer
	warm    bool
	running map[*Invocation]bool
	// late has the values reported after the end of their invocation. The next invocation, or
	// Close, writes them.
	late collector
	// buffer is reused by each write.
	buffer []byte
}

// New returns an error if the configuration is invalid, but not if the daemon cannot be reached.
func New(config Config) (*Telemetry, error) {
	tracing, err := openTracing(config.Daemon)
	if err != nil {
		return nil, err
	}
	return &Telemetry{
		metrics: config.Metrics,
		tracing: tracing,
		sets:    config.closedSets(),
		running: map[*Invocation]bool{},
	}, nil
}

func (c Config) closedSets() ClosedSets {
	sets := c.ClosedSets
	if c.Version != "" {
		sets.version = []string{c.Version}
	}
	return sets
}

// drainTimeout is how long Close waits for running invocations. Lambda allows half a second between
// SIGTERM and SIGKILL (aws-lambda-go, WithEnableSIGTERM), and the database connections are closed
// after this.
const drainTimeout = 300 * time.Millisecond

// Close waits up to 300 ms for running invocations, reports the others as timed out, and writes late
// values. A function calls it first when it shuts down. The SDK's socket to the daemon ends with the process.
func (t *Telemetry) Close() {
	if t == nil {
		return
	}
	t.waitForInvocations()
	t.writeMetrics(nil, nil)
}

func (t *Telemetry) waitForInvocations() {
	for until := time.Now().Add(drainTimeout); ; time.Sleep(2 * time.Millisecond) {
		running := t.runningInvocations()
		if len(running) == 0 {
			return
		}
		if time.Now().After(until) {
			for _, i := range running {
				i.reportTimeout()
			}
			return
		}
	}
}

func (t *Telemetry) runningInvocations() []*Invocation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.running))
}

func (t *Telemetry) addRunning(i *Invocation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[i] = true
}

func (t *Telemetry) removeRunning(i *Invocation) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, i)
}

// Call describes an invocation.
type Call struct {
	// RequestID is API Gateway's request id. If it is empty, Lambda's is used.
	RequestID string
	// Operation is one of ClosedSets.Operations.
	Operation string
	// TraceHeader is the request's X-Amzn-Trace-Id. It is used if Lambda's runtime has no trace
	// header in the context.
	TraceHeader string
}

// expiryMargin is how long before the function's deadline a running invocation is reported as timed
// out: after the API's own timeout, and early enough for Lambda to read the line.
const expiryMargin = 200 * time.Millisecond

// Begin starts an invocation, which the caller MUST end. Reports with the returned context belong
// to the invocation.
func (t *Telemetry) Begin(ctx context.Context, call Call) (context.Context, *Invocation) {
	i := &Invocation{telemetry: t, call: call, started: time.Now()}
	if lambda, ok := lambdacontext.FromContext(ctx); ok && call.RequestID == "" {
		i.call.RequestID = lambda.AwsRequestID
	}
	if header, ok := ctx.Value(runtimeTraceHeader).(string); ok && header != "" {
		i.call.TraceHeader = header
	}
	i.trace = parseTraceHeader(i.call.TraceHeader)
	i.segment = t.beginSegment(i.call.Operation, i.trace)
	i.traced = i.segment.own != nil
	if t != nil {
		t.addRunning(i)
	}
	if t.writesMetrics() {
		if t.isFirstInvocation() {
			i.Add(ColdStarts, 1)
		}
		if deadline, ok := ctx.Deadline(); ok {
			i.expiry = time.AfterFunc(time.Until(deadline)-expiryMargin, i.reportTimeout)
		}
	}
	return context.WithValue(ctx, invocationKey{}, i), i
}

func (t *Telemetry) writesMetrics() bool { return t != nil && t.metrics != nil }

func (t *Telemetry) isFirstInvocation() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.warm
	t.warm = true
	return first
}

// writeMetrics writes entries with the properties of their invocation, and late values without
// properties.
func (t *Telemetry) writeMetrics(entries []entry, properties []property) {
	if !t.writesMetrics() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	lines := t.buffer[:0]
	for _, d := range packIntoDocuments(entries) {
		lines = d.appendDocument(lines, now, properties)
	}
	for _, d := range packIntoDocuments(t.late.takeEntries()) {
		lines = d.appendDocument(lines, now, nil)
	}
	if len(lines) > 0 {
		_, _ = t.metrics.Write(lines) // there is nowhere to report an error
	}
	t.buffer = lines
}

func (t *Telemetry) addLateValue(s series, value float64) {
	if !t.writesMetrics() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late.addValue(s, value)
}

// invocationKey is the context key of the invocation.
type invocationKey struct{}

// FromContext returns the invocation of the context, or nil.
func FromContext(ctx context.Context) *Invocation {
	i, _ := ctx.Value(invocationKey{}).(*Invocation)
	return i
}

// Add is Invocation.Add for the invocation of the context.
func Add(ctx context.Context, m Metric, n int, values ...string) {
	FromContext(ctx).Add(m, n, values...)
}

// Observe is Invocation.Observe for the invocation of the context.
func Observe(ctx context.Context, m Metric, value float64, values ...string) {
	FromContext(ctx).Observe(m, value, values...)
}

// Outcome returns the status of an operation that returned err.
func Outcome(err error) string {
	switch {
	case err == nil:
		return Success
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return Failure
	}
}
