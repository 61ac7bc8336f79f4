package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const testTemplate = `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Patience: {Type: Number, Default: 7}
Globals:
  Function:
    Timeout: 5
    Environment: {Variables: {URL: !Sub "https://${AWS::Region}/", ARN: !GetAtt Queue.Arn}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref AWS::StackName, Tags: [!Join ["-", [a, !Ref b]]]}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Name: !Ref AWS::StackName
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /health: {get: {security: []}}
          /things: {post: {security: [{Caller: !If [Jwt, [write], []]}]}}
          "/things/{id}": {get: {}}
  Write:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: !Ref Patience
      Events:
        Create: {Type: HttpApi, Properties: {Path: /things, Method: post, ApiId: !Ref Api}}
        Update: {Type: HttpApi, Properties: {Path: "/things/{id}", Method: PATCH}}
        Queued: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
  Read:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Get: {Type: HttpApi, Properties: {Path: "/things/{id}", Method: GET}}
        Special: {Type: HttpApi, Properties: {Path: /things/special, Method: GET}}
        Child: {Type: HttpApi, Properties: {Path: "/things/{id}/parts/{part}", Method: GET}}
        Files: {Type: HttpApi, Properties: {Path: "/files/{path+}", Method: any}}
        Health: {Type: HttpApi, Properties: {Path: /health, Method: GET}}
  Sweep:
    Type: AWS::Serverless::Function
    Properties: {Events: {Nightly: {Type: Schedule}}}
`

const defaultRoute = `
        Rest: {Type: HttpApi}
`

// freshHandler is a function that lambda.NewHandler accepts. Each invocation has a handler of its own, as in the
// local stack, because the next invocation of a handler overwrites the response of the last.
type freshHandler struct{ function any }

func (h freshHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return lambda.NewHandler(h.function).Invoke(ctx, payload)
}

// newHandlers returns one handler as every function of the test template.
func newHandlers(handler any) map[string]lambda.Handler {
	h := freshHandler{handler}
	return map[string]lambda.Handler{"Write": h, "Read": h, "Sweep": h}
}

// echoEvent returns its event as the body of the response.
func echoEvent(_ context.Context, event json.RawMessage) (events.APIGatewayV2HTTPResponse, error) {
	return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Body: string(event)}, nil
}

func serveGateway(t *testing.T, config Config) *httptest.Server {
	t.Helper()
	if config.Template == nil {
		config.Template = []byte(testTemplate)
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	gateway, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gateway)
	t.Cleanup(server.Close)
	return server
}

func sendRequest(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// receivedEvent sends a request to a gateway of echoEvent and returns the event.
func receivedEvent(t *testing.T, server *httptest.Server, r *http.Request) events.APIGatewayV2HTTPRequest {
	t.Helper()
	response, body := sendRequest(t, r)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", r.Method, r.URL, response.StatusCode, body)
	}
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Apigw-Requestid"); got != event.RequestContext.RequestID || got == "" {
		t.Errorf("request id %q in the response, %q in the event", got, event.RequestContext.RequestID)
	}
	if !strings.HasPrefix(server.URL, "http://"+event.RequestContext.DomainName) {
		t.Errorf("domain name is %q", event.RequestContext.DomainName)
	}
	return event
}

