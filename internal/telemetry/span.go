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
	TraceID     string         `json:"trace_id,omitempty"`  // only in a separate document
	ParentID    string         `json:"parent_id,omitempty"` // only in a separate document
	Type        string         `json:"type,omitempty"`      // only in a separate document
	Start       float64        `json:"start_time"`
	End         float64        `json:"end_time"`
	Namespace   string         `json:"namespace,omitempty"` // "remote" for a call to another service
	Error       bool           `json:"error,omitempty"`
	Fault       bool           `json:"fault,omitempty"`
	SQL         *sqlData       `json:"sql,omitempty"`
	Annotations map[string]any `json:"annotations,omitempty"`
	Subsegments []subsegment   `json:"subsegments,omitempty"`
}

type sqlData struct {
	DatabaseType string `json:"database_type"`
}

// Span is a running part of an invocation: a statement or a call of a provider.
type Span struct {
	invocation *Invocation
	started    time.Time
	segment    subsegment
}

// StartStatement starts the span of a statement. Its name is recorded, its SQL text and values are not.
func StartStatement(ctx context.Context, name string) Span {
	return startSpan(ctx, subsegment{Name: name, SQL: &sqlData{DatabaseType: "PostgreSQL"}})
}

// StartProviderCall starts the span of a call to an embedding provider; remote is false for a
// provider in this process.
func StartProviderCall(ctx context.Context, model string, remote bool) Span {
	segment := subsegment{Name: cleanSegmentName("embed " + model)}
	if remote {
		segment.Namespace = "remote"
	}
	return startSpan(ctx, segment)
}

func startSpan(ctx context.Context, segment subsegment) Span {
	return Span{invocation: FromContext(ctx), started: time.Now(), segment: segment}
}

// End ends the span and returns its duration.
func (s Span) End(err error) time.Duration {
	took := time.Since(s.started)
	i := s.invocation
	if i == nil || !i.sendsTraces() {
		return took
	}
	s.segment.ID, s.segment.Fault = newSegmentID(), err != nil
	s.segment.Start = epochSeconds(s.started)
	s.segment.End = epochSeconds(s.started.Add(took))
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.ended && len(i.spans) < maxSpans {
		i.spans = append(i.spans, s.segment)
	}
	return took
}

// maxSpans bounds the spans kept until the invocation ends: a maintenance run may execute thousands
// of statements.
const maxSpans = 1000

func (i *Invocation) sendsTraces() bool {
	return i.trace.hasSampledParent() && i.telemetry != nil && i.telemetry.daemon != nil
}

// buildSegment returns the invocation as a subsegment of Lambda's segment, empty if it is not
// traced. The caller holds mu.
func (i *Invocation) buildSegment(status string) subsegment {
	if !i.sendsTraces() {
		return subsegment{}
	}
	annotations := map[string]any{
		"status":       status,
		"cache_hits":   i.collected.counterTotal(EmbeddingCacheHits),
		"cache_misses": i.collected.counterTotal(EmbeddingCacheMisses),
	}
	for _, p := range i.lineProperties() {
		if p.value != "" && p.name != "trace_id" {
			annotations[p.name] = p.value
		}
	}
	return subsegment{
		Name:        cleanSegmentName(i.call.Operation),
		ID:          newSegmentID(),
		TraceID:     i.trace.root,
		ParentID:    i.trace.parent,
		Type:        "subsegment",
		Start:       epochSeconds(i.started),
		End:         epochSeconds(time.Now()),
		Error:       status == Rejected,
		Fault:       status == Failure || status == Timeout,
		Annotations: annotations,
		Subsegments: i.spans,
	}
}

// maxDocument is the daemon's limit for a datagram, 64 KB, minus space for the header.
const maxDocument = 63 << 10

// sendSegment sends the segment with its subsegments, each in a separate datagram if they are too
// large for one.
func (i *Invocation) sendSegment(segment subsegment) {
	if segment.ID == "" {
		return
	}
	if document, err := json.Marshal(segment); err == nil && len(document) <= maxDocument {
		i.telemetry.daemon.sendDocument(document)
		return
	}
	parts := segment.Subsegments
	segment.Subsegments = nil
	for _, part := range append([]subsegment{segment}, parts...) {
		if part.ID != segment.ID {
			part.TraceID, part.ParentID, part.Type = segment.TraceID, segment.ID, "subsegment"
		}
		if document, err := json.Marshal(part); err == nil {
			i.telemetry.daemon.sendDocument(document)
		}
	}
}

// cleanSegmentName replaces what X-Ray does not allow in a name and cuts it to 200 characters.
// Allowed are letters, digits, white space and _.:/%&#=+\-@.
func cleanSegmentName(name string) string {
	clean := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(` _.:/%&#=+\-@`, r) {
			return r
		}
		return '_'
	}, name))
	return string(clean[:min(len(clean), 200)])
}

func newSegmentID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// epochSeconds returns seconds since 1970, with a fraction.
func epochSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
