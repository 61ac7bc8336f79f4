package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The kinds of an *Error, by status. Errors with other statuses do not have a kind.
var (
	// ErrInvalid (400, 422): the request is invalid; Problem.Errors lists what to change. Retrying
	// does not help.
	ErrInvalid = errors.New("invalid request")
	// ErrUnauthenticated (401): the request has no valid credentials; see WithSigner.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrForbidden (403): the identity is not allowed to do this.
	ErrForbidden = errors.New("not allowed")
	// ErrNotFound (404): there is no such remediation.
	ErrNotFound = errors.New("not found")
	// ErrConflict (409): other content is stored under the key, or the remediation has ended. Read
	// it and decide.
	ErrConflict = errors.New("conflict")
	// ErrTooLarge (413): send less in one request.
	ErrTooLarge = errors.New("request too large")
	// ErrRateLimited (429): retry after RetryAfter.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable (502, 503, 504): the service is temporarily unavailable. Retry after RetryAfter.
	ErrUnavailable = errors.New("service unavailable")
)

// maxRetryAfter keeps a large Retry-After from overflowing a duration.
const maxRetryAfter = 24 * time.Hour

// Error is a response with an error status. errors.Is finds its kind, errors.As its details.
type Error struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Problem is the body of the response (RFC 9457). If the response comes from elsewhere, for
	// example from API Gateway, Type is empty and Detail describes it.
	Problem Problem
	// RetryAfter is the wait that the response requests, or 0.
	RetryAfter time.Duration
	// RequestID identifies the request in the logs of the service and of API Gateway. It may be empty.
	RequestID string
}

// Error returns one line: status, title, detail, each validation error with its field, and the
// request id.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s", e.StatusCode, e.Problem.Title)
	if e.Problem.Detail != "" {
		fmt.Fprintf(&text, ": %s", e.Problem.Detail)
	}
	for _, invalid := range e.Problem.Errors {
		text.WriteString("; " + strings.TrimPrefix(invalid.Field+": "+invalid.Detail, ": "))
	}
	if e.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", e.RequestID)
	}
	return text.String()
}

// Unwrap returns the kind of the error, one of the variables above, or nil.
func (e *Error) Unwrap() error {
	switch e.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	default:
		return nil
	}
}

func (e *Error) isTemporary() bool {
	crashed := e.StatusCode == http.StatusInternalServerError && e.Problem.Type == ""
	return crashed || errors.Is(e, ErrUnavailable) || errors.Is(e, ErrRateLimited)
}

func newErrorFromResponse(response *fullResponse) *Error {
	e := &Error{StatusCode: response.status, Problem: parseProblem(response), RetryAfter: parseRetryAfter(response.header.Get("Retry-After"), time.Now())}
	e.RequestID = cmp.Or(e.Problem.RequestID, response.header.Get("Apigw-Requestid"), response.header.Get("X-Amzn-Requestid"))
	return e
}

// parseProblem reads problem details, or makes them from a response that the service did not send.
func parseProblem(response *fullResponse) Problem {
	var body struct {
		Problem
		// Message is the only member of API Gateway's own responses.
		Message string `json:"message"`
	}
	kind, _, _ := mime.ParseMediaType(response.header.Get("Content-Type"))
	if !strings.HasSuffix(kind, "json") || json.Unmarshal(response.body, &body) != nil {
		body.Problem = Problem{Detail: fmt.Sprintf("the response is not the service's own (content type %q)", kind)}
	}
	problem := body.Problem
	problem.Status = response.status
	problem.Title = cmp.Or(problem.Title, http.StatusText(response.status), "unknown status")
	if body.Message != problem.Title {
		problem.Detail = cmp.Or(problem.Detail, body.Message)
	}
	return problem
}

// parseRetryAfter reads either form of the header (RFC 9110, section 10.2.3).
func parseRetryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
