package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// tracer reports every statement by its name. The store sends no pgx batches, so there is nothing else to trace.
type tracer struct{}

// underWay is the context's key of the statement that is.
type underWay struct{}

type statement struct {
	name string
	span telemetry.Span
}

// TraceQueryStart begins a statement.
func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if telemetry.FromContext(ctx) == nil {
		return ctx
	}
	name := statementName(data.SQL)
	return context.WithValue(ctx, underWay{}, &statement{name: name, span: telemetry.StartStatement(ctx, name)})
}

// TraceQueryEnd ends it, when its rows are read.
func (tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	of, ok := ctx.Value(underWay{}).(*statement)
	if !ok {
		return
	}
	took := of.span.End(data.Err).Seconds()
	telemetry.Observe(ctx, telemetry.PostgresLatency, took)
	if ofVectors(of.name) {
		telemetry.Observe(ctx, telemetry.VectorDBLatency, took)
	}
}

// statementName is the name that sqlc writes before a statement's text, or what a transaction's own statements are: begin, commit,
// rollback. The text of any other is not told.
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

// timeVectors times a write that stores vectors beside records, from now until the function it answers is called.
func timeVectors(ctx context.Context, vectors []audit.ID) func() {
	started := time.Now()
	return func() {
		if len(vectors) > 0 {
			telemetry.Observe(ctx, telemetry.VectorDBLatency, time.Since(started).Seconds())
		}
	}
}

// ofVectors reports whether a statement is about vectors alone; of those that store some beside records, timeVectors knows.
func ofVectors(name string) bool {
	switch name {
	case "SearchNearest", "SearchCandidates", "SearchAlike", "SignatureStored", "SignaturePending", "EmbeddingGet", "EmbeddingInsert":
		return true
	}
	return false
}
