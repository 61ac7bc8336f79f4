package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

var (
	errUnauthenticated = errors.New("the request carries no identity")
	errForbidden       = errors.New("not allowed")
	errMediaType       = errors.New("the body must be application/json in UTF-8; send the header Content-Type: application/json")
	errTooLarge        = fmt.Errorf("the body is larger than %d bytes", MaxBody)
	errAnswerTooLarge  = errors.New("the answer would be larger than can be sent; ask for less with limit or per_signature")
	errRoute           = errors.New("there is no such path")
)

// methodError is a known path with a method it does not have.
type methodError struct{ allow []string }

func (e methodError) Error() string { return "this path has " + strings.Join(e.allow, ", ") }

func noRoute(method, path string) error {
	allow := allowedMethods(path)
	if allow == nil || slices.Contains(allow, method) {
		return errRoute
	}
	return methodError{allow: allow}
}

// row is one kind of problem. Its type is a URN, stable, for programs; the title never changes with the occurrence (RFC 9457).
type row struct {
	status int
	name   string
	title  string
}

// status is the table: every error of the service, the first that fits.
func status(err error) row {
	var faults audit.ValidationErrors
	var contradiction audit.Contradiction
	var method methodError
	switch {
	case errors.As(err, &contradiction):
		return row{http.StatusUnprocessableEntity, "unprocessable", "The stored record does not allow these values"}
	case errors.As(err, &faults) && tooLarge(faults), errors.Is(err, errTooLarge):
		return row{http.StatusRequestEntityTooLarge, "too-large", "The request is too large"}
	case errors.As(err, &faults):
		return row{http.StatusBadRequest, "invalid", "The request is not valid"}
	case errors.Is(err, errAnswerTooLarge):
		return row{http.StatusBadRequest, "answer-too-large", "The answer would be too large"}
	case errors.Is(err, errUnauthenticated):
		return row{http.StatusUnauthorized, "unauthenticated", "Authentication is required"}
	case errors.Is(err, errForbidden):
		return row{http.StatusForbidden, "forbidden", "The caller may not do this"}
	case errors.Is(err, errRoute), errors.Is(err, audit.ErrNotFound):
		return row{http.StatusNotFound, "not-found", "Not found"}
	case errors.As(err, &method):
		return row{http.StatusMethodNotAllowed, "method-not-allowed", "The path does not have this method"}
	case errors.Is(err, audit.ErrConflict):
		return row{http.StatusConflict, "conflict", "The stored record does not allow this"}
	case errors.Is(err, errMediaType):
		return row{http.StatusUnsupportedMediaType, "unsupported-media-type", "The content type is not supported"}
	case errors.Is(err, audit.ErrRefused):
		return row{http.StatusUnprocessableEntity, "refused", "The record breaks a rule of the database"}
	case errors.Is(err, audit.ErrUnavailable), expired(err):
		return row{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable"}
	default:
		return row{http.StatusInternalServerError, "internal", "Internal error"}
	}
}

func tooLarge(faults audit.ValidationErrors) bool {
	return slices.ContainsFunc(faults, func(f audit.ValidationError) bool { return f.Code == audit.CodeSize && f.Field == "" })
}

// retryAfter is the wait that is asked for with 503, in seconds: as long as a database fail-over's first moments, short
// enough for a caller that waits.
const retryAfter = "2"

// problemAnswer turns an error into an RFC 9457 answer.
func problemAnswer(r *Request, err error) *Response {
	problem := problemOf(r, err)
	answer := &Response{Status: problem.Status, Body: problem, contentType: "application/problem+json"}
	var method methodError
	switch {
	case errors.As(err, &method):
		answer.header("Allow", strings.Join(method.allow, ", "))
	case problem.Status == http.StatusServiceUnavailable:
		answer.header("Retry-After", retryAfter)
	case problem.Status == http.StatusUnauthorized:
		answer.header("WWW-Authenticate", "Bearer")
	}
	return answer
}

func problemOf(r *Request, err error) *client.Problem {
	r.reportFaults(faultsOf(err))
	problem := Problem(err)
	problem.Instance, problem.RequestID = r.Path(), r.ID()
	return problem
}

// Problem is an error as the service tells it: nothing of a driver, of SQL or of the values that were sent.
func Problem(err error) *client.Problem {
	row := status(err)
	problem := &client.Problem{
		Type: "urn:datastorage:problem:" + row.name, Title: row.title, Status: row.status, Detail: detail(row.status, err),
	}
	if faults := faultsOf(err); faults != nil {
		problem.Errors = mapped(faults, func(f audit.ValidationError) client.FieldError {
			return client.FieldError{Field: f.Field, Code: f.Code, Detail: f.Detail}
		})
	}
	return problem
}

func faultsOf(err error) audit.ValidationErrors {
	var faults audit.ValidationErrors
	errors.As(err, &faults)
	return faults
}

// detail is the sentence for the caller. Errors of dependencies say nothing here: their text is the log's.
func detail(status int, err error) string {
	var conflict audit.Conflict
	switch {
	case errors.As(err, &conflict):
		return conflict.Error()
	case errors.Is(err, audit.ErrNotFound):
		return audit.ErrNotFound.Error()
	case errors.Is(err, audit.ErrRefused):
		return audit.ErrRefused.Error()
	case status == http.StatusServiceUnavailable:
		return "A dependency did not answer in time. The same request may be sent again: nothing is stored twice."
	case status == http.StatusInternalServerError:
		return "A fault of the service; it is in the log under the request_id."
	case faultsOf(err) != nil:
		return fmt.Sprintf("%d of the values sent cannot be accepted; see errors.", len(faultsOf(err)))
	default:
		return err.Error()
	}
}
