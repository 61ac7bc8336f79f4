package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Handler handles the requests of one operation.
type Handler func(context.Context, *Request) (*Response, error)

// Routes are the handlers of a function by their operation ids in openapi.yaml.
type Routes map[string]Handler

// Options of a Router.
type Options struct {
	// Timeout bounds a request from its arrival to its response; the function's own deadline may
	// end it sooner.
	Timeout time.Duration
	// Log receives one line for each request.
	Log *slog.Logger
	// Telemetry receives metrics and trace of each request; nil disables both.
	Telemetry *telemetry.Telemetry
}

// responseMargin is reserved before the function's deadline, to send the response to a request that
// timed out.
const responseMargin = 500 * time.Millisecond

// route is an operation with its handler.
type route struct {
	operation
	handle Handler
}

// Router handles the API Gateway events of one function. It is a lambda.Handler and safe for
// concurrent use.
type Router struct {
	routes  map[string]route // by API Gateway's route key
	options Options
}

// NewRouter returns an error if an operation is not in openapi.yaml or has no handler, or if an
// option is missing.
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

// Invoke handles one event. It returns an error only if the payload is not an event: every other
// failure is a response.
func (r *Router) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	event, err := readEvent(payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r.handleEvent(ctx, event))
}

// readEvent reads an event as encoding/json does, which would scan the body several times.
func readEvent(payload []byte) (events.APIGatewayV2HTTPRequest, error) {
	var event events.APIGatewayV2HTTPRequest
	err := jsonv2.Unmarshal(payload, &event, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		err = fmt.Errorf("read the event: %w", err)
	}
	return event, err
}

func (r *Router) handleEvent(ctx context.Context, event events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	request := &Request{event: event, actions: redact.Actions{}}
	ctx, request.invocation = r.options.Telemetry.Begin(ctx, telemetry.Call{
		RequestID:   request.ID(),
		Operation:   cmp.Or(r.routes[event.RouteKey].id, telemetry.Other),
		TraceHeader: request.headerValue("X-Amzn-Trace-Id"),
	})
	status := telemetry.Failure
	defer func() { request.invocation.End(status) }()
	request.setRemediationID(request.pathRemediationID())
	ctx, cancel := r.withDeadline(ctx)
	defer cancel()
	response, err := r.handleRequest(ctx, request)
	if err != nil {
		response = problemResponse(request, err)
	}
	encoded := response.gatewayResponse(request)
	r.logRequest(ctx, request, encoded.StatusCode, err)
	request.reportActions()
	status = metricStatus(encoded.StatusCode)
	return encoded
}

func (r *Router) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(r.options.Timeout)
	if function, ok := ctx.Deadline(); ok && function.Add(-responseMargin).Before(until) {
		until = function.Add(-responseMargin)
	}
	return context.WithDeadline(ctx, until)
}

func (r *Router) handleRequest(ctx context.Context, request *Request) (response *Response, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	route, ok := r.routes[request.event.RouteKey]
	if !ok {
		// Only authenticated callers may find out which paths exist.
		if err := request.identifyActor(); err != nil {
			return nil, err
		}
		return nil, routeError(request.httpMethod(), request.Path())
	}
	if err := request.authorize(route.scope); err != nil {
		return nil, err
	}
	if err := request.decodeBody(); err != nil {
		return nil, err
	}
	return route.handle(ctx, request)
}

// logRequest logs the last line of the request. The logger adds the request's identifiers and
// duration.
func (r *Router) logRequest(ctx context.Context, request *Request, status int, err error) {
	attributes := []slog.Attr{slog.String("route", request.event.RouteKey), slog.Int("status", status)}
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
		if err != nil {
			// The error of a dependency may quote values of the request.
			attributes = append(attributes, slog.String("error", redact.Text(err.Error(), redact.Actions{})))
		}
	case status >= 400:
		level = slog.LevelWarn
	}
	r.options.Log.LogAttrs(ctx, level, "request", attributes...)
}

// metricStatus returns the status of the operation in metrics.
func metricStatus(status int) string {
	switch {
	case status >= 500:
		return telemetry.Failure
	case status >= 400:
		return telemetry.Rejected
	default:
		return telemetry.Success
	}
}
