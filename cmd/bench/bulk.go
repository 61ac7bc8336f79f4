package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	pgvectorpgx "github.com/pgvector/pgvector-go/pgx"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// recordsPerBulk returns the number of records of a bulk write.
func (o options) recordsPerBulk() int { return o.fullOrShort(1000, 100) }

// benchBulk measures bulk writes, by Store.Append and by a queue event through the handler, against COPY of the same rows into the same
// tables with their indexes, constraints and foreign keys.
func benchBulk(ctx context.Context, e *benchEnv) (lines []line, err error) {
	b, err := newBulkBench(ctx, e, "bench_bulk")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.closeStand(ctx)) }()
	for _, c := range []bulkCase{
		{"signatures known", b.recurringIncident, b.loadByAppend},
		{"an SQS event through the handler, signatures known", b.recurringIncident, b.loadByEvent},
		{"signatures all new, with vectors (HNSW)", b.newIncident, b.loadByAppend},
	} {
		measured, err := b.measureCase(ctx, c)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured)
	}
	return lines, nil
}

// bulkCase is one line of the table.
type bulkCase struct {
	what string
	// incidentOf maps a record's number to its incident.
	incidentOf func(n int) int
	// measure is the measured function.
	measure func(context.Context, load) (float64, error)
}

// bulkBench is a database with known incidents, a store on it, and a connection for the floor.
type bulkBench struct {
	*stand
	// known is the number of incidents stored beforehand.
	known    int
	store    *postgres.Store
	embedder *embedding.Embedder
	model    int16
	copier   *pgx.Conn
	serial   int
}

func newBulkBench(ctx context.Context, e *benchEnv, database string) (*bulkBench, error) {
	s, err := e.openStand(ctx, database)
	if err != nil {
		return nil, err
	}
	b := &bulkBench{stand: s, known: e.options.fullOrShort(1000, 200), embedder: s.functions.Models[0]}
	if err := b.recordIncidents(ctx, b.known); err != nil {
		return nil, err
	}
	if err := b.fillRemediations(ctx, e.options.fullOrShort(100_000, 1000)); err != nil {
		return nil, err
	}
	b.store, err = postgres.Open(ctx, postgres.Config{URL: s.writerURL(), MaxConns: clients, Model: b.embedder.Model().String()})
	if err != nil {
		return nil, err
	}
	if b.copier, err = pgx.Connect(ctx, s.writerURL()); err != nil {
		return nil, err
	}
	if err := pgvectorpgx.RegisterTypes(ctx, b.copier); err != nil {
		return nil, fmt.Errorf("register the types of vectors: %w", err)
	}
	model := b.embedder.Model().String()
	return b, b.copier.QueryRow(ctx, "SELECT id FROM embedding_model WHERE name = $1", model).Scan(&b.model)
}

func (b *bulkBench) closeStand(ctx context.Context) error {
	b.store.Close()
	return errors.Join(b.copier.Close(context.WithoutCancel(ctx)), b.closeAll(ctx))
}

// recurringIncident maps the nth record to a known incident, newIncident to a new one.
func (b *bulkBench) recurringIncident(n int) int { return n % b.known }
func (b *bulkBench) newIncident(n int) int       { return b.known + n }

func (b *bulkBench) measureCase(ctx context.Context, c bulkCase) (line, error) {
	figures, err := measureAlternately(ctx, b.options.rounds, sides{
		func(ctx context.Context) (float64, error) { return b.timeLoad(ctx, c.incidentOf, c.measure) },
		func(ctx context.Context) (float64, error) { return b.timeLoad(ctx, c.incidentOf, b.loadByCopy) },
	})
	if err != nil {
		return line{}, err
	}
	records := b.options.recordsPerBulk()
	return line{
		what:   fmt.Sprintf("bulk: %d records, %s", records, c.what),
		result: formatRecordsPerSecond(records, figures[0]), floor: formatRecordsPerSecond(records, figures[1]),
		ratio: 1 / medianRatio(figures), goal: goal{least: 0.5},
	}, nil
}

func formatRecordsPerSecond(records int, times []float64) string {
	return fmt.Sprintf("%.0f records/s", float64(records)/medianOf(times))
}

// load is one bulk write.
type load struct {
	entries []audit.Entry
	// event has the same records, in ten messages of the queue.
	event []byte
	// fresh are the signatures that are not stored, vectors their vectors.
	fresh   []audit.Signature
	vectors postgres.Vectors
}

func (b *bulkBench) prepareLoad(ctx context.Context, incidentOf func(int) int) (l load, err error) {
	records := b.options.recordsPerBulk()
	if l.entries, err = newJournalEntries("bulk", b.serial, records, incidentOf); err != nil {
		return l, err
	}
	if l.event, err = newQueueEvent("bulk", b.serial, records, incidentOf); err != nil {
		return l, err
	}
	b.serial += records
	signatures := make([]audit.Signature, len(l.entries))
	for i, entry := range l.entries {
		signatures[i] = entry.Signature
	}
	if l.vectors, err = b.embedder.Documents(ctx, signatures, b.store.SignaturesStored); err != nil {
		return l, err
	}
	for _, signature := range signatures {
		if l.vectors[signature.ID] != nil {
			l.fresh = append(l.fresh, signature)
		}
	}
	return l, nil
}