func TestGatewayEvent(t *testing.T) {
	t.Parallel()
	server := serveGateway(t, Config{Functions: newHandlers(echoEvent), Authorizer: Authorizer()})
	r := newRequest(t, http.MethodPatch, server.URL+"/things/caf%C3%A9%20%2B1?a=1&b=x%20y+z&a=2&flag&c=%zz", `{"a":1}`)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Add("X-Many", "one")
	r.Header.Add("X-Many", "two")
	r.Header.Set("User-Agent", "probe/1")
	r.Header.Add("Cookie", "a=1; b=2")
	r.Header.Add("Cookie", "c=3")
	got := receivedEvent(t, server, r)
	want := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "PATCH /things/{id}",
		RawPath:        "/things/café +1",
		RawQueryString: "a=1&b=x%20y+z&a=2&flag&c=%zz",
		Cookies:        []string{"a=1", "b=2", "c=3"},
		Headers: map[string]string{
			"accept-encoding": "gzip", "content-length": "7", "content-type": "application/json; charset=utf-8",
			"host": r.Host, "user-agent": "probe/1", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
			"x-many": "one,two",
		},
		QueryStringParameters: map[string]string{"a": "1,2", "b": "x y z", "flag": "", "c": "%zz"},
		PathParameters:        map[string]string{"id": "café +1"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "PATCH /things/{id}", AccountID: "000000000000", Stage: "$default", APIID: "local",
			DomainName: "127.0.0.1", DomainPrefix: "local", Authorizer: Authorizer(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: "PATCH", Path: "/things/café +1", Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: "probe/1",
			},
		},
		Body: `{"a":1}`,
	}
	ignored := cmpopts.IgnoreFields(events.APIGatewayV2HTTPRequestContext{}, "RequestID", "Time", "TimeEpoch")
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Error("event (-want +got):\n" + diff)
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", got.RequestContext.Time)
	if err != nil || at.Unix() != got.RequestContext.TimeEpoch/1000 {
		t.Errorf("time %q and epoch %d: %v", got.RequestContext.Time, got.RequestContext.TimeEpoch, err)
	}
}

func TestGatewayMinimalEvent(t *testing.T) {
	t.Parallel()
	server := serveGateway(t, Config{Functions: newHandlers(echoEvent), Authorizer: Authorizer()})
	_, body := sendRequest(t, newRequest(t, http.MethodGet, server.URL+"/health", ""))
	for _, absent := range []string{`"authorizer"`, `"queryStringParameters"`, `"pathParameters"`, `"cookies"`, `"body"`} {
		if strings.Contains(body, absent) {
			t.Errorf("event has %s: %s", absent, body)
		}
	}
}

func TestGatewayIdentity(t *testing.T) {
	t.Parallel()
	other := &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::1:role/reader"},
	}
	for name, want := range map[string]*events.APIGatewayV2HTTPRequestContextAuthorizerDescription{"none": nil, "other": other} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveGateway(t, Config{Functions: newHandlers(echoEvent), Authorizer: want})
			got := receivedEvent(t, server, newRequest(t, http.MethodGet, server.URL+"/things/1", ""))
			if diff := cmp.Diff(want, got.RequestContext.Authorizer); diff != "" {
				t.Error("authorizer (-want +got):\n" + diff)
			}
		})
	}
}

func TestGatewayBody(t *testing.T) {
	t.Parallel()
	server := serveGateway(t, Config{Functions: newHandlers(echoEvent)})
	tests := []struct {
		name, contentType, body string
		encoded                 bool
	}{
		{name: "JSON", contentType: "Application/JSON;charset=utf-8", body: `"é"`},
		{name: "text", contentType: "text/csv", body: "a,b"},
		{name: "XML", contentType: "application/xml", body: "<a/>"},
		{name: "JSON that is not UTF-8", contentType: "application/json", body: "\"\xff\"", encoded: true},
		{name: "another JSON type", contentType: "application/merge-patch+json", body: "{}", encoded: true},
		{name: "bytes", contentType: "application/octet-stream", body: "\x00\x01", encoded: true},
		{name: "form", contentType: "application/x-www-form-urlencoded", body: "a=b", encoded: true},
		{name: "no type", body: "{}", encoded: true},
		{name: "empty", contentType: "application/octet-stream", body: ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRequest(t, http.MethodPost, server.URL+"/things", test.body)
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			got := receivedEvent(t, server, r)
			want := test.body
			if test.encoded {
				want = base64.StdEncoding.EncodeToString([]byte(test.body))
			}
			if got.Body != want || got.IsBase64Encoded != test.encoded {
				t.Errorf("body %q, base64 %t; want %q, %t", got.Body, got.IsBase64Encoded, want, test.encoded)
			}
		})
	}
}

