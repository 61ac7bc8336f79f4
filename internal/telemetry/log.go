package telemetry

import (
	"context"
	"log/slog"
)

// Logger is log with what identifies the invocation on every line that is written under its context: request_id, trace_id, operation,
// remediation_id, and duration_ms, the time since it began. Nil stays nil, and a logger of this kind is returned as it is.
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

// Handle adds the attributes; inside an open group they belong to the group.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	if i := From(ctx); i != nil {
		record = record.Clone()
		record.AddAttrs(i.attributes()...)
	}
	return h.Handler.Handle(ctx, record)
}

func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attributes)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
