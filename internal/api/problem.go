package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

var (
	errUnauthenticated  = errors.New("the request has no identity")
	errForbidden        = errors.New("not allowed")
	errMediaType        = errors.New("the body must be JSON in UTF-8, with the header Content-Type: application/json")
	errContentEncoding  = errors.New("the body must have no Content-Encoding, or gzip")
	errTooLarge         = fmt.Errorf("the body must not be larger than %d bytes", MaxBody)
	errResponseTooLarge = errors.New("the response exceeds 5.5 MB; lower limit or per_signature")
	errRoute            = errors.New("no such path")
)

// methodError reports a method that a known path does not support.
type methodError struct{ allowed []string }

func (e methodError) Error() string { return "the path allows " + strings.Join(e.allowed, ", ") }

func routeError(method, path string) error {
	allowed := allowedMethods(path)
	if allowed == nil || slices.Contains(allowed, method) {
		return errRoute
	}
	return methodError{allowed}
}

// problemKind is a type of problem (RFC 9457). name ends its type, a URN that never changes; title
// is the same for every occurrence.
type problemKind struct {
	status int
	name   string
	title  string
}

// classifyError maps every error of the service to its problem; the first case that matches wins.
func classifyError(err error) problemKind {
	_, contradicts := errors.AsType[audit.Contradiction](err)
	_, wrongMethod := errors.AsType[methodError](err)
	errs := findValidationErrors(err)
	switch {
	case contradicts:
		return problemKind{http.StatusUnprocessableEntity, "unprocessable", "The stored record does not allow these values"}
	case hasSizeError(errs), errors.Is(err, errTooLarge):
		return problemKind{http.StatusRequestEntityTooLarge, "too-large", "The request is too large"}
	case errs != nil:
		return problemKind{http.StatusBadRequest, "invalid", "The request is not valid"}
	case errors.Is(err, errResponseTooLarge):
		return problemKind{http.StatusBadRequest, "answer-too-large", "The response would be too large"}
	case errors.Is(err, errUnauthenticated):
		return problemKind{http.StatusUnauthorized, "unauthenticated", "Authentication is required"}
	case errors.Is(err, errForbidden):
		return problemKind{http.StatusForbidden, "forbidden", "The caller is not allowed to do this"}
	case errors.Is(err, errRoute), errors.Is(err, audit.ErrNotFound):
		return problemKind{http.StatusNotFound, "not-found", "Not found"}
	case wrongMethod:
		return problemKind{http.StatusMethodNotAllowed, "method-not-allowed", "The path does not allow this method"}
	case errors.Is(err, audit.ErrConflict):
		return problemKind{http.StatusConflict, "conflict", "The stored record does not allow this"}
	case errors.Is(err, errMediaType):
		return problemKind{http.StatusUnsupportedMediaType, "unsupported-media-type", "The content type is not supported"}
	case errors.Is(err, errContentEncoding):
		return problemKind{http.StatusUnsupportedMediaType, "unsupported-content-encoding", "The content encoding is not supported"}
	case errors.Is(err, audit.ErrRefused):
		return problemKind{http.StatusUnprocessableEntity, "refused", "The record violates a constraint of the database"}
	case errors.Is(err, audit.ErrUnavailable), isContextError(err):
		return problemKind{http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable"}
	default:
		return problemKind{http.StatusInternalServerError, "internal", "Internal error"}
	}
}

// hasSizeError reports whether the request as a whole is too large.
func hasSizeError(errs audit.ValidationErrors) bool {
	return slices.ContainsFunc(errs, func(e audit.ValidationError) bool {
		return e.Code == audit.CodeSize && e.Field == ""
	})
}

// isContextError reports whether the request timed out or was cancelled by the caller.
func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// retryAfter is the Retry-After of a 503, in seconds: long enough for a database failover to begin,
// short enough for a caller that waits.
const retryAfter = "2"

// problemResponse returns the response to an error (RFC 9457).
func problemResponse(r *Request, err error) *Response {
	problem := requestProblem(r, err)
	response := &Response{Status: problem.Status, Body: problem, contentType: "application/problem+json"}
	method, wrongMethod := errors.AsType[methodError](err)
	switch {
	case wrongMethod:
		response.setHeader("Allow", strings.Join(method.allowed, ", "))
	case problem.Status == http.StatusServiceUnavailable:
		response.setHeader("Retry-After", retryAfter)
	case problem.Status == http.StatusUnauthorized:
		response.setHeader("WWW-Authenticate", "Bearer")
	}
	return response
}

// requestProblem returns the problem of one request, or of one record of a batch, and counts its
// validation errors.
func requestProblem(r *Request, err error) *client.Problem {
	r.reportErrors(findValidationErrors(err))
	problem := Problem(err)
	problem.Instance, problem.RequestID = r.Path(), r.ID()
	return problem
}

// Problem returns the public form of an error, without driver messages, SQL or values of the request.
func Problem(err error) *client.Problem {
	kind := classifyError(err)
	problem := &client.Problem{
		Type:   "urn:datastorage:problem:" + kind.name,
		Title:  kind.title,
		Status: kind.status,
		Detail: problemDetail(kind.status, err),
	}
	if errs := findValidationErrors(err); errs != nil {
		problem.Errors = convertSlice(errs, func(e audit.ValidationError) client.FieldError {
			return client.FieldError{Field: e.Field, Code: e.Code, Detail: e.Detail}
		})
	}
	return problem
}

// findValidationErrors returns the validation errors in err, or nil if there are none.
func findValidationErrors(err error) audit.ValidationErrors {
	errs, _ := errors.AsType[audit.ValidationErrors](err)
	return errs
}

// problemDetail explains the error to the caller. The message of a dependency's error is only logged.
func problemDetail(status int, err error) string {
	conflict, conflicts := errors.AsType[audit.Conflict](err)
	errs := findValidationErrors(err)
	switch {
	case conflicts:
		return conflict.Error()
	case errors.Is(err, audit.ErrNotFound):
		return audit.ErrNotFound.Error()
	case errors.Is(err, audit.ErrRefused):
		return audit.ErrRefused.Error()
	case status == http.StatusServiceUnavailable:
		return "A dependency did not respond in time. Retrying the same request is safe: nothing is stored twice."
	case status == http.StatusInternalServerError:
		return "A bug in the service; the log has the cause under the request_id."
	case len(errs) == 1:
		return "One value is not valid; see errors."
	case errs != nil:
		return fmt.Sprintf("%d values are not valid; see errors.", len(errs))
	default:
		return err.Error()
	}
}
