package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// sides are the two alternating measurements, the result first and the floor second.
type sides [2]func(context.Context) (float64, error)

// measureAlternately runs both sides once in each round and reverses their order from round to round, so that other load on the machine
// affects both alike. It returns the figures of each side.
func measureAlternately(ctx context.Context, rounds int, s sides) (figures [2][]float64, err error) {
	measured, err := measureInTurn(ctx, rounds, s[:])
	return [2][]float64(measured), err
}

// measureInTurn is measureAlternately for any number of sides: each round begins with the next side.
func measureInTurn(ctx context.Context, rounds int, sides []func(context.Context) (float64, error)) ([][]float64, error) {
	figures := make([][]float64, len(sides))
	for round := range rounds {
		for turn := range sides {
			side := (round + turn) % len(sides)
			figure, err := sides[side](ctx)
			if err != nil {
				return figures, err
			}
			figures[side] = append(figures[side], figure)
		}
	}
	return figures, nil
}

// medianRatio returns the median of the rounds' ratios, since the two figures of a round were measured in immediate succession.
func medianRatio(figures [2][]float64) float64 {
	ratios := make([]float64, len(figures[0]))
	for i := range ratios {
		ratios[i] = figures[0][i] / figures[1][i]
	}
	return medianOf(ratios)
}

func medianOf(figures []float64) float64 { return quantileOf(figures, 0.5) }

// quantileOf returns the q-quantile of the figures, interpolated linearly between two ranks.
func quantileOf(figures []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// driveClients has each client call do repeatedly for the duration, and returns the number of successful calls and their rate per second. The
// first failure ends it.
func driveClients(ctx context.Context, clients int, duration time.Duration, do func(ctx context.Context, client int) error) (int, float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var group sync.WaitGroup
	started := time.Now()
	for client := range clients {
		group.Go(func() {
			for time.Since(started) < duration && ctx.Err() == nil {
				if err := do(ctx, client); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return int(done.Load()), float64(done.Load()) / time.Since(started).Seconds(), context.Cause(ctx)
}

// shareTasks distributes tasks among clients, each of which takes the next one when it is done, and returns the seconds of each task.
func shareTasks[T any](ctx context.Context, clients int, tasks []T, do func(ctx context.Context, client int, task T) error) ([]float64, error) {
	took := make([]float64, len(tasks))
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for client := range clients {
		group.Go(func() error {
			for n := int(next.Add(1)) - 1; n < len(tasks); n = int(next.Add(1)) - 1 {
				var err error
				if took[n], err = timeSeconds(func() error { return do(ctx, client, tasks[n]) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return took, group.Wait()
}

// timeSeconds returns how long do took, in seconds.
func timeSeconds(do func() error) (float64, error) {
	started := time.Now()
	err := do()
	return time.Since(started).Seconds(), err
}
