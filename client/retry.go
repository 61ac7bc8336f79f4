package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// RetryPolicy sets how often a request is sent and how long the client waits between attempts.
//
// A request is retried if the connection fails or breaks, if the status is 429, 502, 503 or 504,
// and if it is a 500 without problem details, which API Gateway returns for a function that
// crashed. A 500 with problem details comes from the service itself and is not retried.
//
// The wait before attempt n+1 is drawn uniformly from 0 to BaseDelay·2ⁿ⁻¹, at most MaxDelay (full
// jitter, after Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), and
// added to the response's Retry-After. If Retry-After exceeds MaxDelay, or the wait would exceed
// the context's deadline, the call ends at once with the last error, whose RetryAfter is the wait
// before a retry.
type RetryPolicy struct {
	// Attempts is the largest number of attempts, including the first; 1 disables retries.
	Attempts int
	// BaseDelay bounds the first wait.
	BaseDelay time.Duration
	// MaxDelay bounds every wait.
	MaxDelay time.Duration
}

// DefaultRetry sends a request up to 4 times and waits up to 100 ms, 200 ms and 400 ms in addition
// to Retry-After, at most 20 s (the largest backoff of the AWS SDKs).
func DefaultRetry() RetryPolicy {
	return RetryPolicy{Attempts: 4, BaseDelay: 100 * time.Millisecond, MaxDelay: 20 * time.Second}
}

func (p RetryPolicy) validate() error {
	switch {
	case p.Attempts < 1:
		return fmt.Errorf("field Attempts must be at least 1, is %d", p.Attempts)
	case p.Attempts > 1 && p.BaseDelay <= 0:
		return fmt.Errorf("BaseDelay must be positive, is %v", p.BaseDelay)
	case p.Attempts > 1 && p.MaxDelay < p.BaseDelay:
		return fmt.Errorf("MaxDelay must not be less than BaseDelay %v, is %v", p.BaseDelay, p.MaxDelay)
	}
	return nil
}

// delayAfterAttempt returns the wait after the nth attempt failed with err, or false if there is no
// further attempt.
func (p RetryPolicy) delayAfterAttempt(n int, err error) (time.Duration, bool) {
	if n >= p.Attempts || !isTemporary(err) {
		return 0, false
	}
	var requested time.Duration
	if refusal, ok := errors.AsType[*Error](err); ok {
		requested = refusal.RetryAfter
	}
	return requested + rand.N(p.maxDelayAfterAttempt(n)+1), requested <= p.MaxDelay
}

func (p RetryPolicy) maxDelayAfterAttempt(n int) time.Duration {
	ceiling := p.BaseDelay
	for ; n > 1 && ceiling < p.MaxDelay; n-- {
		ceiling *= 2
	}
	return min(ceiling, p.MaxDelay)
}

// isTemporary reports whether a retry may succeed. A broken connection is temporary, a certificate
// that does not verify is not.
func isTemporary(err error) bool {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.isTemporary()
	}
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !distrusted && !errors.Is(err, errResponseTooLong)
}

// waitBeforeRetry sleeps and returns nil before the next attempt. Otherwise it returns last, joined
// with the context's error if the context ended.
func waitBeforeRetry(ctx context.Context, pause time.Duration, last error) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return last
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w while waiting to retry after: %w", ctx.Err(), last)
	case <-timer.C:
		return nil
	}
}