// timeLoad returns the seconds that measure took to store a new load, and checks that it was stored.
func (b *bulkBench) timeLoad(ctx context.Context, incidentOf func(int) int, measure func(context.Context, load) (float64, error)) (float64, error) {
	l, err := b.prepareLoad(ctx, incidentOf)
	if err != nil {
		return 0, err
	}
	return b.timePreparedLoad(ctx, l, measure)
}

// timePreparedLoad is timeLoad for a load that is already prepared.
func (b *bulkBench) timePreparedLoad(ctx context.Context, l load, measure func(context.Context, load) (float64, error)) (float64, error) {
	before, err := b.countRows(ctx)
	if err != nil {
		return 0, err
	}
	took, err := measure(ctx, l)
	if err != nil {
		return 0, err
	}
	after, err := b.countRows(ctx)
	want := before
	want.remediations += len(l.entries)
	want.events += len(l.entries)
	want.vectors += len(l.fresh)
	if err == nil && after != want {
		err = fmt.Errorf("the rows are %+v, want %+v", after, want)
	}
	return took, err
}

// countRows counts the rows of the tables that a load writes to.
type rows struct{ remediations, events, vectors int }

func (s *stand) countRows(ctx context.Context) (r rows, err error) {
	err = s.withSuperuser(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM remediation_audit), (SELECT count(*) FROM audit_event),
			(SELECT count(*) FROM embedding)`).Scan(&r.remediations, &r.events, &r.vectors)
	})
	return r, err
}

func (b *bulkBench) loadByAppend(ctx context.Context, l load) (float64, error) {
	return timeSeconds(func() error { return b.appendLoad(ctx, l) })
}

func (b *bulkBench) loadByEvent(ctx context.Context, l load) (float64, error) {
	return timeSeconds(func() error {
		response, err := b.writeFunction().Invoke(ctx, l.event)
		if err == nil && string(response) != `{"batchItemFailures":[]}` {
			err = fmt.Errorf("the response is %.300s", response)
		}
		return err
	})
}

func (b *bulkBench) appendLoad(ctx context.Context, l load) error {
	written, err := b.store.Append(ctx, l.entries, &postgres.AppendOptions{Vectors: l.vectors})
	for _, w := range written {
		err = errors.Join(err, w.Err)
	}
	return err
}

// appendEntries appends entries whose vectors are stored.
func (b *bulkBench) appendEntries(ctx context.Context, entries []audit.Entry) error {
	return b.appendLoad(ctx, load{entries: entries})
}

func (b *bulkBench) loadByCopy(ctx context.Context, l load) (float64, error) {
	copies := b.copyBatches(l)
	return timeSeconds(func() error {
		return pgx.BeginFunc(ctx, b.copier, func(tx pgx.Tx) error {
			for _, c := range copies {
				if _, err := tx.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromRows(c.rows)); err != nil {
					return fmt.Errorf("copy into %s: %w", c.table, err)
				}
			}
			return nil
		})
	})
}

// tableCopy is the COPY into one table.
type tableCopy struct {
	table   string
	columns []string
	rows    [][]any
}

// copyBatches returns the rows that Append would write for a load.
func (b *bulkBench) copyBatches(l load) []tableCopy {
	remediation := tableCopy{table: "remediation_audit", columns: []string{
		"remediation_id", "name", "namespace", "cluster_name", "environment", "severity", "alert_fingerprint", "action_type",
		"target_resource", "phase", "status", "start_time", "end_time", "duration_ms", "error_message", "workflow_yaml", "metadata",
		"signature_id", "actor", "event_id", "created_at", "updated_at",
	}}
	event := tableCopy{table: "audit_event", columns: []string{
		"event_id", "recorded_at", "kind", "remediation_id", "actor", "canonical", "content_hash", "embedding",
	}}
	for _, e := range l.entries {
		r := e.Record.(*audit.Remediation)
		remediation.rows = append(remediation.rows, []any{
			r.RemediationID, r.Name, r.Namespace, r.ClusterName, (*string)(r.Environment), string(r.Severity), r.AlertFingerprint,
			r.ActionType, r.TargetResource, string(r.Phase), string(r.Status), r.StartTime, r.EndTime, r.DurationMS, r.ErrorMessage,
			r.WorkflowYAML, []byte(r.Metadata), e.Signature.ID, e.Actor, e.EventID, e.RecordedAt, e.RecordedAt,
		})
		event.rows = append(event.rows, []any{
			e.EventID, e.RecordedAt, string(e.Kind), e.RemediationID, e.Actor, e.Canonical(), e.ContentHash[:], "stored",
		})
	}
	if len(l.fresh) == 0 {
		return []tableCopy{remediation, event}
	}
	return append(vectorCopies(b.model, l.fresh, l.vectors), remediation, event)
}
