package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// subsegment is a subsegment document of X-Ray (developer guide, "AWS X-Ray segment documents").
type subsegment struct {
	Name        string         `json:"name"`
	ID          string         `json:"id"`
	TraceID     string         `json:"trace_id,omitempty"`  // of one that is sent by itself
	ParentID    string         `json:"parent_id,omitempty"` // likewise
	Type        string         `json:"type,omitempty"`      // likewise
	Start       float64        `json:"start_time"`
	End         float64        `json:"end_time"`
	Namespace   string         `json:"namespace,omitempty"` // remote: a call of another service
	Error       bool           `json:"error,omitempty"`
	Fault       bool           `json:"fault,omitempty"`
	SQL         *sqlData       `json:"sql,omitempty"`
	Annotations map[string]any `json:"annotations,omitempty"`
	Subsegments []subsegment   `json:"subsegments,omitempty"`
}

type sqlData struct {
	DatabaseType string `json:"database_type"`
}

// Span is a piece of an invocation's work that is under way.
type Span struct {
	invocation *Invocation
	started    time.Time
	segment    subsegment
}

// StartStatement begins a statement by its name; its text and values are nobody's business.
func StartStatement(ctx context.Context, name string) Span {
	return start(ctx, subsegment{Name: name, SQL: &sqlData{DatabaseType: "PostgreSQL"}})
}

// StartProviderCall begins a call of an embedding provider; remote says that it leaves the process.
func StartProviderCall(ctx context.Context, model string, remote bool) Span {
	segment := subsegment{Name: segmentName("embed " + model)}
	if remote {
		segment.Namespace = "remote"
	}
	return start(ctx, segment)
}

func start(ctx context.Context, segment subsegment) Span {
	return Span{invocation: From(ctx), started: time.Now(), segment: segment}
}

// End ends the span and answers how long it took.
func (s Span) End(err error) time.Duration {
	took := time.Since(s.started)
	i := s.invocation
	if i == nil || !i.traced() {
		return took
	}
	s.segment.ID, s.segment.Fault = newID(), err != nil
	s.segment.Start = epoch(s.started)
	s.segment.End = epoch(s.started.Add(took))
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.ended && len(i.spans) < maxSpans {
		i.spans = append(i.spans, s.segment)
	}
	return took
}

// maxSpans bounds what an invocation keeps for its end: the upkeep may execute thousands of statements.
const maxSpans = 1000

// traced reports whether the invocation's spans go anywhere.
func (i *Invocation) traced() bool {
	return i.trace.recorded() && i.telemetry != nil && i.telemetry.daemon != nil
}

// segment is the invocation as a subsegment of the segment that Lambda makes. The caller holds mu.
func (i *Invocation) segment(status string) subsegment {
	if !i.traced() {
		return subsegment{}
	}
	annotations := map[string]any{
		"status": status, "cache_hits": i.collected.sum(EmbeddingCacheHits), "cache_misses": i.collected.sum(EmbeddingCacheMisses),
	}
	for _, p := range i.properties() {
		if p.value != "" && p.name != "trace_id" {
			annotations[p.name] = p.value
		}
	}
	return subsegment{
		Name: segmentName(i.call.Operation), ID: newID(), TraceID: i.trace.root, ParentID: i.trace.parent, Type: "subsegment",
		Start: epoch(i.started), End: epoch(time.Now()), Error: status == Rejected, Fault: status == Failure || status == Timeout,
		Annotations: annotations, Subsegments: i.spans,
	}
}

// maxDocument is the most that the daemon takes in a datagram, 64 KB, with some room for the header.
const maxDocument = 63 << 10

// send gives the daemon the segment with its subsegments, and, where that is too much for a datagram, each by itself.
func (i *Invocation) send(segment subsegment) {
	if segment.ID == "" {
		return
	}
	if document, err := json.Marshal(segment); err == nil && len(document) <= maxDocument {
		i.telemetry.daemon.send(document)
		return
	}
	parts := segment.Subsegments
	segment.Subsegments = nil
	for _, part := range append([]subsegment{segment}, parts...) {
		if part.ID != segment.ID {
			part.TraceID, part.ParentID, part.Type = segment.TraceID, segment.ID, "subsegment"
		}
		if document, err := json.Marshal(part); err == nil {
			i.telemetry.daemon.send(document)
		}
	}
}

// segmentName keeps what X-Ray allows in a name: at most 200 of letters, digits, white space and _.:/%&#=+\-@.
func segmentName(name string) string {
	clean := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(` _.:/%&#=+\-@`, r) {
			return r
		}
		return '_'
	}, name))
	return string(clean[:min(len(clean), 200)])
}

func newID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// epoch is a time as X-Ray has it: seconds, with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
