package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

const (
	accountID = "000000000000"
	// integrationTimeout and maxRequest are quotas of HTTP APIs. maxPayload is the quota of Lambda
	// for an event and for a response, in bytes, as stated by its error message.
	integrationTimeout = 30 * time.Second
	maxRequest         = 10 << 20
	maxPayload         = 6_291_556
)

// Config describes the API that New serves.
type Config struct {
	// Template is an AWS SAM template with the routes and the timeouts of the functions.
	Template []byte
	// Functions maps logical IDs to functions. Every function of the template with an HttpApi event
	// is required.
	Functions map[string]lambda.Handler
	// Authorizer is the identity of every request, except on anonymous routes. Nil means that requests
	// have no identity. The gateway does not authenticate: it passes requests without an identity on to
	// the function.
	Authorizer *events.APIGatewayV2HTTPRequestContextAuthorizerDescription
	// Log receives a line for each invocation that fails. Nil means slog.Default.
	Log *slog.Logger
	// Timeout is how long the gateway waits for a function. Zero means the 30 seconds of an HTTP
	// API.
	Timeout time.Duration
}

// New returns a handler that works like an API Gateway HTTP API: it turns a request into an event
// of payload format 2.0, invokes the function to which the template routes it, and writes the
// function's response.
//
// As on API Gateway, HEAD and OPTIONS are methods like any other: without a route for them or for
// ANY they reach the default route, and without that they get a 404. Paths are decoded before
// routing, so an encoded slash separates segments. A client that disconnects does not cancel the
// invocation. CORS, throttling, stages, authentication and the limit of 10,240 bytes on request
// line and headers are not imitated.
func New(config Config) (http.Handler, error) {
	functions, err := parseTemplate(config.Template)
	if err != nil {
		return nil, err
	}
	g := &server{config: config}
	if g.config.Log == nil {
		g.config.Log = slog.Default()
	}
	if g.config.Timeout == 0 {
		g.config.Timeout = integrationTimeout
	}
	known := map[string]bool{}
	for _, f := range functions {
		known[f.ID] = true
		handler := config.Functions[f.ID]
		if handler == nil && len(f.Routes) > 0 {
			return nil, fmt.Errorf("function %s of the template has routes but no handler", f.ID)
		}
		for _, r := range f.Routes {
			g.targets = append(g.targets, target{route: r, function: f, handler: handler})
		}
	}
	for id := range config.Functions {
		if !known[id] {
			return nil, fmt.Errorf("the template has no function %s", id)
		}
	}
	slices.SortStableFunc(g.targets, func(a, b target) int { return a.route.comparePrecedence(b.route) })
	return g, nil
}

type server struct {
	config Config
	// targets are in the order of their routes' precedence.
	targets []target
}

// target is a route with its function and handler.
type target struct {
	route    route
	function function
	handler  lambda.Handler
}

