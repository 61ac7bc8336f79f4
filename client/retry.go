package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often a request is sent, and how long to wait between two attempts.
//
// A request is sent again when the connection fails or breaks, when the answer is 429, 502, 503 or 504, and when it is a
// 500 that is not of the service's making: API Gateway answers so for a function that crashed. A 500 with problem details
// is the service's own word on this request and final.
//
// The wait before attempt n+1 is drawn evenly from 0 to BaseDelay·2ⁿ⁻¹, at most MaxDelay (full jitter, after Marc Brooker,
// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), on top of the answer's Retry-After. When the answer asks
// for more than MaxDelay, or the wait would outlast the context's deadline, the call ends at once with the last error:
// its RetryAfter tells the caller when to come back.
type RetryPolicy struct {
	// Attempts is how often a request is sent at most, the first time included; 1 means never again.
	Attempts int
	// BaseDelay bounds the first wait.
	BaseDelay time.Duration
	// MaxDelay bounds every wait.
	MaxDelay time.Duration
}

// DefaultRetry sends a request up to 4 times and waits up to 100 ms, 200 ms and 400 ms beside what the service asks for,
// at most 20 s (the largest backoff of the AWS SDKs).
func DefaultRetry() RetryPolicy {
	return RetryPolicy{Attempts: 4, BaseDelay: 100 * time.Millisecond, MaxDelay: 20 * time.Second}
}

func (p RetryPolicy) validate() error {
	switch {
	case p.Attempts < 1:
		return fmt.Errorf("%s is %d, and must be 1 or more", "Attempts", p.Attempts)
	case p.Attempts > 1 && p.BaseDelay <= 0:
		return fmt.Errorf("BaseDelay is %v, and must be positive", p.BaseDelay)
	case p.Attempts > 1 && p.MaxDelay < p.BaseDelay:
		return fmt.Errorf("MaxDelay is %v, less than BaseDelay %v", p.MaxDelay, p.BaseDelay)
	}
	return nil
}

// next is the wait after the nth attempt failed with err, or false when there is to be no further one.
func (p RetryPolicy) next(n int, err error) (time.Duration, bool) {
	if n >= p.Attempts || !passing(err) {
		return 0, false
	}
	var asked time.Duration
	if refusal, ok := errors.AsType[*Error](err); ok {
		asked = refusal.RetryAfter
	}
	return asked + rand.N(p.ceiling(n)+1), asked <= p.MaxDelay
}

func (p RetryPolicy) ceiling(n int) time.Duration {
	ceiling := p.BaseDelay
	for ; n > 1 && ceiling < p.MaxDelay; n-- {
		ceiling *= 2
	}
	return min(ceiling, p.MaxDelay)
}

// passing reports whether the same request may fare better later: any broken connection may, but not a certificate that
// does not verify.
func passing(err error) bool {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.passing()
	}
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !distrusted && !errors.Is(err, errLongAnswer)
}

// wait sleeps, and returns nil when it is time for the next attempt. Its error is last, together with the context's when
// that ended meanwhile.
func wait(ctx context.Context, pause time.Duration, last error) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return last
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w while waiting to send again after: %w", ctx.Err(), last)
	case <-timer.C:
		return nil
	}
}
