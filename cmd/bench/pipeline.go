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

// The statements of the other way to append: RemediationAppend cut at its commas.
var (
	//go:embed pipeline/1_signature.sql
	pipelineSignature string
	//go:embed pipeline/2_remediation.sql
	pipelineRemediation string
	//go:embed pipeline/3_event.sql
	pipelineEvent string
)

// benchAppend measures Store.Append, which writes by one statement of data-modifying CTEs, against a pipelined batch of statements
// in one transaction and one round trip: what docs/decisions/006-one-statement-append.md decides.
func benchAppend(ctx context.Context, e *env) (lines []line, err error) {
	b, err := newBulk(ctx, e, "bench_append")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close(ctx)) }()
	p, err := newPipeline(ctx, b)
	if err != nil {
		return nil, err
	}
	defer p.pool.Close()
	for _, c := range []struct{ clients, records, appends int }{
		{1, 1, e.options.size(2000, 100)}, {clients, 1, e.options.size(4000, 100)}, {1, e.options.bulkRecords(), 1},
	} {
		measured, err := b.compareWays(ctx, p, c.clients, c.records, c.appends)
		if err != nil {
			return lines, err
		}
		lines = append(lines, measured)
	}
	aged, err := b.compareAge(ctx)
	return append(lines, aged), err
}

// compareAge measures single writes into a journal of sixty months and more against one as it begins: each month is a partition.
func (b *bulk) compareAge(ctx context.Context) (l line, err error) {
	aged, err := newBulk(ctx, b.env, "bench_aged")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, aged.close(ctx)) }()
	if err := aged.exec(ctx, "SELECT audit_event_partitions_ahead(60)"); err != nil {
		return l, err
	}
	side := func(b *bulk) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			return b.appendAll(ctx, 1, 1, b.options.size(2000, 100), b.appendEntries)
		}
	}
	figures, err := alternate(ctx, b.options.rounds, sides{side(aged), side(b)})
	return line{
		what:   "append: a journal of 61 months against one of 4, 1 record a write, 1 client",
		result: fmt.Sprintf("%.0f records/s", median(figures[0])), floor: fmt.Sprintf("%.0f records/s", median(figures[1])),
		ratio: ratio(figures),
	}, err
}

// compareWays writes the same number of records in both ways.
func (b *bulk) compareWays(ctx context.Context, p *pipeline, clients, records, appends int) (line, error) {
	side := func(way func(context.Context, []audit.Entry) error) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return b.appendAll(ctx, clients, records, appends, way) }
	}
	figures, err := alternate(ctx, b.options.rounds, sides{
		side(func(ctx context.Context, batch []audit.Entry) error {
			_, err := b.byAppend(ctx, load{entries: batch})
			return err
		}),
		side(p.append),
	})
	if err != nil {
		return line{}, err
	}
	return line{
		what:   fmt.Sprintf("append: one statement against a pipeline, %s a write, %s", plural(records, "record"), plural(clients, "client")),
		result: fmt.Sprintf("%.0f records/s", median(figures[0])), floor: fmt.Sprintf("%.0f records/s", median(figures[1])),
		ratio: ratio(figures),
	}, nil
}

// appendAll lets clients write new entries about known incidents, and answers how many a second.
func (b *bulk) appendAll(
	ctx context.Context, clients, records, appends int, way func(context.Context, []audit.Entry) error,
) (float64, error) {
	made, err := entries("way", b.serial, records*appends, b.recurring)
	if err != nil {
		return 0, err
	}
	b.serial += len(made)
	var next atomic.Int64
	took, err := timed(func() error {
		_, _, err := drive(ctx, clients, time.Hour, func(ctx context.Context, _ int) error {
			n := int(next.Add(1)) - 1
			if n >= appends {
				return errDone
			}
			return way(ctx, made[n*records:(n+1)*records])
		})
		return err
	})
	if !errors.Is(err, errDone) {
		return 0, err
	}
	return float64(len(made)) / took, nil
}

var errDone = errors.New("done")

// pipeline appends by several statements that are sent together.
type pipeline struct {
	pool  *pgxpool.Pool
	model string
}

func newPipeline(ctx context.Context, b *bulk) (*pipeline, error) {
	config, err := pgxpool.ParseConfig(b.writerURL())
	if err != nil {
		return nil, err
	}
	config.MaxConns = clients
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &pipeline{pool: pool, model: b.embedder.Model().String()}, err
}

// append stores entries of new remediations about known incidents.
func (p *pipeline) append(ctx context.Context, batch []audit.Entry) error {
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
