package telemetry

import (
	"context"
	"slices"

	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// Limits of an invocation's spans.
const (
	// maxSpansInDocument is how many spans are sent together with their invocation. The daemon accepts datagrams
	// of 64 KB; TestLargestDocument sends spans with the longest names.
	maxSpansInDocument = 40
	// maxSpans is how many spans are sent at all: a maintenance run may execute thousands of statements, and X-Ray limits the size of a trace.
	maxSpans = 1000
)

// segment is the invocation's part of a trace, of segments of the X-Ray SDK. Its invocation guards it.
type segment struct {
	// own is the invocation as a subsegment of Lambda's segment, nil if the invocation is not traced.
	own *xray.Segment
	// parent is a context with only own, the parent of the spans. In a context with a trace header, the SDK would parse it for each span.
	parent context.Context
	// open are the spans that have not ended.
	open []*xray.Segment
	// ended is the number of spans that have ended.
	ended int
}

// beginSegment begins the part of a sampled trace; of others, the SDK sees nothing.
func (t *Telemetry) beginSegment(operation string, in trace) segment {
	if t == nil || t.tracing == nil || !in.hasSampledParent() {
		return segment{}
	}
	ctx := context.WithValue(context.Background(), xray.RecorderContextKey{}, t.tracing)
	ctx = context.WithValue(ctx, xray.LambdaTraceHeaderKey, in.header()) //nolint:staticcheck // the SDK's key is a string
	ctx, own := xray.BeginSubsegment(ctx, cleanSegmentName(operation))
	return segment{own: own, parent: xray.DetachContext(ctx)}
}

// beginSpan returns nil if the invocation is not traced.
func (s *segment) beginSpan(name string) *xray.Segment {
	if s.own == nil {
		return nil
	}
	_, span := xray.BeginSubsegment(s.parent, name)
	if span != nil {
		s.open = append(s.open, span)
	}
	return span
}

// endSpan keeps the first spans for the invocation's document, sends the next ones on their own, and drops the
// rest. The SDK would record the text of an error, which can quote what was sent, so it receives none.
func (s *segment) endSpan(span *xray.Segment, failed bool) {
	s.open = slices.DeleteFunc(s.open, func(open *xray.Segment) bool { return open == span })
	s.ended++
	span.Lock()
	span.Fault = failed
	span.Unlock()
	switch {
	case s.ended <= maxSpansInDocument:
		span.Close(nil)
	case s.ended <= maxSpans:
		span.CloseAndStream(nil)
	default:
		s.own.RemoveSubsegment(span)
	}
}

// dropOpenSpans removes the spans that have not ended. The SDK would wait for them before it sends the
// invocation, until the next invocation or, in a frozen sandbox, for ever.
func (s *segment) dropOpenSpans() {
	for _, span := range s.open {
		s.own.RemoveSubsegment(span)
	}
	s.open = nil
}

// describe sets the status and the annotations of the invocation.
func (s *segment) describe(status string, annotations map[string]any) {
	for name, value := range annotations {
		_ = s.own.AddAnnotation(name, value) // fails for types that are none of numbers, strings and booleans
	}
	s.own.Lock()
	defer s.own.Unlock()
	s.own.Error = status == Rejected
	s.own.Fault = status == Failure || status == Timeout
}
