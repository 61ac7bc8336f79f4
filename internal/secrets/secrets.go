// Package secrets reads a secret of AWS Secrets Manager when it is first needed, and again when the
// service that it opens refuses it, so that a rotation needs no deployment. It does not depend on
// what a secret opens.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/sync/singleflight"
)

// versionStages returns the stages of a secret's versions in the order in which they are tried. A
// rotation first gives the service the pending version and then makes that version the current one
// (AWS Secrets Manager User Guide, "Lambda rotation functions"): between the two steps only the
// pending version is valid. If an administrator changes the secret before the service, only the
// previous version is valid in between.
func versionStages() []string { return []string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"} }

// readTimeout bounds reading a secret, including the SDK's retries.
const readTimeout = 3 * time.Second

// Config describes a secret.
type Config[T comparable] struct {
	// ID is the ARN or the name of the secret.
	ID string
	// Decode returns the value in the text of a version. Its error must not contain the text.
	Decode func(text string) (T, error)
	// Pause is the minimum time until the next read after a read that failed or found only values
	// that the service has refused. In between, Value returns the same result. 0 means none: for
	// services whose refusals are rare.
	Pause time.Duration
}

// Secret is a secret, read when its value is needed. It is safe for concurrent use: concurrent
// callers share a read.
type Secret[T comparable] struct {
	client *secretsmanager.Client
	config Config[T]
	// state is a pointer because fmt prints unexported fields, but does not follow a second pointer.
	state *state[T]
}

// state is what a Secret remembers.
type state[T comparable] struct {
	reads singleflight.Group

	mu sync.Mutex // guards the fields below
	// current is the value of the last successful read.
	current T
	// usable is set if current needs no read before its use.
	usable bool
	// refused are the values that the service refused most recently, at most one fewer than the
	// stages.
	refused []T
	// failure is the error of the last read.
	failure error
	// pausedUntil is a wall clock time: in a frozen sandbox the monotonic clock may stand still.
	pausedUntil time.Time
}

// New returns the secret without reading it.
func New[T comparable](sdk aws.Config, config Config[T]) *Secret[T] {
	client := secretsmanager.NewFromConfig(sdk, func(o *secretsmanager.Options) {
		o.RetryMaxAttempts = 2 // callers retry as well
	})
	return &Secret[T]{client: client, config: config, state: &state[T]{}}
}

// Value returns the value of the secret: from memory, or by a read, for which it waits no longer
// than ctx. It prefers a version that was not refused. A read goes on without its callers, for at
// most 3 s.
func (s *Secret[T]) Value(ctx context.Context) (T, error) {
	if value, known, err := s.state.recall(); known {
		return value, err
	}
	done := s.state.reads.DoChan("", func() (any, error) {
		if value, known, err := s.state.recall(); known { // the previous read has just ended
			return value, err
		}
		return s.refreshValue(context.WithoutCancel(ctx))
	})
	select {
	case read := <-done:
		value, _ := read.Val.(T)
		return value, read.Err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("wait for the secret: %w", ctx.Err())
	}
}

// Refuse tells that the service refused a value. The next Value reads the secret again, unless
// another value has replaced this one.
func (s *Secret[T]) Refuse(used T) { s.state.refuse(used) }

func (s *state[T]) refuse(used T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.usable || s.current != used {
		return
	}
	s.usable = false
	s.refused = slices.DeleteFunc(s.refused, func(value T) bool { return value == used })
	s.refused = append(s.refused, used)
	s.refused = s.refused[max(0, len(s.refused)-len(versionStages())+1):]
}

// recall returns the value or the error that is known without a read.
func (s *state[T]) recall() (value T, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paused := wallTime().Before(s.pausedUntil)
	switch {
	case s.usable:
		return s.current, true, nil
	case paused && s.failure != nil:
		return value, true, s.failure
	case paused:
		s.usable = true // until it is refused once more
		return s.current, true, nil
	}
	return value, false, nil
}

func (s *state[T]) refusedValues() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// record stores the result of a read.
func (s *state[T]) record(value T, err error, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	if err != nil || slices.Contains(s.refused, value) {
		s.pausedUntil = wallTime().Add(pause)
	}
	if err == nil {
		s.current, s.usable = value, true
	}
}

func (s *Secret[T]) refreshValue(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	value, err := s.readPreferred(ctx, s.state.refusedValues())
	s.state.record(value, err, s.config.Pause)
	return value, err
}

// readPreferred returns the value of the first stage that was not refused, or that of the current
// version if all were.
func (s *Secret[T]) readPreferred(ctx context.Context, refused []T) (T, error) {
	current, err := s.readStage(ctx, versionStages()[0])
	if err != nil || !slices.Contains(refused, current) {
		return current, err
	}
	for _, stage := range versionStages()[1:] {
		if other, err := s.readStage(ctx, stage); err == nil && !slices.Contains(refused, other) {
			return other, nil
		}
	}
	return current, nil
}

func (s *Secret[T]) readStage(ctx context.Context, stage string) (value T, err error) {
	version, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.config.ID, VersionStage: &stage})
	if err != nil {
		return value, err
	}
	if version.SecretString == nil {
		return value, errors.New("the secret is binary")
	}
	return s.config.Decode(*version.SecretString)
}

// wallTime is the time without the reading of the monotonic clock.
func wallTime() time.Time { return time.Now().Round(0) }

// Format hides the value from every verb of fmt.
func (s *Secret[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
