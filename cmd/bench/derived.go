package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// benchDerived measures what writes pay for that which search and statistics keep up: the terms of signatures, the marks of days, and the
// indexes by signature and incident. The floor is a database without these. The vectors' index, which only a new signature touches, both have.
func benchDerived(ctx context.Context, e *env) (lines []line, err error) {
	var databases [2]*bulk
	for side, name := range []string{"bench_derived", "bench_derived_floor"} {
		b, err := newBulk(ctx, e, name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.close(ctx)) }()
		databases[side] = b
	}
	if err := databases[1].underive(ctx); err != nil {
		return nil, err
	}
	if lines, err = compareSingles(ctx, databases); err != nil {
		return lines, err
	}
	for _, l := range derivedLoads() {
		measured, err := compareLoads(ctx, databases, l)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", l.what, err)
		}
		lines = append(lines, measured)
	}
	return lines, nil
}

// underive drops what search and statistics keep up. The terms are still made and stored with the signature.
func (s *stand) underive(ctx context.Context) error {
	for _, sql := range []string{
		"DROP TRIGGER signature_terms ON signature",
		"DROP TRIGGER stats_mark_insert ON remediation_audit",
		"DROP TRIGGER stats_mark_update ON remediation_audit",
		"DROP INDEX signature_length, signature_analyzer, signature_incident, remediation_audit_signature",
	} {
		if err := s.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// derivedLine is one with the goal that throughput loses 15 % at most, if that is a goal.
func derivedLine(what, result, floor string, ratio float64, isGoal bool) line {
	l := line{what: "derived: " + what + "; floor: nothing kept up for search and statistics", result: result, floor: floor, ratio: ratio}
	if isGoal {
		l.goal = goal{least: 0.85}
	}
	return l
}

// compareSingles measures single writes of known incidents through the handlers.
func compareSingles(ctx context.Context, databases [2]*bulk) (lines []line, err error) {
	patterns, err := newPatterns()
	if err != nil {
		return nil, err
	}
	options := databases[0].options
	while := time.Duration(options.size(2000, 200)) * time.Millisecond
	for _, clients := range []int{1, clients} {
		var ways sides
		for side, b := range databases {
			w := &writing{stand: b.stand, patterns: patterns}
			w.serial.Store(int64(clients) * 1e9)
			ways[side] = func(ctx context.Context) (float64, error) {
				_, rate, err := w.byHandler(ctx, clients, while)
				return rate, err
			}
		}
		figures, err := alternate(ctx, options.rounds, ways)
		if err != nil {
			return lines, err
		}
		lines = append(lines, derivedLine("one known incident, "+plural(clients, "client"),
			fmt.Sprintf("%.0f/s", median(figures[0])), fmt.Sprintf("%.0f/s", median(figures[1])), ratio(figures), true))
	}
	return lines, nil
}

// derivedLoad is a bulk write that is measured.
type derivedLoad struct {
	what string
	of   func(b *bulk, n int) int
	// late leaves the vectors to the upkeep.
	late bool
	// times is how often it is written in each round.
	times  int
	isGoal bool
}

// derivedLoads: the goal is of throughput, and that consists of incidents that recur.
func derivedLoads() []derivedLoad {
	return []derivedLoad{
		{"signatures known", (*bulk).recurring, false, 5, true},
		{"1 signature in 100 new, with vectors (HNSW)", (*bulk).mostlyRecurring, false, 3, true},
		{"signatures all new, vectors later", (*bulk).fresh, true, 1, false},
		{"signatures all new, with vectors (HNSW)", (*bulk).fresh, false, 1, false},
	}
}

// mostlyRecurring has one new incident in a hundred.
func (b *bulk) mostlyRecurring(n int) int {
	if n%100 == 0 {
		return b.fresh(n)
	}
	return b.recurring(n)
}

func compareLoads(ctx context.Context, databases [2]*bulk, l derivedLoad) (line, error) {
	var ways sides
	for side, b := range databases {
		ways[side] = func(ctx context.Context) (float64, error) {
			loaded, err := b.newLoad(ctx, func(n int) int { return l.of(b, n) })
			if err != nil {
				return 0, err
			}
			if l.late {
				loaded.vectors, loaded.fresh = nil, nil
			}
			return b.timedWay(ctx, loaded, b.byAppend)
		}
	}
	options := databases[0].options
	figures, err := alternate(ctx, options.rounds*options.size(l.times, 1), ways)
	if err != nil {
		return line{}, err
	}
	records := options.bulkRecords()
	return derivedLine(fmt.Sprintf("%d records, %s", records, l.what),
		perSecond(records, figures[0]), perSecond(records, figures[1]), 1/ratio(figures), l.isGoal), nil
}
