package embedding

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// callWithRetries calls the provider, and retries transient failures within the policy. The error
// is a *failure.
func (e *Embedder) callWithRetries(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	var last *failure
	vectors, err := backoff.Retry(ctx, func() ([][]float32, error) {
		vectors, err := e.callOnce(ctx, texts, input)
		if err == nil {
			return vectors, nil
		}
		last = classifyError(err)
		return nil, retryDecision(ctx, last)
	}, backoff.WithBackOff(e.fullJitterBackOff()), backoff.WithMaxTries(uint(e.cfg.Attempts)),
		backoff.WithMaxElapsedTime(0))
	switch {
	case err == nil:
		return vectors, nil
	case last.transient && ctx.Err() != nil:
		return nil, contextFailure(ctx, last)
	}
	return nil, last
}

// callOnce waits for a free slot and makes one call.
func (e *Embedder) callOnce(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	if err := e.slots.Acquire(ctx, 1); err != nil {
		return nil, unavailableFailure("wait for a free slot", err)
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

// retryDecision wraps a failure for package backoff, which then stops, waits as long as the service
// requests, or waits by its own rule.
func retryDecision(ctx context.Context, f *failure) error {
	deadline, bounded := ctx.Deadline()
	if !f.transient || bounded && time.Until(deadline) < f.retryAfter {
		return backoff.Permanent(f)
	}
	if f.retryAfter > 0 {
		return errors.Join(f, &backoff.RetryAfterError{Duration: f.retryAfter})
	}
	return f
}

// fullJitterBackOff waits for a random time below a bound that doubles from RetryBase to RetryMax.
// Package backoff draws from its interval ± RandomizationFactor: with a factor of 1, from zero to
// twice the interval.
func (e *Embedder) fullJitterBackOff() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     e.cfg.RetryBase / 2,
		RandomizationFactor: 1,
		Multiplier:          2,
		MaxInterval:         e.cfg.RetryMax / 2,
	}
}
