package embedding

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// call asks the provider for vectors, again after passing failures while attempts and time last. The error is a *failure.
func (e *Embedder) call(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	var last *failure
	vectors, err := backoff.Retry(ctx, func() ([][]float32, error) {
		vectors, err := e.attempt(ctx, texts, input)
		if err == nil {
			return vectors, nil
		}
		last = classified(err)
		return nil, retry(ctx, last)
	}, backoff.WithBackOff(e.fullJitter()), backoff.WithMaxTries(uint(e.cfg.Attempts)), backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		return vectors, nil
	case last.passing && ctx.Err() != nil:
		return nil, gaveUp(ctx, last)
	}
	return nil, last
}

// attempt makes one call, when a slot is free.
func (e *Embedder) attempt(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	if err := e.slots.Acquire(ctx, 1); err != nil {
		return nil, unavailable("wait for a free slot", err)
	}
	defer e.slots.Release(1)
	ctx, cancel := context.WithTimeout(ctx, e.cfg.callTimeout())
	defer cancel()
	e.calls.Add(1)
	span := telemetry.StartProviderCall(ctx, e.name, !e.model.Hashed())
	vectors, err := e.provider.Embed(ctx, texts, input)
	if err == nil {
		err = checkVectors(vectors, len(texts), e.model)
	}
	span.End(err)
	if err != nil {
		e.failures.Add(1)
		return nil, err
	}
	return vectors, nil
}

// retry says to package backoff what to do about a failure: stop, wait as the service asked, or wait as it sees fit.
func retry(ctx context.Context, f *failure) error {
	deadline, bounded := ctx.Deadline()
	if !f.passing || bounded && time.Until(deadline) < f.after {
		return backoff.Permanent(f)
	}
	if f.after > 0 {
		return errors.Join(f, &backoff.RetryAfterError{Duration: f.after})
	}
	return f
}

// fullJitter waits a random time between nothing and a bound that doubles from RetryBase to RetryMax. Package backoff draws
// from its interval ± RandomizationFactor: with a factor of 1, from nothing to twice the interval.
func (e *Embedder) fullJitter() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     e.cfg.RetryBase / 2,
		RandomizationFactor: 1,
		Multiplier:          2,
		MaxInterval:         e.cfg.RetryMax / 2,
	}
}
