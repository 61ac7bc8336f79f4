package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
	"github.com/datastorage-service/datastorage/internal/program"
)

// The exit codes, as documented in the help of the root command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitForbidden   = 4
	exitPartly      = 5
	exitInterrupted = 130 // 128 + SIGINT, as shells report it
)

// commandError is an error with the process's exit code.
type commandError struct {
	code    int
	problem *program.Problem
}

// Error returns three lines: what failed, why, and what to do next.
func (e *commandError) Error() string { return e.problem.Error() }

// Unwrap returns the problem, which wraps the cause.
func (e *commandError) Unwrap() error { return e.problem }

// newCommandError makes an error of three lines: what failed, err's reason, and the next command to try.
func newCommandError(code int, what string, err error, next string) error {
	return &commandError{code, &program.Problem{What: what, Why: shortReason(err), Next: next, Err: err}}
}

// newCallError makes the error of a failed API call, with the exit code for err. next is used unless err suggests a better command.
func (a *app) newCallError(what string, err error, next string) error {
	return a.newCallErrorWithCode(exitCodeOf(err), what, err, next)
}

func (a *app) newCallErrorWithCode(code int, what string, err error, next string) error {
	problem := &program.Problem{What: what, Why: shortReason(err), Next: next, Err: err}
	credentials, lacking := errors.AsType[*sigv4.CredentialsError](err)
	switch {
	case lacking:
		problem.Next = credentials.Next
	case isRefusal(err):
		problem.Why += "; the request had " + a.identity.String()
		problem.Next = a.identity.nextAfterRefusal(err)
	case isUnreachable(err):
		problem.Next = a.nextAfterUnreachable()
	case errors.Is(err, client.ErrUnavailable):
		problem.Next = "datastorage doctor"
	}
	return &commandError{code, problem}
}

// nextAfterUnreachable returns the command that starts the local stack, or one that looks at another service.
func (a *app) nextAfterUnreachable() string {
	if service, err := url.Parse(a.serviceURL()); err == nil && service.Hostname() != "localhost" && !net.ParseIP(service.Hostname()).IsLoopback() {
		return "curl -i " + service.JoinPath("health").Redacted() + "   # or correct DATASTORAGE_URL"
	}
	return "make run   # or set DATASTORAGE_URL; datastorage doctor checks the machine"
}

// exitCodeOf maps an error of the API to an exit code.
func exitCodeOf(err error) int {
	_, lacksCredentials := errors.AsType[*sigv4.CredentialsError](err)
	switch {
	case errors.Is(err, client.ErrInvalid), errors.Is(err, client.ErrTooLarge):
		return exitUsage
	case errors.Is(err, client.ErrNotFound):
		return exitNotFound
	case lacksCredentials, isRefusal(err):
		return exitForbidden
	default:
		return exitFailed
	}
}

func isUnreachable(err error) bool {
	_, is := errors.AsType[*url.Error](err)
	return is
}

// shortReason returns err's message without the request, which the user knows.
func shortReason(err error) string {
	if credentials, ok := errors.AsType[*sigv4.CredentialsError](err); ok {
		return credentials.Error()
	}
	if refusal, ok := errors.AsType[*client.Error](err); ok {
		return refusal.Error()
	}
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Sprintf("no response from %s: %v", transport.URL, transport.Err)
	}
	return err.Error()
}

// commandErrorOf turns any error of a command into a commandError.
func (a *app) commandErrorOf(ctx context.Context, command *cobra.Command, err error) *commandError {
	known, ok := errors.AsType[*commandError](err)
	problem, mendable := errors.AsType[*program.Problem](err)
	switch {
	case ctx.Err() != nil:
		return &commandError{exitInterrupted, &program.Problem{
			What: "interrupted", Why: "asked to stop", Next: command.CommandPath() + "   # safe to run again", Err: err,
		}}
	case ok:
		return known
	case mendable:
		return &commandError{exitFailed, problem}
	case !a.started:
		return &commandError{exitUsage, &program.Problem{
			What: "invalid command line", Why: err.Error(), Next: command.CommandPath() + " --help", Err: err,
		}}
	default:
		return &commandError{exitFailed, &program.Problem{
			What: command.CommandPath() + " failed", Why: err.Error(), Next: "datastorage doctor", Err: err,
		}}
	}
}
