package telemetry

import (
	"context"
	"log/slog"
)

// Logger returns a logger that adds request_id, trace_id, operation, remediation_id and duration_ms
// (the time since the invocation began) to every line logged with an invocation's context. It
// returns nil for nil, and log itself if it already is such a logger.
func Logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return nil
	}
	if _, done := log.Handler().(handler); done {
		return log
	}
	return slog.New(handler{log.Handler()})
}

type handler struct{ slog.Handler }

// Handle adds the attributes, in the open group if there is one.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if i := FromContext(ctx); i != nil {
		record = record.Clone()
		record.AddAttrs(i.logAttributes()...)
	}
	return h.Handler.Handle(ctx, record)
}

func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attributes)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
