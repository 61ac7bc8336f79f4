package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// benchDerived measures what the derived rows of search and statistics cost a write: the terms of signatures, the counts of outcomes and statistics, and the indexes
// by signature and incident. The floor is a database without these. Both sides have the index of vectors, which only a new signature touches.
func benchDerived(ctx context.Context, e *benchEnv) (lines []line, err error) {
	var databases [2]*bulkBench
	for side, name := range []string{"bench_derived", "bench_derived_floor"} {
		b, err := newBulkBench(ctx, e, name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.closeStand(ctx)) }()
		databases[side] = b
	}
	if err := databases[1].dropDerivedRows(ctx); err != nil {
		return nil, err
	}
	if lines, err = compareSingleWrites(ctx, databases); err != nil {
		return lines, err
	}
	for _, l := range derivedLoads() {
		measured, err := compareDerivedLoads(ctx, databases, l)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", l.what, err)
		}
		lines = append(lines, measured)
	}
	return lines, nil
}

// dropDerivedRows drops the derived rows of search and statistics. The terms are still made and stored with the signature.
func (s *stand) dropDerivedRows(ctx context.Context) error {
	for _, sql := range []string{
		"DROP TRIGGER signature_terms ON signature",
		"DROP TRIGGER outcome_changed_insert ON remediation_audit",
		"DROP TRIGGER outcome_changed_update ON remediation_audit",
		"DROP INDEX signature_length, signature_analyzer, signature_incident, remediation_audit_signature, remediation_audit_target_signature, " +
			"remediation_audit_fingerprint_signature",
	} {
		if err := s.execAsSuperuser(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// newDerivedLine returns a line; if isGoal, its goal is that throughput loses at most 15 %.
func newDerivedLine(what, result, floor string, ratio float64, isGoal bool) line {
	l := line{what: "derived: " + what + "; floor: nothing kept up for search and statistics", result: result, floor: floor, ratio: ratio}
	if isGoal {
		l.goal = goal{least: 0.85}
	}
	return l
}

// compareSingleWrites measures single writes of known incidents through the handlers.
func compareSingleWrites(ctx context.Context, databases [2]*bulkBench) (lines []line, err error) {
	patterns, err := newEventPatterns()
	if err != nil {
		return nil, err
	}
	options := databases[0].options
	while := time.Duration(options.fullOrShort(2000, 200)) * time.Millisecond
	for _, clients := range []int{1, clients} {
		var ways sides
		for side, b := range databases {
			w := &writeBench{stand: b.stand, patterns: patterns}
			w.serial.Store(int64(clients) * 1e9)
			ways[side] = func(ctx context.Context) (float64, error) {
				_, rate, err := w.writeByHandler(ctx, clients, while)
				return rate, err
			}
		}
		figures, err := measureAlternately(ctx, options.rounds, ways)
		if err != nil {
			return lines, err
		}
		lines = append(lines, newDerivedLine("one known incident, "+pluralize(clients, "client"),
			fmt.Sprintf("%.0f/s", medianOf(figures[0])), fmt.Sprintf("%.0f/s", medianOf(figures[1])), medianRatio(figures), true))
	}
	return lines, nil
}

// derivedLoad is a bulk write that is measured.
type derivedLoad struct {
	what string
	of   func(b *bulkBench, n int) int
	// late writes signatures without vectors, as if the maintenance run made them later.
	late bool
	// times is the number of writes in each round.
	times  int
	isGoal bool
}

// derivedLoads lists the loads. Only those with recurring incidents have a goal.
func derivedLoads() []derivedLoad {
	return []derivedLoad{
		{"signatures known", (*bulkBench).recurringIncident, false, 5, true},
		{"1 signature in 100 new, with vectors (HNSW)", (*bulkBench).mostlyRecurring, false, 3, true},
		{"signatures all new, vectors later", (*bulkBench).newIncident, true, 1, false},
		{"signatures all new, with vectors (HNSW)", (*bulkBench).newIncident, false, 1, false},
	}
}

// mostlyRecurring maps one record in a hundred to a new incident.
func (b *bulkBench) mostlyRecurring(n int) int {
	if n%100 == 0 {
		return b.newIncident(n)
	}
	return b.recurringIncident(n)
}

func compareDerivedLoads(ctx context.Context, databases [2]*bulkBench, l derivedLoad) (line, error) {
	var ways sides
	for side, b := range databases {
		ways[side] = func(ctx context.Context) (float64, error) {
			loaded, err := b.prepareLoad(ctx, func(n int) int { return l.of(b, n) })
			if err != nil {
				return 0, err
			}
			if l.late {
				loaded.vectors, loaded.fresh = nil, nil
			}
			return b.timePreparedLoad(ctx, loaded, b.loadByAppend)
		}
	}
	options := databases[0].options
	figures, err := measureAlternately(ctx, options.rounds*options.fullOrShort(l.times, 1), ways)
	if err != nil {
		return line{}, err
	}
	records := options.recordsPerBulk()
	return newDerivedLine(fmt.Sprintf("%d records, %s", records, l.what),
		formatRecordsPerSecond(records, figures[0]), formatRecordsPerSecond(records, figures[1]), 1/medianRatio(figures), l.isGoal), nil
}
