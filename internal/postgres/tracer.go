package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// tracer reports every statement by its name. The store does not send pgx batches.
type tracer struct{}

// statementKey is the context key of the statement in progress.
type statementKey struct{}

type statement struct {
	name string
	span telemetry.Span
}

// TraceQueryStart starts the span of a statement.
func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if telemetry.FromContext(ctx) == nil {
		return ctx
	}
	name := statementName(data.SQL)
	return context.WithValue(ctx, statementKey{}, &statement{name: name, span: telemetry.StartStatement(ctx, name)})
}

// TraceQueryEnd ends the span, after the last row was read, and records the latency.
func (tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	traced, ok := ctx.Value(statementKey{}).(*statement)
	if !ok {
		return
	}
	took := traced.span.End(data.Err).Seconds()
	telemetry.Observe(ctx, telemetry.PostgresLatency, took)
	if isVectorStatement(traced.name) {
		telemetry.Observe(ctx, telemetry.VectorDBLatency, took)
	}
}

// statementName returns the name that sqlc writes before a statement, or the statement itself for
// begin, commit and rollback. It never returns other SQL.
func statementName(sql string) string {
	if rest, ok := strings.CutPrefix(sql, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	switch sql {
	case "begin", "commit", "rollback":
		return sql
	}
	return telemetry.Other
}

// timeVectors measures a write that stores vectors along with records, from now until the returned
// function is called.
func timeVectors(ctx context.Context, vectors []audit.ID) func() {
	started := time.Now()
	return func() {
		if len(vectors) > 0 {
			telemetry.Observe(ctx, telemetry.VectorDBLatency, time.Since(started).Seconds())
		}
	}
}

// isVectorStatement reports whether a statement reads or writes vectors only. timeVectors measures
// those that write vectors along with records.
func isVectorStatement(name string) bool {
	switch name {
	case "SearchNearest", "SearchCandidates", "SearchAlike",
		"SignatureStored", "SignaturePending", "EmbeddingGet", "EmbeddingInsert":
		return true
	}
	return false
}
