// Package config parses environment variables, applies defaults, and reports all invalid variables
// at once. Each package defines its own variables, next to its settings.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reader reads variables and collects their errors. An empty variable counts as unset.
type Reader struct {
	getenv func(string) string
	errs   []error
}

// NewReader returns a Reader of the variables that getenv returns.
func NewReader(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Err returns an error that names every missing or invalid variable, or nil if there is none. It
// never contains a value, which may be a secret.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

// Reject adds an error for a variable. rule completes the sentence, such as "must be set".
func (r *Reader) Reject(name, rule string) {
	r.errs = append(r.errs, fmt.Errorf("%s %s", name, rule))
}

// Optional returns a variable, or "".
func (r *Reader) Optional(name string) string { return r.getenv(name) }

// Required returns a variable that must be set.
func (r *Reader) Required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.Reject(name, "must be set")
	}
	return value
}

// Integer returns a number from low to high.
func (r *Reader) Integer(name string, fallback, low, high int) int {
	value := r.getenv(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		r.Reject(name, fmt.Sprintf("must be an integer from %d to %d", low, high))
	}
	return n
}

// PerInvocation returns n times the number of invocations that Lambda runs in this process at the same time, at
// most high: a default that is right for one invocation. Lambda sets AWS_LAMBDA_MAX_CONCURRENCY for a function
// on Managed Instances; like aws-lambda-go (lambdacontext.MaxConcurrency), it takes anything but a positive integer as 1.
func (r *Reader) PerInvocation(n, high int) int {
	invocations, err := strconv.Atoi(r.getenv("AWS_LAMBDA_MAX_CONCURRENCY"))
	if err != nil || invocations < 1 {
		return n
	}
	return n * min(invocations, high/n)
}

// Duration returns a duration from low to high, in the syntax of time.ParseDuration.
func (r *Reader) Duration(name string, fallback, low, high time.Duration) time.Duration {
	value := r.getenv(name)
	if value == "" {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < low || d > high {
		r.Reject(name, fmt.Sprintf("must be a duration such as 5s, from %v to %v", low, high))
	}
	return d
}

// OneOf returns one of the words; the first is the default.
func (r *Reader) OneOf(name string, words ...string) string {
	value := r.getenv(name)
	if value == "" {
		return words[0]
	}
	if !slices.Contains(words, value) {
		r.Reject(name, "must be one of "+strings.Join(words, ", "))
	}
	return value
}
