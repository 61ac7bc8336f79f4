package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// benchUpdate measures what the indexes of rare values cost (DD-STORAGE-010): bulk inserts, and bulk updates of the phase, which an index
// of open remediations keeps from being heap-only. The floor is a database without these indexes.
func benchUpdate(ctx context.Context, e *benchEnv) (lines []line, err error) {
	var databases [2]*bulkBench
	for side, name := range []string{"bench_update", "bench_update_floor"} {
		b, err := newBulkBench(ctx, e, name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.closeStand(ctx)) }()
		databases[side] = b
	}
	if err := databases[1].execAsSuperuser(ctx, "DROP INDEX remediation_audit_open, remediation_audit_severity, remediation_audit_environment"); err != nil {
		return nil, err
	}
	var updates [2][]float64
	side := func(n int) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			insert, update, err := databases[n].insertThenUpdate(ctx)
			updates[n] = append(updates[n], update)
			return insert, err
		}
	}
	inserts, err := measureAlternately(ctx, e.options.rounds, sides{side(0), side(1)})
	if err != nil {
		return nil, err
	}
	records := e.options.recordsPerBulk()
	return []line{newUpdateLine("inserts", records, inserts), newUpdateLine("updates of the phase", records, updates)}, nil
}

func newUpdateLine(what string, records int, figures [2][]float64) line {
	return line{
		what:   fmt.Sprintf("update: %s, %d at once; floor: without the indexes of rare values", what, records),
		result: formatRecordsPerSecond(records, figures[0]), floor: formatRecordsPerSecond(records, figures[1]), ratio: 1 / medianRatio(figures),
	}
}

// insertThenUpdate stores new remediations and updates their phase, and returns the seconds that each took.
func (b *bulkBench) insertThenUpdate(ctx context.Context) (insert, update float64, err error) {
	var begun, moved []audit.Entry
	loaded, err := b.prepareLoad(ctx, b.recurringIncident)
	if err != nil {
		return 0, 0, err
	}
	processing := audit.PhaseProcessing
	for _, e := range loaded.entries {
		r := *e.Record.(*audit.Remediation)
		r.Phase, r.Status, r.EndTime, r.DurationMS = audit.PhasePending, "pending", nil, nil
		for entries, record := range map[*[]audit.Entry]audit.Record{
			&begun: &r,
			&moved: &audit.Update{RemediationID: r.RemediationID, Phase: &processing},
		} {
			entry, err := audit.NewEntry(record, "bench", time.Now())
			if err != nil {
				return 0, 0, err
			}
			*entries = append(*entries, entry)
		}
	}
	if insert, err = timeSeconds(func() error { return b.appendEntries(ctx, begun) }); err != nil {
		return 0, 0, err
	}
	update, err = timeSeconds(func() error { return b.appendEntries(ctx, moved) })
	return insert, update, err
}
