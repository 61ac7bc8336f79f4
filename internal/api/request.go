package api

import (
	"errors"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// MaxBody is the largest request body, in bytes: Lambda's limit for the payload of an invocation.
const MaxBody = 6_000_000

// maxDepth exceeds the depth of valid metadata in a batch, so that metadata that is too deep gets
// its own validation error.
const maxDepth = audit.MaxMetadataDepth + 6

// Request is one API Gateway event.
type Request struct {
	event      events.APIGatewayV2HTTPRequest
	query      *queryString // nil until it is parsed
	actor      string
	invocation *telemetry.Invocation
	actions    redact.Actions // what was redacted or replaced in the request
}

// maxIdentifierBytes is the maximum length in UTF-8 of an identifier of 255 characters.
const maxIdentifierBytes = 4 * 255

// setRemediationID sets the remediation of the invocation. IDs are stored unchanged, but redacted
// before logging: a caller may have used a secret as an ID.
func (r *Request) setRemediationID(remediationID string) {
	if len(remediationID) <= maxIdentifierBytes && audit.ValidIdentifier(remediationID) {
		r.invocation.SetRemediationID(redact.Text(remediationID, redact.Actions{}))
	}
}

// reportActions counts what was redacted or replaced in the request.
func (r *Request) reportActions() {
	for action, times := range r.actions {
		r.invocation.Add(telemetry.Sanitizations, times, string(action))
	}
}

// reportErrors counts validation errors of the response by field.
func (r *Request) reportErrors(errs audit.ValidationErrors) {
	for _, invalid := range errs {
		r.invocation.Add(telemetry.ValidationFailures, 1, metricField(invalid.Field))
	}
}

// metricField returns the request field of an error's path: metadata for records[3].metadata.note.
func metricField(path string) string {
	if rest, inBatch := strings.CutPrefix(path, "records["); inBatch {
		if _, inRecord, found := strings.Cut(rest, "]."); found {
			path = inRecord
		}
	}
	path = strings.TrimPrefix(path, "filters.")
	if path == "" {
		return wholeRequest
	}
	return path[:len(path)-len(strings.TrimLeft(path, "abcdefghijklmnopqrstuvwxyz_"))]
}

// Actor returns the authenticated sender: the subject of the JWT or the ARN of the IAM principal.
func (r *Request) Actor() string { return r.actor }

// Path returns the path of the request.
func (r *Request) Path() string { return r.event.RawPath }

// basePath returns what precedes the operation's path in the path of the request, escaped: the name
// of a stage, or the base path of a custom domain; usually nothing.
func (r *Request) basePath() string {
	_, operation, _ := strings.Cut(r.event.RouteKey, " ")
	path := r.event.RawPath
	for range strings.Count(operation, "/") {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return escapePath(path)
}

func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// ID returns API Gateway's id of the request.
func (r *Request) ID() string { return r.event.RequestContext.RequestID }

func (r *Request) httpMethod() string { return r.event.RequestContext.HTTP.Method }

func (r *Request) headerValue(name string) string {
	for key, value := range r.event.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// Strong reports whether a read must see every write that was acknowledged before it. The method
// that reads the query reports an invalid consistency.
func (r *Request) Strong() bool {
	return slices.Contains(r.parsedQueryString().values["consistency"], string(client.ConsistencyStrong))
}

// ReadRemediationIDWithConsistency returns the remediation id of the path, for a read whose only
// query parameter is consistency.
func (r *Request) ReadRemediationIDWithConsistency() (string, error) {
	var errs audit.ValidationErrors
	id := r.checkedRemediationID(&errs)
	p := r.queryParameters(&errs)
	p.checkConsistency()
	p.reportUnread()
	return id, errs.Err()
}

// ReadRemediationID returns the remediation id of the path, for an operation without query
// parameters.
func (r *Request) ReadRemediationID() (string, error) {
	var errs audit.ValidationErrors
	id := r.checkedRemediationID(&errs)
	r.queryParameters(&errs).reportUnread()
	return id, errs.Err()
}

// NoParameters returns an error for each query parameter, for an operation without parameters.
func (r *Request) NoParameters() error {
	var errs audit.ValidationErrors
	r.queryParameters(&errs).reportUnread()
	return errs.Err()
}

func (r *Request) checkedRemediationID(errs *audit.ValidationErrors) string {
	name, id := r.pathVariable()
	audit.Checker{Errors: errs, Actions: redact.Actions{}}.CheckRemediationID(name, id)
	return id
}

// pathRemediationID returns the remediation id of the path, unchecked.
func (r *Request) pathRemediationID() string {
	_, id := r.pathVariable()
	return id
}

// pathVariable returns the variable of the path, a remediation id. Its name is remediation_id, or
// example_id if the operation also filters by remediation_id: generated clients put the parameters
// of an operation into one scope.
func (r *Request) pathVariable() (name, id string) {
	if id, ok := r.event.PathParameters["example_id"]; ok {
		return "example_id", id
	}
	return "remediation_id", r.event.PathParameters["remediation_id"]
}

// readBody returns a reader of the body, an object, for an operation without query parameters.
func (r *Request) readBody() (*fieldReader, error) {
	return r.readBodyWithParameters(func(*parameterReader) {})
}

// readBodyWithParameters returns a reader of the body, an object, after readParameters has read the
// query parameters.
func (r *Request) readBodyWithParameters(readParameters func(*parameterReader)) (*fieldReader, error) {
	errs := new(audit.ValidationErrors)
	p := r.queryParameters(errs)
	readParameters(p)
	p.reportUnread()
	tree, err := r.parseBody()
	if invalid, ok := errors.AsType[audit.ValidationErrors](err); ok {
		return nil, append(*errs, invalid...)
	}
	if err != nil {
		return nil, err
	}
	return newFieldReader(tree, "", errs), nil
}

// queryParameters returns a reader of the query string, whose errors are added to errs.
func (r *Request) queryParameters(errs *audit.ValidationErrors) *parameterReader {
	query := r.parsedQueryString()
	*errs = append(*errs, query.errs...)
	return newParameterReader(query.values, "", errs)
}

func (r *Request) parsedQueryString() *queryString {
	if r.query == nil {
		r.query = parseQueryString(r.event.RawQueryString)
	}
	return r.query
}

func (r *Request) parseBody() (any, error) {
	media, parameters, err := mime.ParseMediaType(r.headerValue("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, errMediaType
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errMediaType
	}
	if len(r.event.Body) > MaxBody {
		return nil, errTooLarge
	}
	tree, errs := audit.ParseJSON([]byte(r.event.Body), audit.JSONLimits{Bytes: MaxBody, Depth: maxDepth}, r.actions)
	return tree, errs.Err()
}
