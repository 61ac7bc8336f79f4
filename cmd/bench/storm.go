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
// incidents in turn.
func benchStorm(ctx context.Context, e *benchEnv) (lines []line, err error) {
	s, err := e.openStand(ctx, "bench_storm")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.closeAll(ctx)) }()
	incidents := e.options.fullOrShort(1000*stormWriters, recurring)
	if err := s.fillWithCorpus(ctx, corpus{incidents, 10 * incidents, time.Minute}); err != nil {
		return nil, err
	}
	second, err := s.newFunctions(ctx, func(url string) string { return url })
	if err != nil {
		return nil, err
	}
	defer second.Close()
	b := &stormBench{stand: s, functions: [2]lambda.Handler{s.writeFunction(), second.Handlers["WriteFunction"]}}
	for k := range incidents {
		p, err := newEventPattern(k)
		if err != nil {
			return nil, err
		}
		b.patterns = append(b.patterns, p)
	}
	figures, err := measureAlternately(ctx, e.options.rounds, sides{b.writeIncidents(1), b.writeIncidents(incidents)})
	if err != nil {
		return nil, err
	}
	return []line{{
		what:   fmt.Sprintf("storm: %d writers of one incident; floor: of %d incidents", stormWriters, incidents),
		result: fmt.Sprintf("%.0f/s", medianOf(figures[0])), floor: fmt.Sprintf("%.0f/s", medianOf(figures[1])),
		ratio: medianRatio(figures), goal: goal{least: 0.95},
	}}, b.checkKnown(ctx, incidents)
}

// stormBench is a database with known incidents, and two functions that write to it.
type stormBench struct {
	*stand
	functions [2]lambda.Handler
	patterns  []eventPattern
	serial    atomic.Int64
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
	if err == nil && (have.vectors != incidents || have.remediations != 10*incidents+int(b.serial.Load())) {
		err = fmt.Errorf("%+v are stored after %d writes of %d incidents", have, b.serial.Load(), incidents)
	}
	return err
}
