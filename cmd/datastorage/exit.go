package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/program"
)

// The exit codes, as the help of the root command tells them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitForbidden   = 4
	exitPartly      = 5
	exitInterrupted = 130 // 128 + SIGINT, as shells report it
)

// failure is an error with the exit code that it ends the process with.
type failure struct {
	code    int
	problem *program.Problem
}

// Error is three lines: what, why, and what to do next.
func (f *failure) Error() string { return f.problem.Error() }

// Unwrap is the cause.
func (f *failure) Unwrap() error { return f.problem }

// failed is a failure with its code.
func failed(code int, what string, err error, next string) error {
	return &failure{code, &program.Problem{What: what, Why: reason(err), Next: next, Err: err}}
}

// refused is a failure of a call of the API. next is for errors that say nothing better.
func refused(what string, err error, next string) error {
	return refusedWith(exitCode(err), what, err, next)
}

func refusedWith(code int, what string, err error, next string) error {
	switch {
	case code == exitForbidden:
		next = "export DATASTORAGE_TOKEN=…   # a bearer token that allows this"
	case unreachable(err):
		next = "make run   # or set DATASTORAGE_URL; datastorage doctor looks further"
	case errors.Is(err, client.ErrUnavailable):
		next = "datastorage doctor"
	}
	return failed(code, what, err, next)
}

// exitCode is the code for an error of the API.
func exitCode(err error) int {
	switch {
	case errors.Is(err, client.ErrInvalid), errors.Is(err, client.ErrTooLarge):
		return exitUsage
	case errors.Is(err, client.ErrNotFound):
		return exitNotFound
	case errors.Is(err, client.ErrUnauthenticated), errors.Is(err, client.ErrForbidden):
		return exitForbidden
	default:
		return exitFailed
	}
}

func unreachable(err error) bool {
	_, is := errors.AsType[*url.Error](err)
	return is
}

// reason is an error's text without what the person knows: which request was being sent where.
func reason(err error) string {
	if refusal, ok := errors.AsType[*client.Error](err); ok {
		return refusal.Error()
	}
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Sprintf("no answer from %s: %v", transport.URL, transport.Err)
	}
	return err.Error()
}

// failure gives any error of a command its code and its three lines.
func (a *app) failure(ctx context.Context, command *cobra.Command, err error) *failure {
	known, ok := errors.AsType[*failure](err)
	problem, mendable := errors.AsType[*program.Problem](err)
	switch {
	case ctx.Err() != nil:
		return &failure{exitInterrupted, &program.Problem{
			What: "interrupted", Why: "asked to stop", Next: command.CommandPath() + "   # again: it is safe to repeat", Err: err,
		}}
	case ok:
		return known
	case mendable:
		return &failure{exitFailed, problem}
	case !a.started:
		return &failure{exitUsage, &program.Problem{
			What: "the command line is not understood", Why: err.Error(), Next: command.CommandPath() + " --help", Err: err,
		}}
	default:
		return &failure{exitFailed, &program.Problem{
			What: command.CommandPath() + " did not work", Why: err.Error(), Next: "datastorage doctor", Err: err,
		}}
	}
}