func TestGatewayRoutes(t *testing.T) {
	t.Parallel()
	bare := serveGateway(t, Config{Functions: newHandlers(echoEvent)})
	full := serveGateway(t, Config{Functions: newHandlers(echoEvent), Template: []byte(strings.Replace(testTemplate,
		"        Health:", defaultRoute[1:]+"        Health:", 1))})
	tests := []struct {
		method, path string
		want         string // the route, empty if none matches
		values       map[string]string
	}{
		{method: "GET", path: "/things/special", want: "GET /things/special"},
		{method: "GET", path: "/things/1", want: "GET /things/{id}", values: map[string]string{"id": "1"}},
		{method: "GET", path: "/things/1/parts/2", want: "GET /things/{id}/parts/{part}", values: map[string]string{"id": "1", "part": "2"}},
		{method: "POST", path: "/things", want: "POST /things"},
		{method: "PUT", path: "/files/a/b%20c", want: "ANY /files/{path+}", values: map[string]string{"path": "a/b c"}},
		{method: "GET", path: "/files/"},
		{method: "GET", path: "/things"},
		{method: "GET", path: "/things/"},
		{method: "GET", path: "/things/1/"},
		{method: "GET", path: "/things/a%2Fb"},
		{method: "HEAD", path: "/things/1"},
		{method: "OPTIONS", path: "/things/1"},
		{method: "OPTIONS", path: "/files/a", want: "ANY /files/{path+}", values: map[string]string{"path": "a"}},
		{method: "GET", path: "//things/1"},
	}
	for _, test := range tests {
		t.Run(test.method+test.path, func(t *testing.T) {
			t.Parallel()
			response, body := sendRequest(t, newRequest(t, test.method, bare.URL+test.path, ""))
			if test.want == "" {
				checkRefusal(t, response, body, http.StatusNotFound, test.method)
			}
			if test.method == http.MethodHead {
				return // a response to HEAD has no body
			}
			event := receivedEvent(t, full, newRequest(t, test.method, full.URL+test.path, ""))
			want := test.want
			if want == "" {
				want = "$default"
			}
			if event.RouteKey != want || event.RequestContext.RouteKey != want {
				t.Errorf("route %q, %q, want %q", event.RouteKey, event.RequestContext.RouteKey, want)
			}
			if diff := cmp.Diff(test.values, event.PathParameters); diff != "" {
				t.Error("path parameters (-want +got):\n" + diff)
			}
		})
	}
}

// checkRefusal checks an error response of the gateway itself.
func checkRefusal(t *testing.T, response *http.Response, body string, status int, method string) {
	t.Helper()
	want := `{"message":"` + http.StatusText(status) + `"}`
	if method == http.MethodHead {
		want = ""
	}
	if response.StatusCode != status || body != want || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("response is %d %q %v, want %d %q", response.StatusCode, body, response.Header, status, want)
	}
}

