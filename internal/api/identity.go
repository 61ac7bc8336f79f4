package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// authorize identifies the actor and checks the scope of a JWT. API Gateway has checked the policy
// of an IAM principal.
func (r *Request) authorize(scope Scope) error {
	if scope == ScopePublic {
		return nil
	}
	if err := r.identifyActor(); err != nil {
		return err
	}
	if jwt := r.event.RequestContext.Authorizer.JWT; jwt != nil && !slices.Contains(tokenScopes(jwt), string(scope)) {
		return fmt.Errorf("%w: the token lacks the scope %s", errForbidden, scope)
	}
	return nil
}

// identifyActor sets the actor to the identity that API Gateway authenticated.
func (r *Request) identifyActor() error {
	authorizer := r.event.RequestContext.Authorizer
	switch {
	case authorizer == nil:
	case authorizer.JWT != nil:
		r.actor = tokenSubject(authorizer.JWT.Claims)
	case authorizer.IAM != nil:
		r.actor = authorizer.IAM.UserARN
	}
	if strings.TrimSpace(r.actor) == "" || !audit.ValidIdentifier(r.actor) {
		r.actor = ""
		return errUnauthenticated
	}
	return nil
}

// tokenSubject returns the subject of a token. Some issuers omit sub from a token that a client
// requested for itself; then it is client_id (RFC 9068) or azp (OpenID Connect) with a prefix, so
// that a client is never mistaken for a user of the same name.
func tokenSubject(claims map[string]string) string {
	if claims["sub"] != "" {
		return claims["sub"]
	}
	if id := cmp.Or(claims["client_id"], claims["azp"]); id != "" {
		return "client:" + id
	}
	return ""
}

// tokenScopes returns the scopes granted to a token: those that API Gateway lists, and those in the
// claims scope and scp, which API Gateway also reads. A claim separates scopes by spaces; API
// Gateway formats a list as [a b].
func tokenScopes(jwt *events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription) []string {
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
