package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// stormWriters is the number of concurrent writers in an alert storm: two functions, each with as many connections as clients.
const stormWriters = 2 * clients

// benchStorm measures single writes of concurrent writers that all record the same incident, beside the same number of writers that record
// many incidents in turn: 1,000, and 16,000, which are more than the functions remember to have stored the vectors of.
func benchStorm(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openStand(ctx, "bench_storm")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	incidents := e.options.fullOrShort(1000*stormWriters, recurring)
	if err := s.fillWithCorpus(ctx, corpus{incidents, incidents, time.Minute}); err != nil {
		return nil, err
	}
	second, err := s.newFunctions(ctx, func(url string) string { return url })
	if err != nil {
		return nil, err
	}
	defer second.Close()
	b := &stormBench{stand: s, functions: [2]lambda.Handler{s.writeFunction(), second.Handlers["WriteFunction"]}}
	if err := b.introduceIncidents(ctx, incidents); err != nil {
		return nil, err
	}
	for _, others := range []int{incidents / stormWriters, incidents} {
		figures, err := measureAlternately(ctx, e.options.rounds, sides{b.writeIncidents(1), b.writeIncidents(others)})
		if err != nil {
			return lines, err
		}
		lines = append(lines, line{
			what:   fmt.Sprintf("storm: %d writers of one incident; floor: of %d incidents", stormWriters, others),
			result: fmt.Sprintf("%.0f/s", medianOf(figures[0])), floor: fmt.Sprintf("%.0f/s", medianOf(figures[1])),
			ratio: medianRatio(figures), goal: goal{least: 0.95},
		})
	}
	return lines, b.checkKnown(ctx, incidents)
}

// stormBench is a database with known incidents, and two functions that write to it.
type stormBench struct {
	*stand
	functions [2]lambda.Handler
	patterns  []eventPattern
	serial    atomic.Int64
}

// introduceIncidents writes one remediation of each of the first count incidents through each function, which does more for an incident
// that it has not seen.
func (b *stormBench) introduceIncidents(ctx context.Context, count int) error {
	for k := range count {
		p, err := newEventPattern(k)
		if err != nil {
			return err
		}
		b.patterns = append(b.patterns, p)
	}
	for i, function := range b.functions {
		for first := 0; first < count; first += 500 {
			request, err := newBatchEvent(fmt.Sprint("introduced-", i), first, min(500, count-first), func(n int) int { return n })
			if err != nil {
				return err
			}
			if err := invokeExpecting(ctx, function, request, 200); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeIncidents writes remediations of the first count incidents in turn, and returns the writes per second.
func (b *stormBench) writeIncidents(count int) func(context.Context) (float64, error) {
	while := time.Duration(b.options.fullOrShort(6000, 200)) * time.Millisecond
	return func(ctx context.Context) (float64, error) {
		_, rate, err := driveClients(ctx, stormWriters, while, func(ctx context.Context, client int) error {
			n := b.serial.Add(1)
			request := b.patterns[int(n)%count].eventWithID(fmt.Sprintf("storm-%012d", n))
			return invokeExpecting(ctx, b.functions[client%2], request, 201)
		})
		return rate, err
	}
}

// checkKnown returns an error if the writers recorded other incidents than the known ones.
func (b *stormBench) checkKnown(ctx context.Context, incidents int) error {
	have, err := b.countRows(ctx)
	written := len(b.functions)*incidents + int(b.serial.Load())
	if err == nil && (have.vectors != incidents || have.events != written) {
		err = fmt.Errorf("%+v are stored after %d writes of %d incidents", have, written, incidents)
	}
	return err
}
