package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Handler handles the requests of one operation.
type Handler func(context.Context, *Request) (*Response, error)

// Routes are the handlers of a function by their operation ids in openapi.yaml.
type Routes map[string]Handler

// Options of a Router.
type Options struct {
	// Timeout bounds a request from its arrival to its answer; the function's own deadline may end it sooner.
	Timeout time.Duration
	// Log gets one line for every request.
	Log *slog.Logger
	// Telemetry gets every request's metrics and trace; nil means that nothing does.
	Telemetry *telemetry.Telemetry
}

// answerMargin is kept back from the function's deadline, so that an answer that says so can still be sent.
const answerMargin = 500 * time.Millisecond

// route is an operation with its handler.
type route struct {
	operation
	handle Handler
}

// Router answers API Gateway events of one function.
type Router struct {
	routes  map[string]route // by API Gateway's route key
	options Options
}

// NewRouter validates its parts: every operation has a handler and is in openapi.yaml, the timeout is positive, the log is there.
func NewRouter(routes Routes, options Options) (*Router, error) {
	if options.Timeout <= 0 {
		return nil, fmt.Errorf("api: Timeout must be positive, is %v", options.Timeout)
	}
	if options.Log == nil {
		return nil, fmt.Errorf("api: Log must be set")
	}
	options.Log = telemetry.Logger(options.Log)
	router := &Router{routes: make(map[string]route, len(routes)), options: options}
	for id, handle := range routes {
		operation, ok := findOperation(id)
		if !ok {
			return nil, fmt.Errorf("api: operation %s is not in openapi.yaml", id)
		}
		if handle == nil {
			return nil, fmt.Errorf("api: operation %s has no handler", id)
		}
		router.routes[operation.routeKey()] = route{operation, handle}
	}
	return router, nil
}

// Invoke answers one event. The error is always nil: what goes wrong is an answer.
func (f *Router) Invoke(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	request := &Request{event: event, actions: redact.Actions{}}
	ctx, request.invocation = f.options.Telemetry.Begin(ctx, telemetry.Call{
		RequestID:   request.ID(),
		Operation:   cmp.Or(f.routes[event.RouteKey].id, telemetry.Other),
		TraceHeader: request.header("X-Amzn-Trace-Id"),
	})
	status := telemetry.Failure
	defer func() { request.invocation.End(status) }()
	request.about(event.PathParameters["remediation_id"])
	ctx, cancel := f.deadline(ctx)
	defer cancel()
	answer, err := f.answer(ctx, request)
	if err != nil {
		answer = problemAnswer(request, err)
	}
	response := answer.event(request)
	f.log(ctx, request, response.StatusCode, err)
	request.report()
	status = outcome(response.StatusCode)
	return response, nil
}

// outcome is a status as the operation's metric has it.
func outcome(status int) string {
	switch {
	case status >= 500:
		return telemetry.Failure
	case status >= 400:
		return telemetry.Rejected
	default:
		return telemetry.Success
	}
}

func (f *Router) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(f.options.Timeout)
	if function, ok := ctx.Deadline(); ok && function.Add(-answerMargin).Before(until) {
		until = function.Add(-answerMargin)
	}
	return context.WithDeadline(ctx, until)
}

func (f *Router) answer(ctx context.Context, request *Request) (answer *Response, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	route, ok := f.routes[request.event.RouteKey]
	if !ok {
		// Nor does anybody unknown learn which paths there are.
		if err := request.identify(); err != nil {
			return nil, err
		}
		return nil, noRoute(request.method(), request.Path())
	}
	if err := request.authorize(route.scope); err != nil {
		return nil, err
	}
	if request.event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(request.event.Body)
		if err != nil {
			return nil, fmt.Errorf("decode the event's base64 body: %w", err)
		}
		request.event.Body = string(body)
	}
	return route.handle(ctx, request)
}

// log writes the request's last line. What identifies the request, and its duration, the logger knows from the context.
func (f *Router) log(ctx context.Context, request *Request, status int, err error) {
	attributes := []slog.Attr{slog.String("route", request.event.RouteKey), slog.Int("status", status)}
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
		if err != nil {
			// A dependency may quote what it was sent.
			attributes = append(attributes, slog.String("error", redact.Text(err.Error(), redact.Actions{})))
		}
	case status >= 400:
		level = slog.LevelWarn
	}
	f.options.Log.LogAttrs(ctx, level, "request", attributes...)
}
