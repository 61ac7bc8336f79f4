package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// The statements of the pipeline: RemediationAppend cut at its commas.
var (
	//go:embed pipeline/1_signature.sql
	pipelineSignature string
	//go:embed pipeline/2_remediation.sql
	pipelineRemediation string
	//go:embed pipeline/3_event.sql
	pipelineEvent string
)

// benchAppend measures Store.Append, which writes by one statement of data-modifying CTEs, against a pipelined batch of statements
// in one transaction and one round trip, for docs/decisions/006-one-statement-append.md.
func benchAppend(ctx context.Context, e *benchEnv) (lines []line, err error) {
	b, err := newBulkBench(ctx, e, "bench_append")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.closeStand(ctx)) }()
	p, err := newPipeline(ctx, b)
	if err != nil {
		return nil, err
	}
	defer p.pool.Close()
	for _, c := range []struct{ clients, records, appends int }{
		{1, 1, e.options.fullOrShort(2000, 100)}, {clients, 1, e.options.fullOrShort(4000, 100)}, {1, e.options.recordsPerBulk(), 1},
	} {
		measured, err := b.compareWithPipeline(ctx, p, c.clients, c.records, c.appends)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured)
	}
	aged, err := b.compareJournalAges(ctx)
	return append(lines, aged), err
}

// compareJournalAges measures single writes into a journal of more than sixty months, each a partition, against a new journal.
func (b *bulkBench) compareJournalAges(ctx context.Context) (l line, err error) {
	aged, err := newBulkBench(ctx, b.benchEnv, "bench_aged")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, aged.closeStand(ctx)) }()
	if err := aged.execAsSuperuser(ctx, "SELECT audit_event_partitions_ahead(60)"); err != nil {
		return l, err
	}
	side := func(b *bulkBench) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			return b.appendConcurrently(ctx, 1, 1, b.options.fullOrShort(2000, 100), b.appendEntries)
		}
	}
	figures, err := measureAlternately(ctx, b.options.rounds, sides{side(aged), side(b)})
	return line{
		what:   "append: a journal of 61 months against one of 4, 1 record a write, 1 client",
		result: fmt.Sprintf("%.0f records/s", medianOf(figures[0])), floor: fmt.Sprintf("%.0f records/s", medianOf(figures[1])),
		ratio: medianRatio(figures),
	}, err
}

// compareWithPipeline writes the same number of records both ways.
func (b *bulkBench) compareWithPipeline(ctx context.Context, p *pipeline, clients, records, appends int) (line, error) {
	side := func(appendEntries func(context.Context, []audit.Entry) error) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			return b.appendConcurrently(ctx, clients, records, appends, appendEntries)
		}
	}
	figures, err := measureAlternately(ctx, b.options.rounds, sides{
		side(func(ctx context.Context, batch []audit.Entry) error {
			_, err := b.loadByAppend(ctx, load{entries: batch})
			return err
		}),
		side(p.appendBatch),
	})
	if err != nil {
		return line{}, err
	}
	return line{
		what:   fmt.Sprintf("append: one statement against a pipeline, %s a write, %s", pluralize(records, "record"), pluralize(clients, "client")),
		result: fmt.Sprintf("%.0f records/s", medianOf(figures[0])), floor: fmt.Sprintf("%.0f records/s", medianOf(figures[1])),
		ratio: medianRatio(figures),
	}, nil
}

// appendConcurrently writes new entries about known incidents from several clients, and returns the entries per second.
func (b *bulkBench) appendConcurrently(
	ctx context.Context, clients, records, appends int, appendEntries func(context.Context, []audit.Entry) error,
) (float64, error) {
	made, err := newJournalEntries("way", b.serial, records*appends, b.recurringIncident)
	if err != nil {
		return 0, err
	}
	b.serial += len(made)
	var next atomic.Int64
	took, err := timeSeconds(func() error {
		_, _, err := driveClients(ctx, clients, time.Hour, func(ctx context.Context, _ int) error {
			n := int(next.Add(1)) - 1
			if n >= appends {
				return errDone
			}
			return appendEntries(ctx, made[n*records:(n+1)*records])
		})
		return err
	})
	if !errors.Is(err, errDone) {
		return 0, err
	}
	return float64(len(made)) / took, nil
}

var errDone = errors.New("done")

// pipeline appends by several statements sent as one batch.
type pipeline struct {
	pool  *pgxpool.Pool
	model string
}

func newPipeline(ctx context.Context, b *bulkBench) (*pipeline, error) {
	config, err := pgxpool.ParseConfig(b.writerURL())
	if err != nil {
		return nil, err
	}
	config.MaxConns = clients
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &pipeline{pool: pool, model: b.embedder.Model().String()}, err
}

// appendBatch stores entries of new remediations about known incidents.
func (p *pipeline) appendBatch(ctx context.Context, batch []audit.Entry) error {
	var ids, signatures []audit.ID
	var remediations, metadata, texts []string
	var canonical, hashes [][]byte
	for _, entry := range batch {
		ids, remediations = append(ids, entry.EventID), append(remediations, entry.RemediationID)
		signatures, texts = append(signatures, entry.Signature.ID), append(texts, entry.Signature.Text)
		canonical, hashes = append(canonical, entry.Canonical()), append(hashes, entry.ContentHash[:])
		metadata = append(metadata, string(entry.Metadata))
	}
	var statements pgx.Batch
	statements.Queue(pipelineSignature, signatures, texts, signature.Version)
	statements.Queue(pipelineRemediation, canonical, metadata, signatures)
	written := 0
	statements.Queue(pipelineEvent, ids, remediations, canonical, hashes, p.model, signatures).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			written++
		}
		return rows.Err()
	})
	if err := p.pool.SendBatch(ctx, &statements).Close(); err != nil {
		return err
	}
	if written != len(batch) {
		return fmt.Errorf("the pipeline wrote %d of %d entries", written, len(batch))
	}
	return nil
}
