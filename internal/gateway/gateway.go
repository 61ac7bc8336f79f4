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
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
)

const (
	accountID = "000000000000"
	// integrationTimeout and maxRequest are quotas of HTTP APIs, maxPayload is Lambda's for an event and for an answer: 6 MB
	// and some room, the number its own error message names.
	integrationTimeout = 30 * time.Second
	maxRequest         = 10 << 20
	maxPayload         = 6_291_556
)

// Config says what stands behind the front.
type Config struct {
	// Template is an AWS SAM template, from which the routes and the functions' timeouts are read.
	Template []byte
	// Functions by logical id. Every function of the template with an HttpApi event must be there.
	Functions map[string]lambda.Handler
	// Authorizer is the identity that every request carries, but on routes that need none. Nil: no identity.
	// The front checks nobody: it hands requests without an identity to the function too.
	Authorizer *events.APIGatewayV2HTTPRequestContextAuthorizerDescription
	// Log receives a line for each invocation that fails. Nil: slog.Default.
	Log *slog.Logger
	// Timeout is how long the front waits for a function. Zero: the 30 seconds of an HTTP API.
	Timeout time.Duration
}

// New is an API Gateway HTTP API on one machine: each request becomes an event of payload format 2.0, is invoked on the
// function that the template routes it to, and the function's answer becomes the response.
//
// As on API Gateway, HEAD and OPTIONS are methods like any other: without a route for them or for ANY they reach the default
// route, and without that are a 404. Paths are decoded before they are routed, so an encoded slash separates segments. A
// caller who leaves does not cancel the invocation. CORS, throttling, mapping of stages, authentication, and the limit of
// 10,240 bytes on request line and headers are not imitated.
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
			return nil, fmt.Errorf("function %s of the template has routes and no handler", f.ID)
		}
		for _, r := range f.Routes {
			g.targets = append(g.targets, target{route: r, function: f, handler: handler})
		}
	}
	for id := range config.Functions {
		if !known[id] {
			return nil, fmt.Errorf("handler %s is no function of the template", id)
		}
	}
	return g, nil
}

type server struct {
	config  Config
	targets []target
}

// target is a route and what it leads to.
type target struct {
	route    route
	function function
	handler  lambda.Handler
}

// ServeHTTP answers one request.
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
		writeRefusal(w, http.StatusBadRequest) // the caller broke off
		return
	}
	event := newEvent(r, body, id, target.route, variables)
	if !target.route.Anonymous {
		event.RequestContext.Authorizer = g.config.Authorizer
	}
	payload, err := json.Marshal(event)
	if err != nil || len(payload) > maxPayload {
		writeRefusal(w, http.StatusRequestEntityTooLarge)
		return
	}
	g.respond(w, r, target, payload, id)
}

// findTarget is the route that goes before all others that match.
func (g *server) findTarget(method, path string) (target, map[string]string, bool) {
	var best target
	var variables map[string]string
	found := false
	for _, t := range g.targets {
		values, matches := t.route.matchRequest(method, path)
		if matches && (!found || t.route.precedes(best.route)) {
			best, variables, found = t, values, true
		}
	}
	if len(variables) == 0 {
		variables = nil
	}
	return best, variables, found
}

// respond invokes the function and writes what comes of it.
func (g *server) respond(w http.ResponseWriter, r *http.Request, t target, payload []byte, id string) {
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

// invokeWithTimeout runs the function as Lambda's runtime does, with its deadline and request id in the context. The function is not
// cancelled when the caller leaves; one that overruns its time is left to notice its deadline.
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

// invokeRecovering turns a panic into the error it would be to Lambda.
func invokeRecovering(ctx context.Context, handler lambda.Handler, payload []byte) (response []byte, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return handler.Invoke(ctx, payload)
}

// writeResponse answers with what a function returned; an error means that nothing was written.
func writeResponse(w http.ResponseWriter, payload []byte) error {
	response, body, err := readResponse(payload)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain;charset=UTF-8") // what HTTP APIs say when the function does not
	for name, value := range response.Headers {
		header.Set(name, value)
	}
	for _, cookie := range response.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // a caller who left is nobody's error
	return nil
}

// readResponse reads what a function returned and decodes its body. Without a statusCode the whole of it is the body of a 200 (API Gateway's guide,
// "Format of the Lambda function response").
func readResponse(payload []byte) (events.APIGatewayV2HTTPResponse, []byte, error) {
	var response events.APIGatewayV2HTTPResponse
	if len(payload) > maxPayload {
		return response, nil, fmt.Errorf("response of %d bytes exceeds the maximum of %d", len(payload), maxPayload)
	}
	if !hasStatusCode(payload) {
		return events.APIGatewayV2HTTPResponse{
			StatusCode: http.StatusOK,
			Headers:    map[string]string{"content-type": "application/json"},
		}, payload, nil
	}
	if err := json.Unmarshal(payload, &response); err != nil {
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

func hasStatusCode(payload []byte) bool {
	var given struct {
		StatusCode json.RawMessage `json:"statusCode"`
	}
	return json.Unmarshal(payload, &given) == nil && given.StatusCode != nil
}

// writeRefusal is an answer of the gateway's own.
func writeRefusal(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}
