package telemetry

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-xray-sdk-go/v2/xray"
)

// Span is a running part of an invocation: a statement or a call of a provider.
type Span struct {
	invocation *Invocation
	started    time.Time
	segment    *xray.Segment // nil if the invocation is not traced
}

// StartStatement starts the span of a statement. Its name is recorded, its SQL text and values are not.
func StartStatement(ctx context.Context, name string) Span {
	span := startSpan(ctx, name)
	if span.segment != nil {
		span.segment.Lock()
		span.segment.GetSQL().DatabaseType = "PostgreSQL"
		span.segment.Unlock()
	}
	return span
}

// StartProviderCall starts the span of a call to an embedding provider; remote is false for a
// provider in this process.
func StartProviderCall(ctx context.Context, model string, remote bool) Span {
	span := startSpan(ctx, "embed "+model)
	if span.segment != nil && remote {
		span.segment.Lock()
		span.segment.Namespace = "remote"
		span.segment.Unlock()
	}
	return span
}

func startSpan(ctx context.Context, name string) Span {
	i := FromContext(ctx)
	return Span{invocation: i, started: time.Now(), segment: i.beginSpan(name)}
}

// End ends the span and returns its duration.
func (s Span) End(err error) time.Duration {
	took := time.Since(s.started)
	if s.segment != nil {
		s.invocation.endSpan(s.segment, err != nil)
	}
	return took
}

// beginSpan returns nil if the invocation is not traced or has ended.
func (i *Invocation) beginSpan(name string) *xray.Segment {
	if i == nil || !i.traced {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return nil
	}
	return i.segment.beginSpan(cleanSegmentName(name))
}

func (i *Invocation) endSpan(span *xray.Segment, failed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.ended {
		i.segment.endSpan(span, failed)
	}
}

// maxSegmentName is X-Ray's limit for a name in characters, which the SDK applies to bytes.
const maxSegmentName = 200

// cleanSegmentName replaces what X-Ray does not allow in a name and cuts it to 200 bytes of whole
// characters. Allowed are letters, digits, white space and _.:/%&#=+\-@.
func cleanSegmentName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(` _.:/%&#=+\-@`, r) {
			return r
		}
		return '_'
	}, name)
	end := min(len(clean), maxSegmentName)
	for end < len(clean) && !utf8.RuneStart(clean[end]) {
		end--
	}
	return clean[:end]
}
