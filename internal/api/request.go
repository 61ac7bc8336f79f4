package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// MaxBody is the largest request body, in bytes: Lambda's own limit for an invocation's payload.
const MaxBody = 6_000_000

// maxDepth lets the deepest metadata stand in a record of a batch: metadata itself is held to its own limit with a better fault.
const maxDepth = audit.MaxMetadataDepth + 6

// Request is one API Gateway event on its way in.
type Request struct {
	event      events.APIGatewayV2HTTPRequest
	actor      string
	invocation *telemetry.Invocation
	// actions counts what was done to the request's texts.
	actions redact.Actions
}

// maxIdentifierBytes is what an identifier of 255 characters may take in UTF-8.
const maxIdentifierBytes = 4 * 255

// about says which remediation the request is about. An id is no free text and is kept as it is sent, but a log is no place for the
// secret that somebody made one of.
func (r *Request) about(remediationID string) {
	if len(remediationID) <= maxIdentifierBytes && audit.ValidIdentifier(remediationID) {
		r.invocation.SetRemediationID(redact.Text(remediationID, redact.Actions{}))
	}
}

// report reports what was done to the request's texts.
func (r *Request) report() {
	for action, times := range r.actions {
		r.invocation.Add(telemetry.Sanitizations, times, string(action))
	}
}

// reportFaults counts faults that an answer names, each by its field.
func (r *Request) reportFaults(faults audit.ValidationErrors) {
	for _, fault := range faults {
		r.invocation.Add(telemetry.ValidationFailures, 1, faultField(fault.Field))
	}
}

// faultField is the name of the field that a fault's path leads to: records[3].metadata.note is about metadata.
func faultField(path string) string {
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

// Actor is who sent the request: the subject of the JWT or the ARN of the IAM principal, as the gateway authenticated it.
func (r *Request) Actor() string { return r.actor }

// Path is the path that was asked for.
func (r *Request) Path() string { return r.event.RawPath }

// ID is the gateway's id of the request.
func (r *Request) ID() string { return r.event.RequestContext.RequestID }

func (r *Request) method() string { return r.event.RequestContext.HTTP.Method }

func (r *Request) header(name string) string {
	for key, value := range r.event.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// authorize checks what the actor may do: a JWT by its scopes; an IAM principal may what its policy let through the gateway.
func (r *Request) authorize(scope Scope) error {
	if scope == ScopePublic {
		return nil
	}
	if err := r.identify(); err != nil {
		return err
	}
	if jwt := r.event.RequestContext.Authorizer.JWT; jwt != nil && !slices.Contains(scopes(jwt), string(scope)) {
		return fmt.Errorf("%w: the token lacks the scope %s", errForbidden, scope)
	}
	return nil
}

// identify takes the actor from the identity that the gateway put into the event.
func (r *Request) identify() error {
	authorizer := r.event.RequestContext.Authorizer
	switch {
	case authorizer == nil:
	case authorizer.JWT != nil:
		r.actor = subject(authorizer.JWT.Claims)
	case authorizer.IAM != nil:
		r.actor = authorizer.IAM.UserARN
	}
	if strings.TrimSpace(r.actor) == "" || !audit.ValidIdentifier(r.actor) {
		r.actor = ""
		return errUnauthenticated
	}
	return nil
}

// subject is who a token is about. Some issuers leave sub out of a token that a client got for itself; then it is the client, by client_id (RFC 9068)
// or azp (OpenID Connect), and marked as one, so that no client can pass for the user of the same name.
func subject(claims map[string]string) string {
	if claims["sub"] != "" {
		return claims["sub"]
	}
	if id := cmp.Or(claims["client_id"], claims["azp"]); id != "" {
		return "client:" + id
	}
	return ""
}

// scopes are what a token was granted: in the claim scope or scp, as API Gateway looks for them, separated by spaces, or a list, which it
// writes as [a b]; and in the list beside the claims.
func scopes(jwt *events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription) []string {
	granted := jwt.Scopes
	for _, claim := range []string{"scope", "scp"} {
		text := jwt.Claims[claim]
		if list, ok := strings.CutPrefix(text, "["); ok {
			text = strings.TrimSuffix(list, "]")
		}
		granted = append(granted, strings.Fields(text)...)
	}
	return granted
}

// Strong reports whether a read asks to see everything that was acknowledged before it. Any other value than the two is a fault, which the
// query's own reader names.
func (r *Request) Strong() bool {
	return queryParameters(r.event.RawQueryString, new(audit.ValidationErrors)).values["consistency"] == string(client.ConsistencyStrong)
}

// consistency faults a wrong value; Strong reads it.
func (p *parameters) consistency() {
	if value, ok := p.get("consistency"); ok && !client.Consistency(value).Valid() {
		p.fault("consistency", audit.CodeEnum, "must be eventual or strong")
	}
}

// GetQuery is RemediationID of a read.
func (r *Request) GetQuery() (string, error) {
	var faults audit.ValidationErrors
	id := r.remediationID(&faults)
	p := queryParameters(r.event.RawQueryString, &faults)
	p.consistency()
	p.finish()
	return id, faults.Err()
}

// RemediationID is the path's parameter, held to the rules of the field, on a route without query parameters.
func (r *Request) RemediationID() (string, error) {
	var faults audit.ValidationErrors
	id := r.remediationID(&faults)
	r.noParameters(&faults)
	return id, faults.Err()
}

// remediation is the path's parameter as it is.
func (r *Request) remediation() string { return r.event.PathParameters["remediation_id"] }

func (r *Request) remediationID(faults *audit.ValidationErrors) string {
	id := r.remediation()
	audit.Checker{Errors: faults, Actions: redact.Actions{}}.CheckRemediationID(id)
	return id
}

// NoParameters faults every query parameter, for a route that has none.
func (r *Request) NoParameters() error {
	var faults audit.ValidationErrors
	r.noParameters(&faults)
	return faults.Err()
}

func (r *Request) noParameters(faults *audit.ValidationErrors) {
	queryParameters(r.event.RawQueryString, faults).finish()
}

// fields begins to read the body, which is to be an object, on a route without query parameters.
func (r *Request) fields() (*fields, error) {
	return r.fieldsBeside(func(*parameters) {})
}

// fieldsBeside is fields on a route with the query parameters that read reads.
func (r *Request) fieldsBeside(read func(*parameters)) (*fields, error) {
	faults := new(audit.ValidationErrors)
	p := queryParameters(r.event.RawQueryString, faults)
	read(p)
	p.finish()
	tree, err := r.json()
	var malformed audit.ValidationErrors
	if errors.As(err, &malformed) {
		return nil, append(*faults, malformed...)
	}
	if err != nil {
		return nil, err
	}
	return newFields(tree, "", faults), nil
}

// json parses the body as JSON.
func (r *Request) json() (any, error) {
	media, parameters, err := mime.ParseMediaType(r.header("Content-Type"))
	if err != nil || media != "application/json" && media != "application/merge-patch+json" {
		return nil, errMediaType
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errMediaType
	}
	if len(r.event.Body) > MaxBody {
		return nil, errTooLarge
	}
	tree, faults := audit.ParseJSON([]byte(r.event.Body), audit.JSONLimits{Bytes: MaxBody, Depth: maxDepth}, r.actions)
	return tree, faults.Err()
}

// expired reports whether a dependency's failure is the end of the request's own time.
func expired(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
