package embedding

import (
	"errors"
	"time"
)

// The ranges of the policy that the settings choose.
const (
	minDeadline = time.Millisecond
	maxDeadline = 15 * time.Minute
	maxInFlight = 1_000
)

// policy is what an Embedder keeps to.
type policy struct {
	// Deadline bounds one call of Documents or Query altogether: look-up, waiting for a free slot, calls, retries and the waits
	// between them; the context may end it sooner. 1 ms to 15 min. Default 2 s, so that a write answers in time without its
	// vector; work that nobody waits for wants more.
	Deadline time.Duration
	// CallTimeout bounds one call of the provider. Up to 15 min; 0 stands for half of Deadline, so that a call that stalls leaves
	// time for another. Default 0.
	CallTimeout time.Duration
	// Attempts is how often a call is made altogether when it fails in passing. 1 to 10; 1 means no retries. Default 3.
	Attempts int
	// RetryBase bounds the random wait before the first retry, which is between nothing and this; the bound doubles for each
	// further one ("full jitter", Marc Brooker, AWS Architecture Blog, 2015). 1 ms to 1 min. Default 100 ms. A service's
	// Retry-After takes its place; if that leads beyond Deadline, the call fails at once.
	RetryBase time.Duration
	// RetryMax is what the bound of the wait never exceeds. 1 ms to 1 min. Default 1 s.
	RetryMax time.Duration
	// InFlight is how many calls of the provider are under way at most at any time. 1 to 1,000. Default 4.
	InFlight int
	// StoredMarks is how many signatures are remembered to have their vector in the table, the most recently used. 1 to
	// 10,000,000, about 190 bytes each. Default 10,000.
	StoredMarks int
	// Vectors is how many vectors are remembered: of signatures until they are stored, and of queries. 1 to 1,000,000, 4 bytes
	// per dimension each. Default 1,000. A vector that falls out before it is stored is made again.
	Vectors int
}

// defaultPolicy has every default.
func defaultPolicy() policy {
	return policy{
		Deadline:    2 * time.Second,
		Attempts:    3,
		RetryBase:   100 * time.Millisecond,
		RetryMax:    time.Second,
		InFlight:    4,
		StoredMarks: 10_000,
		Vectors:     1_000,
	}
}

// Validate names every field that is out of its range.
func (c policy) Validate() error {
	return errors.Join(
		checkRange("Deadline", c.Deadline, minDeadline, maxDeadline),
		checkRange("CallTimeout", c.CallTimeout, 0, maxDeadline),
		checkRange("Attempts", c.Attempts, 1, 10),
		checkRange("RetryBase", c.RetryBase, time.Millisecond, time.Minute),
		checkRange("RetryMax", c.RetryMax, time.Millisecond, time.Minute),
		checkRange("InFlight", c.InFlight, 1, maxInFlight),
		checkRange("StoredMarks", c.StoredMarks, 1, 10_000_000),
		checkRange("Vectors", c.Vectors, 1, 1_000_000),
	)
}

// callTimeout is CallTimeout, or what stands for 0.
func (c policy) callTimeout() time.Duration {
	if c.CallTimeout == 0 {
		return c.Deadline / 2
	}
	return c.CallTimeout
}
