package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Scope is what a route lets its caller do.
type Scope string

// The scopes, by the names a JWT carries them. Public needs no identity.
const (
	ScopePublic Scope = ""
	ScopeRead   Scope = "datastorage/read"
	ScopeWrite  Scope = "datastorage/write"
)

// Route is what happens on a method and path.
type Route struct {
	Scope  Scope
	Handle func(context.Context, *Request) (*Answer, error)
}

// Routes are the routes of a function by API Gateway's route key, for example "GET /v1/remediations/{remediation_id}".
type Routes map[string]Route

// Options of a Front.
type Options struct {
	// Timeout bounds a request from its arrival to its answer; the function's own deadline may end it sooner.
	Timeout time.Duration
	// Log gets one line for every request.
	Log *slog.Logger
}

// answerMargin is kept back from the function's deadline, so that an answer that says so can still be sent.
const answerMargin = 500 * time.Millisecond

// Front answers API Gateway events of one function.
type Front struct {
	routes  Routes
	options Options
}

// NewFront validates its parts: every route has a handler and is in the catalogue, the timeout is positive, the log is there.
func NewFront(routes Routes, options Options) (*Front, error) {
	if options.Timeout <= 0 {
		return nil, fmt.Errorf("api: Timeout must be positive, is %v", options.Timeout)
	}
	if options.Log == nil {
		return nil, fmt.Errorf("api: Log must be set")
	}
	for key, route := range routes {
		if route.Handle == nil {
			return nil, fmt.Errorf("api: route %s has no handler", key)
		}
		if !known(key) {
			return nil, fmt.Errorf("api: route %s is not in the catalogue", key)
		}
	}
	return &Front{routes: routes, options: options}, nil
}

// Invoke answers one event. The error is always nil: what goes wrong is an answer.
func (f *Front) Invoke(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	started := time.Now()
	ctx, cancel := f.deadline(ctx)
	defer cancel()
	request := &Request{event: event}
	answer, err := f.answer(ctx, request)
	if err != nil {
		answer = problemAnswer(request, err)
	}
	f.log(ctx, request, answer.Status, err, time.Since(started))
	return answer.event(request), nil
}

func (f *Front) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(f.options.Timeout)
	if function, ok := ctx.Deadline(); ok && function.Add(-answerMargin).Before(until) {
		until = function.Add(-answerMargin)
	}
	return context.WithDeadline(ctx, until)
}

func (f *Front) answer(ctx context.Context, request *Request) (answer *Answer, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	route, ok := f.routes[request.event.RouteKey]
	if !ok {
		return nil, noRoute(request.method(), request.Path())
	}
	if err := request.authorize(route.Scope); err != nil {
		return nil, err
	}
	if request.event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(request.event.Body)
		if err != nil {
			return nil, fmt.Errorf("decode the event's base64 body: %w", err)
		}
		request.event.Body = string(body)
	}
	return route.Handle(ctx, request)
}

func (f *Front) log(ctx context.Context, request *Request, status int, err error, took time.Duration) {
	attributes := []slog.Attr{
		slog.String("request_id", request.event.RequestContext.RequestID),
		slog.String("operation", request.event.RouteKey),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if id := request.event.PathParameters["remediation_id"]; id != "" {
		attributes = append(attributes, slog.String("remediation_id", id))
	}
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
		if err != nil {
			attributes = append(attributes, slog.String("error", strings.ToValidUTF8(err.Error(), "?")))
		}
	case status >= 400:
		level = slog.LevelWarn
	}
	f.options.Log.LogAttrs(ctx, level, "request", attributes...)
}
