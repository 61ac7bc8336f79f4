package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// Invocation gathers what one invocation reports. A nil Invocation takes everything and does nothing. It is safe for concurrent use, and
// for use after its end.
type Invocation struct {
	telemetry *Telemetry
	call      Call
	started   time.Time
	trace     trace
	expiry    *time.Timer

	mu            sync.Mutex // guards what follows
	collected     collector
	remediationID string
	model         string
	spans         []subsegment
	reported      bool // the operation is counted, and what comes now is late
	ended         bool
}

// Add counts n more of a metric, with the values of its dimensions in their order.
func (i *Invocation) Add(m Metric, n int, values ...string) {
	if n != 0 {
		i.Observe(m, float64(n), values...)
	}
}

// Observe takes a value of a metric. What comes after the end is not lost: it is written by itself with the next invocation's lines.
func (i *Invocation) Observe(m Metric, value float64, values ...string) {
	if i == nil || i.telemetry == nil {
		return
	}
	of := newSeries(i.telemetry.sets, m, values)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.reported {
		i.telemetry.addLate(of, value)
		return
	}
	i.collected.add(of, value)
}

// About names the remediation that the invocation is about. The caller has taken secrets out of it.
func (i *Invocation) About(remediationID string) {
	if i != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.remediationID = remediationID
	}
}

// Uses names the embedding model that the invocation works with.
func (i *Invocation) Uses(model string) {
	if i != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.model = model
	}
}

// End reports how the invocation ended, once, and writes what it gathered.
func (i *Invocation) End(status string) {
	if i.expiry != nil {
		i.expiry.Stop()
	}
	i.mu.Lock()
	first := !i.ended
	i.ended = true
	segment := i.segment(status)
	i.mu.Unlock()
	if !first {
		return
	}
	i.report(status)
	i.send(segment)
	i.telemetry.ended(i)
}

// expire reports an invocation that will not end in time.
func (i *Invocation) expire() { i.report(Timeout) }

// report counts the operation and writes what was gathered, unless that was done before.
func (i *Invocation) report(status string) {
	if i.telemetry == nil {
		return
	}
	i.mu.Lock()
	before := i.reported
	if !before {
		i.collected.add(newSeries(i.telemetry.sets, Operations, []string{i.call.Operation, status}), 1)
		i.collected.add(newSeries(i.telemetry.sets, OperationDuration, []string{i.call.Operation}), time.Since(i.started).Seconds())
	}
	i.reported = true
	entries, properties := i.collected.take(), i.properties()
	i.mu.Unlock()
	if !before {
		i.telemetry.write(entries, properties)
	}
}

// properties are what lines of metrics can be searched by. The caller holds mu.
func (i *Invocation) properties() []property {
	return []property{
		{"operation", i.call.Operation},
		{"request_id", i.call.RequestID},
		{"trace_id", i.trace.root},
		{"remediation_id", i.remediationID},
		{"model", i.model},
	}
}

// attributes are what a line of the log has of the invocation.
func (i *Invocation) attributes() []slog.Attr {
	i.mu.Lock()
	defer i.mu.Unlock()
	attributes := make([]slog.Attr, 0, 5)
	for _, p := range []property{
		{"request_id", i.call.RequestID}, {"trace_id", i.trace.root}, {"operation", i.call.Operation}, {"remediation_id", i.remediationID},
	} {
		if p.value != "" {
			attributes = append(attributes, slog.String(p.name, p.value))
		}
	}
	return append(attributes, slog.Float64("duration_ms", float64(time.Since(i.started).Microseconds())/1000))
}
