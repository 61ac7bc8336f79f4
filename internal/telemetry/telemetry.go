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
)

// Config says where telemetry goes.
type Config struct {
	// Metrics gets the lines of the embedded metric format, several in one Write. Nil: there are none.
	Metrics io.Writer
	// Daemon is the X-Ray daemon's address as AWS_XRAY_DAEMON_ADDRESS has it: host:port, or "tcp:host:port udp:host:port". Empty: there
	// are no traces.
	Daemon string
	// ClosedSets are the values of the dimensions that other packages fill.
	ClosedSets ClosedSets
}

// Telemetry is one sandbox's. It is safe for concurrent use, and nil stands for one that goes nowhere.
type Telemetry struct {
	daemon *daemon
	sets   ClosedSets

	mu      sync.Mutex // guards what follows
	metrics io.Writer
	warm    bool
	// running are the invocations that have begun and not ended.
	running map[*Invocation]bool
	// late is what was reported after its invocation had ended; it is written with the next one's lines, and by Close.
	late collector
	// lines is the memory of the last write.
	lines []byte
}

// New makes it; an error names what is wrong with the configuration. A daemon that is not there is no error.
func New(config Config) (*Telemetry, error) {
	daemon, err := newDaemon(config.Daemon)
	if err != nil {
		return nil, err
	}
	return &Telemetry{metrics: config.Metrics, daemon: daemon, sets: config.ClosedSets, running: map[*Invocation]bool{}}, nil
}

// drainPatience is how long Close waits for invocations under way. Lambda leaves a function half a second between SIGTERM and SIGKILL
// (aws-lambda-go, WithEnableSIGTERM), and connections are still to be closed after this.
const drainPatience = 300 * time.Millisecond

// Close waits a moment for the invocations under way, reports those that do not end as timed out, writes what came late, and lets go of the
// daemon. It is what a function does first when it is shut down.
func (t *Telemetry) Close() {
	if t == nil {
		return
	}
	t.drain()
	t.write(nil, nil)
	t.daemon.close()
}

func (t *Telemetry) drain() {
	for until := time.Now().Add(drainPatience); ; time.Sleep(2 * time.Millisecond) {
		running := t.underWay()
		if len(running) == 0 {
			return
		}
		if time.Now().After(until) {
			for _, i := range running {
				i.expire()
			}
			return
		}
	}
}

func (t *Telemetry) underWay() []*Invocation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.running))
}

// begun and ended keep count of an invocation.
func (t *Telemetry) begun(i *Invocation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[i] = true
}

func (t *Telemetry) ended(i *Invocation) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, i)
}

// Call is what identifies an invocation.
type Call struct {
	// RequestID is the gateway's, or, if empty, Lambda's own.
	RequestID string
	// Operation is one of ClosedSets.
	Operation string
	// TraceHeader is the request's X-Amzn-Trace-Id. The one that Lambda's runtime puts into the context goes before it.
	TraceHeader string
}

// expiryMargin is how long before the function's deadline an invocation that has not ended is reported as timed out: after the API has
// given up, and early enough for Lambda to read the line.
const expiryMargin = 200 * time.Millisecond

// Begin starts an invocation, which must be ended. What happens under the context that it returns is reported as the invocation's.
func (t *Telemetry) Begin(ctx context.Context, call Call) (context.Context, *Invocation) {
	i := &Invocation{telemetry: t, call: call, started: time.Now()}
	if lambda, ok := lambdacontext.FromContext(ctx); ok && call.RequestID == "" {
		i.call.RequestID = lambda.AwsRequestID
	}
	if header, ok := ctx.Value(runtimeTraceHeader).(string); ok && header != "" {
		i.call.TraceHeader = header
	}
	i.trace = parseTrace(i.call.TraceHeader)
	if t != nil {
		t.begun(i)
	}
	if t.collects() {
		if t.firstTime() {
			i.Add(ColdStarts, 1)
		}
		if deadline, ok := ctx.Deadline(); ok {
			i.expiry = time.AfterFunc(time.Until(deadline)-expiryMargin, i.expire)
		}
	}
	return context.WithValue(ctx, scope{}, i), i
}

func (t *Telemetry) collects() bool { return t != nil && t.metrics != nil }

func (t *Telemetry) firstTime() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.warm
	t.warm = true
	return first
}

// write writes entries with their invocation's properties, and what came late without.
func (t *Telemetry) write(entries []entry, properties []property) {
	if !t.collects() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	lines := t.lines[:0]
	for _, d := range documents(entries) {
		lines = d.appendTo(lines, now, properties)
	}
	for _, d := range documents(t.late.take()) {
		lines = d.appendTo(lines, now, nil)
	}
	if len(lines) > 0 {
		_, _ = t.metrics.Write(lines) // there is nobody to tell
	}
	t.lines = lines
}

func (t *Telemetry) addLate(of series, value float64) {
	if !t.collects() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late.add(of, value)
}

// scope is the context's key of the invocation.
type scope struct{}

// From is the invocation that the context belongs to, or nil, which takes every report and does nothing.
func From(ctx context.Context) *Invocation {
	i, _ := ctx.Value(scope{}).(*Invocation)
	return i
}

// Add counts n more of a metric, with the values of its dimensions in their order.
func Add(ctx context.Context, m Metric, n int, values ...string) { From(ctx).Add(m, n, values...) }

// Observe takes a value of a metric.
func Observe(ctx context.Context, m Metric, value float64, values ...string) {
	From(ctx).Observe(m, value, values...)
}

// Outcome is the status of a thing that a context may have ended.
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
