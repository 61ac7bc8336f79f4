package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// Invocation collects what one invocation reports. It is safe for concurrent use, also after its
// end. A nil Invocation does nothing.
type Invocation struct {
	telemetry *Telemetry
	call      Call
	started   time.Time
	trace     trace
	traced    bool // the segment is sent
	expiry    *time.Timer

	mu            sync.Mutex // guards the fields below
	collected     collector
	remediationID string
	model         string
	segment       segment
	reported      bool // the lines are written; later values are late
	ended         bool
}

// Add adds n to a counter; values are those of its dimensions, in their order.
func (i *Invocation) Add(m Metric, n int, values ...string) {
	if n != 0 {
		i.Observe(m, float64(n), values...)
	}
}

// Observe records a value of a metric; values are those of its dimensions, in their order. A value
// that comes after the end of the invocation is written with the next one.
func (i *Invocation) Observe(m Metric, value float64, values ...string) {
	if i == nil || i.telemetry == nil {
		return
	}
	s := newClosedSeries(i.telemetry.sets, m, values)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.reported {
		i.telemetry.addLateValue(s, value)
		return
	}
	i.collected.addValue(s, value)
}

// SetRemediationID sets the remediation that the invocation works on. The caller MUST have redacted
// the id.
func (i *Invocation) SetRemediationID(remediationID string) {
	if i != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.remediationID = remediationID
	}
}

// SetModel sets the embedding model that the invocation uses.
func (i *Invocation) SetModel(model string) {
	if i != nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.model = model
	}
}

// End writes the invocation's metrics and sends its trace. Only the first call has an effect.
func (i *Invocation) End(status string) {
	if i.expiry != nil {
		i.expiry.Stop()
	}
	i.mu.Lock()
	first := !i.ended
	i.ended = true
	if first && i.traced {
		i.segment.dropOpenSpans()
		i.segment.describe(status, i.annotations(status))
	}
	i.mu.Unlock()
	if !first {
		return
	}
	i.reportOnce(status)
	if i.traced {
		i.segment.own.Close(nil)
	}
	i.telemetry.removeRunning(i)
}

// annotations returns what X-Ray indexes of the invocation. The caller holds mu.
func (i *Invocation) annotations(status string) map[string]any {
	all := map[string]any{
		"status":       status,
		"cache_hits":   i.collected.counterTotal(EmbeddingCacheHits),
		"cache_misses": i.collected.counterTotal(EmbeddingCacheMisses),
	}
	for _, p := range i.lineProperties() {
		if p.value != "" && p.name != "trace_id" {
			all[p.name] = p.value
		}
	}
	return all
}

func (i *Invocation) reportTimeout() { i.reportOnce(Timeout) }

// reportOnce counts the operation and writes the collected values, on the first call only.
func (i *Invocation) reportOnce(status string) {
	if i.telemetry == nil {
		return
	}
	i.mu.Lock()
	first := !i.reported
	if first {
		sets, values := i.telemetry.sets, []string{i.call.Operation, status}
		i.collected.addValue(newClosedSeries(sets, Operations, values), 1)
		i.collected.addValue(newClosedSeries(sets, OperationDuration, values), time.Since(i.started).Seconds())
		if failed := status == Failure || status == Timeout; failed && len(sets.version) > 0 {
			i.collected.addValue(newClosedSeries(sets, VersionFailures, sets.version), 1)
		}
	}
	i.reported = true
	entries, properties := i.collected.takeEntries(), i.lineProperties()
	i.mu.Unlock()
	if first {
		i.telemetry.writeMetrics(entries, properties)
	}
}

// lineProperties returns the properties by which metric lines can be searched. The caller holds mu.
func (i *Invocation) lineProperties() []property {
	return []property{
		{"operation", i.call.Operation},
		{"request_id", i.call.RequestID},
		{"trace_id", i.trace.root},
		{"remediation_id", i.remediationID},
		{"model", i.model},
	}
}

// logAttributes returns what identifies the invocation on a log line.
func (i *Invocation) logAttributes() []slog.Attr {
	i.mu.Lock()
	defer i.mu.Unlock()
	attributes := make([]slog.Attr, 0, 5)
	for _, p := range []property{
		{"request_id", i.call.RequestID},
		{"trace_id", i.trace.root},
		{"operation", i.call.Operation},
		{"remediation_id", i.remediationID},
	} {
		if p.value != "" {
			attributes = append(attributes, slog.String(p.name, p.value))
		}
	}
	return append(attributes, slog.Float64("duration_ms", float64(time.Since(i.started).Microseconds())/1000))
}