// ServeHTTP handles one request.
func (g *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("Apigw-Requestid", id)
	target, variables, found := g.findTarget(r.Method, r.URL.Path)
	if !found {
		writeRefusal(w, http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if errors.As(err, new(*http.MaxBytesError)) {
		writeRefusal(w, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		writeRefusal(w, http.StatusBadRequest) // the client disconnected
		return
	}
	event := newRequestEvent(r, body, id, target.route, variables)
	if !target.route.Anonymous {
		event.RequestContext.Authorizer = g.config.Authorizer
	}
	payload, err := json.Marshal(event)
	if err != nil || len(payload) > maxPayload {
		writeRefusal(w, http.StatusRequestEntityTooLarge)
		return
	}
	g.invokeAndRespond(w, r, target, payload, id)
}

// findTarget returns the matching route of the highest precedence, and the values of its path
// variables.
func (g *server) findTarget(method, path string) (target, map[string]string, bool) {
	segments := splitSegments(path)
	for _, t := range g.targets {
		if variables, matches := t.route.matchRequest(method, segments); matches {
			return t, variables, true
		}
	}
	return target{}, nil, false
}

// invokeAndRespond invokes the function and writes its response, or that of its failure.
func (g *server) invokeAndRespond(w http.ResponseWriter, r *http.Request, t target, payload []byte, id string) {
	response, err := g.invokeWithTimeout(r.Context(), t, payload)
	if err == nil {
		err = writeResponse(w, response)
	}
	if err == nil {
		return
	}
	g.config.Log.ErrorContext(r.Context(), "invocation failed", "function", t.function.ID, "route", t.route.routeKey(), "request_id", id, "error", err.Error())
	if errors.Is(err, errIntegrationTimeout) {
		writeRefusal(w, http.StatusServiceUnavailable)
		return
	}
	writeRefusal(w, http.StatusInternalServerError)
}

var (
	errIntegrationTimeout = errors.New("the gateway stopped waiting")
	errFunctionTimeout    = errors.New("task timed out")
)

// invokeWithTimeout runs the function with a deadline and a request id in the context, as Lambda's
// runtime does. A client that disconnects does not cancel the function, and a function that
// overruns its timeout is not stopped.
func (g *server) invokeWithTimeout(ctx context.Context, t target, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.function.Timeout)
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       uuid.NewString(),
		InvokedFunctionArn: "arn:aws:lambda:local:" + accountID + ":function:" + t.function.ID,
	})
	type outcome struct {
		response []byte
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		response, err := invokeRecovering(ctx, t.handler, payload)
		done <- outcome{response, err}
	}()
	select {
	case o := <-done:
		return o.response, o.err
	case <-time.After(min(g.config.Timeout, t.function.Timeout)):
	}
	if g.config.Timeout <= t.function.Timeout {
		return nil, fmt.Errorf("%w after %s", errIntegrationTimeout, g.config.Timeout)
	}
	return nil, fmt.Errorf("%w after %s", errFunctionTimeout, t.function.Timeout)
}

// invokeRecovering returns a panic as an error, as Lambda does.
func invokeRecovering(ctx context.Context, handler lambda.Handler, payload []byte) (response []byte, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return handler.Invoke(ctx, payload)
}

// writeResponse writes what a function returned. If it returns an error, nothing was written.
func writeResponse(w http.ResponseWriter, payload []byte) error {
	response, body, err := readResponse(payload)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain;charset=UTF-8") // the default of HTTP APIs
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	for _, cookie := range response.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // it fails only if the client has disconnected
	return nil
}

// readResponse decodes what a function returned, and its body. A payload without statusCode is the
// body of a 200 (API Gateway guide, "Format of the Lambda function response").
func readResponse(payload []byte) (events.APIGatewayV2HTTPResponse, []byte, error) {
	var response events.APIGatewayV2HTTPResponse
	if len(payload) > maxPayload {
		return response, nil, fmt.Errorf("response of %d bytes exceeds the maximum of %d", len(payload), maxPayload)
	}
	// The outer field takes the member's place; its type accepts any value.
	decoded := struct {
		*events.APIGatewayV2HTTPResponse
		StatusCode json.RawMessage `json:"statusCode"`
	}{APIGatewayV2HTTPResponse: &response}
	err := json.Unmarshal(payload, &decoded)
	if decoded.StatusCode == nil {
		return events.APIGatewayV2HTTPResponse{
			StatusCode: http.StatusOK,
			Headers:    map[string]string{"content-type": "application/json"},
		}, payload, nil
	}
	if err == nil {
		err = json.Unmarshal(decoded.StatusCode, &response.StatusCode)
	}
	if err != nil {
		return response, nil, fmt.Errorf("read response: %w", err)
	}
	if response.StatusCode < 200 || response.StatusCode > 599 {
		return response, nil, fmt.Errorf("response has status %d", response.StatusCode)
	}
	if !response.IsBase64Encoded {
		return response, []byte(response.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(response.Body)
	if err != nil {
		return response, nil, fmt.Errorf("decode response body: %w", err)
	}
	return response, body, nil
}

// writeRefusal writes an error response of the gateway itself.
func writeRefusal(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}
