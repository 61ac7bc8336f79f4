package embedding

import (
	"errors"
	"time"
)

// The valid ranges of the policy fields that settings can set.
const (
	minDeadline = time.Millisecond
	maxDeadline = 15 * time.Minute
	maxInFlight = 1_000
)

// policy bounds time, retries, concurrency and memory of an Embedder.
type policy struct {
	// Deadline bounds a call of Documents or Query: look-up, waiting for a free slot, calls,
	// retries and the waits between them. The context may end earlier. 1 ms to 15 min. Default 2 s,
	// so that a write responds in time, without its vector.
	Deadline time.Duration
	// CallTimeout bounds one call of the provider. Up to 15 min; 0 means half of Deadline, which
	// leaves time for a second call when the first stalls. Default 0.
	CallTimeout time.Duration
	// Attempts is the number of calls when the failures are transient. 1 to 10; 1 means no retries.
	// Default 3.
	Attempts int
	// RetryBase is the upper bound of the random wait before the first retry; the bound doubles
	// with each retry ("full jitter", Marc Brooker, AWS Architecture Blog, 2015). 1 ms to 1 min.
	// Default 100 ms. The service's Retry-After replaces it; if that exceeds Deadline, the call
	// fails at once.
	RetryBase time.Duration
	// RetryMax limits the bound. 1 ms to 1 min. Default 1 s.
	RetryMax time.Duration
	// InFlight is the maximum number of concurrent calls of the provider. 1 to 1,000. Default 4.
	InFlight int
	// StoredMarks is the size of the LRU cache of signatures whose vectors are in the table. 1 to
	// 10,000,000, about 190 bytes each. Default 10,000.
	StoredMarks int
	// Vectors is the size of the LRU cache of vectors: those of queries, and those of signatures
	// until they are stored. 1 to 1,000,000, 4 bytes per dimension each. Default 1,000. A vector
	// that is evicted before it is stored is made again.
	Vectors int
}

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

// validate names every field that is out of its range.
func (c policy) validate() error {
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

func (c policy) callTimeout() time.Duration {
	if c.CallTimeout == 0 {
		return c.Deadline / 2
	}
	return c.CallTimeout
}
