package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// errInside is an error of a dependency whose text must not reach a caller.
var errInside = errors.New("dial tcp 10.0.0.7:5432: password authentication failed for user app (SQLSTATE 28P01)")

// TestProblems checks the status, type and headers of the response to every kind of error, and that
// the response discloses no internal details.
func TestProblems(t *testing.T) {
	t.Parallel()
	errs := audit.ValidationErrors{{Field: "name", Code: audit.CodeEmpty, Detail: "must not be empty"}}
	for name, c := range map[string]struct {
		err     error
		status  int
		kind    string
		headers map[string]string
		errs    int
	}{
		"validation errors":      {fmt.Errorf("read: %w", errs), 400, "invalid", nil, 1},
		"a body too large":       {errTooLarge, 413, "too-large", nil, 0},
		"a body found too large": {audit.ValidationErrors{{Code: audit.CodeSize, Detail: "larger"}}, 413, "too-large", nil, 1},
		"a response too large":   {errResponseTooLarge, 400, "answer-too-large", nil, 0},
		"unauthenticated":        {errUnauthenticated, 401, "unauthenticated", map[string]string{"Www-Authenticate": "Bearer"}, 0},
		"a lacking scope":        {fmt.Errorf("%w: the token lacks the scope x", errForbidden), 403, "forbidden", nil, 0},
		"no path":                {errRoute, 404, "not-found", nil, 0},
		"no remediation":         {fmt.Errorf("%w: %w", errInside, audit.ErrNotFound), 404, "not-found", nil, 0},
		"a wrong method":         {methodError{[]string{"GET", "POST"}}, 405, "method-not-allowed", map[string]string{"Allow": "GET, POST"}, 0},
		"a conflict":             {fmt.Errorf("append: %w", audit.Conflict("stored already")), 409, "conflict", nil, 0},
		"a media type":           {errMediaType, 415, "unsupported-media-type", nil, 0},
		"a stored contradiction": {fmt.Errorf("append: %w", audit.Contradiction{Errors: errs}), 422, "unprocessable", nil, 1},
		"refused":                {fmt.Errorf("append: %w: %w", audit.ErrRefused, errInside), 422, "refused", nil, 0},
		"unavailable":            {fmt.Errorf("append: %w: %w", audit.ErrUnavailable, errInside), 503, "unavailable", map[string]string{"Retry-After": "2"}, 0},
		"out of time":            {fmt.Errorf("%w: %w", errInside, context.DeadlineExceeded), 503, "unavailable", map[string]string{"Retry-After": "2"}, 0},
		"cancelled":              {context.Canceled, 503, "unavailable", map[string]string{"Retry-After": "2"}, 0},
		"anything else":          {errInside, 500, "internal", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := &Request{event: events.APIGatewayV2HTTPRequest{RawPath: "/v1/x"}}
			request.event.RequestContext.RequestID = "id"
			response := problemResponse(request, c.err).gatewayResponse(request)
			var problem client.Problem
			if err := json.Unmarshal([]byte(response.Body), &problem); err != nil {
				t.Fatal(err)
			}
			headers := map[string]string{
				"Content-Type": "application/problem+json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			}
			maps.Copy(headers, c.headers)
			if diff := cmp.Diff(headers, response.Headers); diff != "" {
				t.Errorf("headers:\n%s", diff)
			}
			want := client.Problem{Type: "urn:datastorage:problem:" + c.kind, Status: c.status, Instance: "/v1/x", RequestID: "id"}
			got := problem
			got.Title, got.Detail, got.Errors = "", "", nil
			if diff := cmp.Diff(want, got); diff != "" || response.StatusCode != c.status {
				t.Errorf("status %d, problem:\n%s", response.StatusCode, diff)
			}
			if problem.Title == "" || problem.Detail == "" || len(problem.Errors) != c.errs {
				t.Errorf("problem %+v", problem)
			}
			if strings.Contains(response.Body, "10.0.0.7") || strings.Contains(response.Body, "SQLSTATE") {
				t.Errorf("the response reveals %s", response.Body)
			}
		})
	}
}

// TestPanicIsAResponse checks that a panic is logged with its cause, counted, and becomes a 500
// that does not contain the cause.
func TestPanicIsAResponse(t *testing.T) {
	t.Parallel()
	var logged, measured strings.Builder
	tel, err := telemetry.New(telemetry.Config{Metrics: &measured, ClosedSets: ClosedSets()})
	if err != nil {
		t.Fatal(err)
	}
	front, err := NewRouter(Routes{"getHealth": func(context.Context, *Request) (*Response, error) { panic(errInside) }},
		Options{Timeout: time.Second, Log: slog.New(slog.NewJSONHandler(&logged, nil)), Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	event := events.APIGatewayV2HTTPRequest{RouteKey: "GET /health", RawPath: "/health"}
	event.RequestContext.RequestID = "the-id"
	response := front.handleEvent(t.Context(), event)
	if response.StatusCode != 500 {
		t.Fatalf("the status is %d", response.StatusCode)
	}
	if strings.Contains(response.Body, "10.0.0.7") || strings.Contains(response.Body, "goroutine") || !strings.Contains(response.Body, "the-id") {
		t.Errorf("the response is %s", response.Body)
	}
	if text := logged.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "10.0.0.7") || !strings.Contains(text, "the-id") {
		t.Errorf("the log is %s", text)
	}
	if text := measured.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"operation":"getHealth","status":"failure"`) {
		t.Errorf("the metrics are %s", text)
	}
}

// TestNewRouterErrors checks which operations and options NewRouter rejects.
func TestNewRouterErrors(t *testing.T) {
	t.Parallel()
	fine := func(context.Context, *Request) (*Response, error) { return RespondHealth(), nil }
	log := slog.New(slog.DiscardHandler)
	for want, c := range map[string]struct {
		routes  Routes
		options Options
	}{
		"api: Timeout must be positive, is 0s":              {Routes{"getHealth": fine}, Options{Log: log}},
		"api: Log must be set":                              {Routes{"getHealth": fine}, Options{Timeout: 1}},
		"api: operation getHealth has no handler":           {Routes{"getHealth": nil}, Options{Timeout: 1, Log: log}},
		"api: operation GET /health is not in openapi.yaml": {Routes{"GET /health": fine}, Options{Timeout: 1, Log: log}},
	} {
		if _, err := NewRouter(c.routes, c.options); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestResponseTooLarge checks the error sent in place of a response that exceeds the limit of
// Lambda.
func TestResponseTooLarge(t *testing.T) {
	t.Parallel()
	request := &Request{event: events.APIGatewayV2HTTPRequest{RawPath: "/v1/x"}}
	response := NewResponse(200, strings.Repeat("x", maxResponse)).gatewayResponse(request)
	if response.StatusCode != 400 || !strings.Contains(response.Body, "answer-too-large") || len(response.Body) > 1000 {
		t.Errorf("%d, %d bytes", response.StatusCode, len(response.Body))
	}
}