func TestGatewayResponse(t *testing.T) {
	t.Parallel()
	type result struct {
		Status      int
		ContentType string
		Body        string
		Cookies     []string
	}
	tests := []struct {
		name     string
		response any
		want     result
	}{
		{
			name: "text", response: events.APIGatewayV2HTTPResponse{StatusCode: 201, Body: "made"},
			want: result{Status: 201, ContentType: "text/plain;charset=UTF-8", Body: "made"},
		},
		{
			name: "type and cookies",
			response: events.APIGatewayV2HTTPResponse{
				StatusCode: 409, Headers: map[string]string{"content-type": "application/problem+json"}, Cookies: []string{"a=1", "b=2"},
			},
			want: result{Status: 409, ContentType: "application/problem+json", Cookies: []string{"a=1", "b=2"}},
		},
		{
			name:     "base64",
			response: events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "AAE=", IsBase64Encoded: true},
			want:     result{Status: 200, ContentType: "text/plain;charset=UTF-8", Body: "\x00\x01"},
		},
		{
			name: "no status code", response: map[string]int{"n": 1},
			want: result{Status: 200, ContentType: "application/json", Body: `{"n":1}`},
		},
		{name: "not an object", response: "text", want: result{Status: 200, ContentType: "application/json", Body: `"text"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serveGateway(t, Config{Functions: newHandlers(func() (any, error) { return test.response, nil })})
			response, body := sendRequest(t, newRequest(t, http.MethodGet, server.URL+"/health", ""))
			got := result{response.StatusCode, response.Header.Get("Content-Type"), body, response.Header.Values("Set-Cookie")}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("response (-want +got):\n" + diff)
			}
		})
	}
}

func TestGatewayFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler any
		body    string
		status  int
		logged  string
	}{
		{name: "error", handler: func() error { return errors.New("secret reason") }, status: 500, logged: "secret reason"},
		{name: "panic", handler: func() error { panic("broken") }, status: 500, logged: "broken"},
		{name: "status out of range", status: 500, logged: "status 42", handler: func() (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 42}, nil
		}},
		{name: "body is not base64", status: 500, logged: "decode response body", handler: func() (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "?", IsBase64Encoded: true}, nil
		}},
		{name: "status that is not a number", status: 500, logged: "read response", handler: func() (map[string]string, error) {
			return map[string]string{"statusCode": "many"}, nil
		}},
		{name: "response over 6 MB", status: 500, logged: "exceeds the maximum", handler: func() (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: strings.Repeat("x", maxPayload)}, nil
		}},
		{name: "body over 10 MB", status: 413, handler: echoEvent, body: strings.Repeat("x", maxRequest+1)},
		{name: "event over 6 MB", status: 413, handler: echoEvent, body: strings.Repeat("x", maxPayload)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			server := serveGateway(t, Config{Functions: newHandlers(test.handler), Log: slog.New(slog.NewTextHandler(&log, nil))})
			r := newRequest(t, http.MethodPost, server.URL+"/things", test.body)
			r.Header.Set("Content-Type", "text/plain")
			response, body := sendRequest(t, r)
			checkRefusal(t, response, body, test.status, r.Method)
			lines := strings.Count(log.String(), "\n")
			if !strings.Contains(log.String(), test.logged) || lines > 1 || test.logged == "" && lines > 0 {
				t.Errorf("log is %q, want one line with %q", log.String(), test.logged)
			}
		})
	}
}

func TestGatewayTimeouts(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	stall := func() error {
		<-release
		return nil
	}
	integration := serveGateway(t, Config{Functions: newHandlers(stall), Timeout: 10 * time.Millisecond})
	response, body := sendRequest(t, newRequest(t, http.MethodGet, integration.URL+"/health", ""))
	checkRefusal(t, response, body, http.StatusServiceUnavailable, http.MethodGet)

	own := serveGateway(t, Config{Functions: newHandlers(stall), Template: []byte(strings.Replace(testTemplate, "Timeout: 5", "Timeout: 1", 1))})
	response, body = sendRequest(t, newRequest(t, http.MethodGet, own.URL+"/health", ""))
	checkRefusal(t, response, body, http.StatusInternalServerError, http.MethodGet)
}

func TestGatewayContext(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ids := map[string]bool{}
	deadlines := map[string]time.Time{}
	observe := func(name string) lambda.Handler {
		return freshHandler{func(ctx context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			lc, _ := lambdacontext.FromContext(ctx)
			deadlines[name], _ = ctx.Deadline()
			ids[lc.AwsRequestID] = true
			return lc.InvokedFunctionArn, nil
		}}
	}
	functions := map[string]lambda.Handler{"Write": observe("Write"), "Read": observe("Read")}
	server := serveGateway(t, Config{Functions: functions})
	before := time.Now()
	for _, r := range []*http.Request{
		newRequest(t, http.MethodGet, server.URL+"/health", ""),
		newRequest(t, http.MethodPost, server.URL+"/things", "{}"),
	} {
		if _, body := sendRequest(t, r); !strings.Contains(body, ":function:") {
			t.Errorf("%s: the function's ARN is %s", r.URL, body)
		}
	}
	after := time.Now()
	for name, timeout := range map[string]time.Duration{"Read": 5 * time.Second, "Write": 7 * time.Second} {
		if got := deadlines[name]; got.Before(before.Add(timeout)) || got.After(after.Add(timeout)) {
			t.Errorf("the deadline of %s is %v, want %v from the request", name, got, timeout)
		}
	}
	if len(ids) != 2 || ids[""] {
		t.Errorf("request ids are %v, want two", ids)
	}
}

// TestGatewayClientDisconnects checks that a client that disconnects does not cancel the function.
func TestGatewayClientDisconnects(t *testing.T) {
	t.Parallel()
	inside, left, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	server := serveGateway(t, Config{Functions: newHandlers(func(ctx context.Context) error {
		close(inside)
		<-left
		result <- ctx.Err()
		return nil
	})})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-inside
		cancel()
	}()
	if _, err := http.DefaultTransport.RoundTrip(newRequest(t, http.MethodGet, server.URL+"/health", "").WithContext(ctx)); err == nil {
		t.Error("a cancelled request has a response")
	}
	close(left)
	if err := <-result; err != nil {
		t.Errorf("the function's context: %v", err)
	}
}

func TestNewGatewayErrors(t *testing.T) {
	t.Parallel()
	function := func(properties string) string {
		return "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: " + properties + "\n"
	}
	route := func(properties string) string {
		return function("{Events: {E: {Type: HttpApi, Properties: " + properties + "}}}")
	}
	f := map[string]lambda.Handler{"F": freshHandler{echoEvent}}
	tests := []struct {
		name, template, want string
		functions            map[string]lambda.Handler
	}{
		{name: "not YAML", template: "\tResources", want: "read template"},
		{name: "no functions", template: "Resources: {}", want: "no AWS::Serverless::Function"},
		{name: "no handler", template: route("{Path: /a, Method: GET}"), want: "function F of the template has routes but no handler"},
		{name: "unknown handler", template: function("{}"), functions: map[string]lambda.Handler{"G": nil}, want: "the template has no function G"},
		{name: "path without slash", template: route("{Path: a, Method: GET}"), functions: f, want: "must begin with a slash"},
		{name: "greedy variable inside", template: route(`{Path: "/{a+}/b", Method: GET}`), functions: f, want: "that is not last"},
		{name: "timeout", template: function("{Timeout: soon}"), functions: f, want: "Timeout"},
		{name: "timeout of zero", template: function("{Timeout: 0}"), functions: f, want: "Timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Template: []byte(test.template), Functions: test.functions})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRouteOrder(t *testing.T) {
	t.Parallel()
	// In order of precedence; each matches GET /pets/dog/1.
	ordered := []struct{ method, path string }{
		{"GET", "/pets/dog/1"},
		{"ANY", "/pets/dog/1"},
		{"GET", "/pets/dog/{id}"},
		{"ANY", "/pets/dog/{id}"},
		{"GET", "/pets/{kind}/1"},
		{"GET", "/pets/{kind}/{id}"},
		{"GET", "/pets/dog/{rest+}"},
		{"GET", "/pets/{rest+}"},
		{"GET", "/{rest+}"},
		{"ANY", "/{rest+}"},
		{"", "$default"},
	}
	for i := range ordered {
		for j := range ordered {
			first, err := parseRoute(ordered[i].method, ordered[i].path)
			if err != nil {
				t.Fatal(err)
			}
			second, err := parseRoute(ordered[j].method, ordered[j].path)
			if err != nil {
				t.Fatal(err)
			}
			if _, matches := first.matchRequest("GET", splitSegments("/pets/dog/1")); !matches {
				t.Errorf("%s does not match", first.routeKey())
			}
			if got := first.comparePrecedence(second) < 0; got != (i < j) {
				t.Errorf("%s before %s is %t", first.routeKey(), second.routeKey(), got)
			}
		}
	}
}
