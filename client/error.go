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

// What an *Error may be, by its status. The ones not named here are told apart by StatusCode.
var (
	// ErrInvalid (400, 422): the request is wrong, and Problem.Errors names each fault. Change it; again will not help.
	ErrInvalid = errors.New("invalid request")
	// ErrUnauthenticated (401): the service does not know who asks. Give a valid identity, see WithSigner.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrForbidden (403): the identity may not do this.
	ErrForbidden = errors.New("not allowed")
	// ErrNotFound (404): there is no such remediation.
	ErrNotFound = errors.New("not found")
	// ErrConflict (409): the key is taken by other content, or the remediation changes no more. Read it and decide.
	ErrConflict = errors.New("conflict")
	// ErrTooLarge (413): send less at once.
	ErrTooLarge = errors.New("request too large")
	// ErrRateLimited (429): come back after RetryAfter.
	ErrRateLimited = errors.New("too many requests")
	// ErrUnavailable (502, 503, 504): the service cannot answer now. Come back after RetryAfter.
	ErrUnavailable = errors.New("service unavailable")
)

// maxRetryAfter keeps an absurd Retry-After from overflowing a duration.
const maxRetryAfter = 24 * time.Hour

// Error is an answer that refuses. errors.Is tells its kind, errors.As its particulars.
type Error struct {
	// StatusCode is the HTTP status.
	StatusCode int
	// Problem is the answer's body (RFC 9457). When something before the service answered, such as a gateway, Type is empty
	// and Detail says what was understood of its answer.
	Problem Problem
	// RetryAfter is how long the answer asks to wait; 0 when it does not.
	RetryAfter time.Duration
	// RequestID finds the request in the logs of the service or the gateway; empty when the answer names none.
	RequestID string
}

// Error is one line: status, title, detail, every fault with its field, and the request id.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s", e.StatusCode, e.Problem.Title)
	if e.Problem.Detail != "" {
		fmt.Fprintf(&text, ": %s", e.Problem.Detail)
	}
	for _, fault := range e.Problem.Errors {
		text.WriteString("; " + strings.TrimPrefix(fault.Field+": "+fault.Detail, ": "))
	}
	if e.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", e.RequestID)
	}
	return text.String()
}

// Unwrap is the kind of the error, one of the variables above, or nil.
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

func (e *Error) passing() bool {
	crashed := e.StatusCode == http.StatusInternalServerError && e.Problem.Type == ""
	return crashed || errors.Is(e, ErrUnavailable) || errors.Is(e, ErrRateLimited)
}

func newError(a *answer) *Error {
	e := &Error{StatusCode: a.status, Problem: problemOf(a), RetryAfter: retryAfter(a.header.Get("Retry-After"), time.Now())}
	e.RequestID = cmp.Or(e.Problem.RequestID, a.header.Get("Apigw-Requestid"), a.header.Get("X-Amzn-Requestid"))
	return e
}

// problemOf reads problem details, or makes them of what something before the service answered.
func problemOf(a *answer) Problem {
	var body struct {
		Problem
		// Message is API Gateway's whole answer.
		Message string `json:"message"`
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if !strings.HasSuffix(kind, "json") || json.Unmarshal(a.body, &body) != nil {
		body.Problem = Problem{Detail: fmt.Sprintf("the answer is not the service's own (content type %q)", kind)}
	}
	problem := body.Problem
	problem.Status = a.status
	problem.Title = cmp.Or(problem.Title, http.StatusText(a.status), "unknown status")
	if body.Message != problem.Title {
		problem.Detail = cmp.Or(problem.Detail, body.Message)
	}
	return problem
}

// retryAfter reads either form of the header, RFC 9110, 10.2.3.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
