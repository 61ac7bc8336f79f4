package client_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
)

var sentinels = map[string]error{
	"invalid": client.ErrInvalid, "unauthenticated": client.ErrUnauthenticated, "forbidden": client.ErrForbidden,
	"not found": client.ErrNotFound, "conflict": client.ErrConflict, "too large": client.ErrTooLarge,
	"rate limited": client.ErrRateLimited, "unavailable": client.ErrUnavailable,
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.HandlerFunc
		is      string
		want    client.Error
		text    string
	}{
		{
			name: "problem with field errors", is: "invalid",
			handler: respondProblem(400, `{"type":"/problems/invalid","title":"Invalid input","status":400,"detail":"2 errors",`+
				`"instance":"/v1/remediations","request_id":"q-1","errors":[{"field":"name","code":"required","detail":"is missing"},`+
				`{"field":"","code":"malformed_json","detail":"more than one value"}]}`),
			want: client.Error{StatusCode: 400, RequestID: "q-1", Problem: client.Problem{
				Type: "/problems/invalid", Title: "Invalid input", Status: 400, Detail: "2 errors", Instance: "/v1/remediations",
				RequestID: "q-1", Errors: []client.FieldError{
					{Field: "name", Code: "required", Detail: "is missing"},
					{Code: "malformed_json", Detail: "more than one value"},
				},
			}},
			text: "getRemediation: 400 Invalid input: 2 errors; name: is missing; more than one value (request q-1)",
		},
		{
			name: "422", is: "invalid", handler: respondProblem(422, `{"type":"t","title":"T","status":422}`),
			want: client.Error{StatusCode: 422, Problem: client.Problem{Type: "t", Title: "T", Status: 422}},
			text: "getRemediation: 422 T",
		},
		{
			name: "the gateway's 401", is: "unauthenticated",
			handler: respondWith(401, "application/json", `{"message":"Unauthorized"}`, "Apigw-Requestid", "gw-7"),
			want:    client.Error{StatusCode: 401, RequestID: "gw-7", Problem: client.Problem{Title: "Unauthorized", Status: 401}},
			text:    "getRemediation: 401 Unauthorized (request gw-7)",
		},
		{
			name: "the gateway's 403", is: "forbidden",
			handler: respondWith(403, "application/json", `{"message":"User is not authorized"}`, "X-Amzn-Requestid", "gw-8"),
			want: client.Error{StatusCode: 403, RequestID: "gw-8", Problem: client.Problem{
				Title: "Forbidden", Status: 403, Detail: "User is not authorized",
			}},
			text: "getRemediation: 403 Forbidden: User is not authorized (request gw-8)",
		},
		{
			name: "404", is: "not found", handler: respondProblem(404, `{"type":"t","title":"Not found","status":404}`),
			want: client.Error{StatusCode: 404, Problem: client.Problem{Type: "t", Title: "Not found", Status: 404}},
			text: "getRemediation: 404 Not found",
		},
		{
			name: "409", is: "conflict", handler: respondProblem(409, `{"type":"t","title":"Conflict","status":409}`),
			want: client.Error{StatusCode: 409, Problem: client.Problem{Type: "t", Title: "Conflict", Status: 409}},
			text: "getRemediation: 409 Conflict",
		},
		{
			name: "a proxy's 413", is: "too large", handler: respondWith(413, "text/html", "<html><h1>413</h1>"),
			want: client.Error{StatusCode: 413, Problem: client.Problem{
				Title: "Request Entity Too Large", Status: 413, Detail: `the response is not the service's own (content type "text/html")`,
			}},
			text: `getRemediation: 413 Request Entity Too Large: the response is not the service's own (content type "text/html")`,
		},
		{
			name: "429", is: "rate limited", handler: respondProblem(429, `{"type":"t","title":"Slow down","status":429}`, "Retry-After", "0"),
			want: client.Error{StatusCode: 429, Problem: client.Problem{Type: "t", Title: "Slow down", Status: 429}},
			text: "getRemediation: 429 Slow down",
		},
		{
			name: "503 that asks to wait", is: "unavailable",
			handler: respondProblem(503, `{"type":"t","title":"Unavailable","status":503}`, "Retry-After", "7"),
			want: client.Error{
				StatusCode: 503, RetryAfter: 7 * time.Second, Problem: client.Problem{Type: "t", Title: "Unavailable", Status: 503},
			},
			text: "getRemediation: 503 Unavailable",
		},
		{
			name: "a proxy's 502 with an empty body", is: "unavailable", handler: respondWith(502, "", ""),
			want: client.Error{StatusCode: 502, Problem: client.Problem{
				Title: "Bad Gateway", Status: 502, Detail: `the response is not the service's own (content type "")`,
			}},
			text: `getRemediation: 502 Bad Gateway: the response is not the service's own (content type "")`,
		},
		{
			name: "JSON that is cut off", is: "unavailable", handler: respondProblem(504, `{"type":"t`),
			want: client.Error{StatusCode: 504, Problem: client.Problem{
				Title: "Gateway Timeout", Status: 504,
				Detail: `the response is not the service's own (content type "application/problem+json")`,
			}},
			text: `getRemediation: 504 Gateway Timeout: the response is not the service's own (content type "application/problem+json")`,
		},
		{
			name: "an unknown status", handler: respondProblem(599, `{"type":"t"}`),
			want: client.Error{StatusCode: 599, Problem: client.Problem{Type: "t", Title: "unknown status", Status: 599}},
			text: "getRemediation: 599 unknown status",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handler)
			_, err := s.client(t, withQuickRetries(1)).GetRemediation(t.Context(), "r-1")
			got, isRefusal := errors.AsType[*client.Error](err)
			if !isRefusal {
				t.Fatalf("error %v is not a *client.Error", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("(-want +got): %s", diff)
			}
			if err.Error() != test.text {
				t.Errorf("text %q, want %q", err, test.text)
			}
			for name, sentinel := range sentinels {
				if errors.Is(err, sentinel) != (name == test.is) {
					t.Errorf("errors.Is(err, %s) = %t", name, name != test.is)
				}
			}
		})
	}
}

func TestRetryAfterForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, header string
		least, most  time.Duration
	}{
		{"seconds", "3", 3 * time.Second, 3 * time.Second},
		{"negative", "-3", 0, 0},
		{"absurd", "99999999999", 24 * time.Hour, 24 * time.Hour},
		{"beyond int", "9999999999999999999999", 0, 0},
		{"words", "soon", 0, 0},
		{"a date to come", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 50 * time.Minute, time.Hour},
		{"a date gone", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, respondProblem(503, `{"type":"t","title":"T"}`, "Retry-After", test.header))
			_, err := s.client(t, withQuickRetries(1)).Health(t.Context())
			got, _ := errors.AsType[*client.Error](err)
			if got == nil || got.RetryAfter < test.least || got.RetryAfter > test.most {
				t.Errorf("%v, want a wait of %v to %v", err, test.least, test.most)
			}
		})
	}
}

func TestReadyReturnsTheChecksWithTheError(t *testing.T) {
	t.Parallel()
	s := serve(t,
		respondWith(503, "application/json", `{"status":"unavailable","checks":[
			{"name":"postgresql","status":"failed","latency_ms":1000,"detail":"no response"},
			{"name":"pgvector","status":"failed","latency_ms":0},{"name":"embedding","status":"ok","latency_ms":0}]}`, "Retry-After", "2"),
		respondWith(503, "application/json", `{"message":"Service Unavailable"}`))
	c := s.client(t)
	readiness, err := c.Ready(t.Context())
	refusal, _ := errors.AsType[*client.Error](err)
	if readiness == nil || len(readiness.Checks) != 3 || refusal == nil || refusal.RetryAfter != 2*time.Second {
		t.Errorf("not ready: %+v, %v", readiness, err)
	}
	if !strings.HasSuffix(err.Error(), "not ready: postgresql: no response; pgvector") {
		t.Errorf("the error does not name the failed parts: %v", err)
	}
	if readiness, err := c.Ready(t.Context()); readiness != nil || !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("refused by the gateway: %+v, %v", readiness, err)
	}
	if got := len(s.requests()); got != 2 {
		t.Errorf("%d requests for two calls", got)
	}
}

func TestInvalidResponses(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"a page of a captive portal": respondWith(200, "text/html", "<html>sign in</html>"),
		"another type":               respondOK(`{"id":"seven"}`),
		"nothing":                    respondOK(``),
		"far too long":               respondOK(`{"metadata":"` + strings.Repeat("x", 16<<20) + `"}`),
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, handler)
			if got, err := s.client(t).GetRemediation(t.Context(), "r-1"); err == nil || got != nil {
				t.Errorf("%+v, %v; want an error", got, err)
			}
			if got := len(s.requests()); got != 1 {
				t.Errorf("%d requests; a retry would not help", got)
			}
		})
	}
}
