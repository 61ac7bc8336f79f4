package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
)

// The values of --auth and DATASTORAGE_AUTH.
const (
	// authAuto is authToken if there is a token, authIAM for the URL of an API without a custom domain, else authNone.
	authAuto  = "auto"
	authIAM   = "iam"
	authToken = "token"
	authNone  = "none"
)

func authModes() []string { return []string{authAuto, authIAM, authToken, authNone} }

const (
	authVariable  = "DATASTORAGE_AUTH"
	tokenVariable = "DATASTORAGE_TOKEN"
)

// identity is how a command's requests authenticate.
type identity struct {
	// auth is authIAM, authToken or authNone.
	auth string
	// signer is that of authIAM.
	signer *sigv4.Signer
}

// identify determines the identity of the requests, and returns what adds it to them, or nil.
func (a *app) identify(ctx context.Context) (client.Signer, error) {
	auth, err := a.authMode()
	if err != nil {
		return nil, err
	}
	a.identity = identity{auth: auth}
	switch auth {
	case authToken:
		return bearerSigner(a.getenv(tokenVariable)), nil
	case authIAM:
		signer, err := sigv4.Load(ctx, a.serviceURL(), config.WithSharedConfigProfile(a.profile), config.WithRegion(a.region))
		if err != nil {
			return nil, newCommandError(exitUsage, "cannot sign requests", err, nextAfterLoadError(err))
		}
		a.identity.signer = signer
		return signer.Sign, nil
	}
	return nil, nil
}

// authMode returns authIAM, authToken or authNone, or an error if the settings contradict each other.
func (a *app) authMode() (string, error) {
	mode, token := cmp.Or(a.auth, a.getenv(authVariable), authAuto), a.getenv(tokenVariable)
	_, assigned := sigv4.RegionOf(a.serviceURL())
	switch {
	case !slices.Contains(authModes(), mode):
		return "", newAuthError(fmt.Sprintf("--auth and %s must be one of %s", authVariable, strings.Join(authModes(), ", ")), "datastorage --help")
	case mode == authToken && token == "":
		return "", newAuthError("--auth token needs "+tokenVariable, "export "+tokenVariable+"=…")
	case mode == authAuto && token != "":
		mode = authToken
	case mode == authAuto && assigned:
		mode = authIAM
	case mode == authAuto:
		mode = authNone
	}
	if mode != authIAM && a.profile+a.region != "" {
		return "", newAuthError("--profile and --region are for signed requests, and these would have "+identity{auth: mode}.String(), "datastorage list --auth iam")
	}
	return mode, nil
}

func newAuthError(why, next string) error {
	return newCommandError(exitUsage, "cannot authenticate", errors.New(why), next)
}

func bearerSigner(token string) client.Signer {
	return func(_ context.Context, request *http.Request, _ []byte) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

func nextAfterLoadError(err error) string {
	_, unknown := errors.AsType[config.SharedConfigProfileNotExistError](err)
	switch {
	case errors.Is(err, sigv4.ErrNoRegion):
		return "export AWS_REGION=…   # or --region"
	case unknown:
		return "aws configure list-profiles"
	default:
		return "aws configure list"
	}
}

// String names the identity, without secrets.
func (i identity) String() string {
	switch i.auth {
	case authIAM:
		return "a signature of " + i.signer.String()
	case authToken:
		return "the token of " + tokenVariable
	default:
		return "no identity"
	}
}

// isRefusal reports whether the service or API Gateway did not accept the identity of a request.
func isRefusal(err error) bool {
	return errors.Is(err, client.ErrUnauthenticated) || errors.Is(err, client.ErrForbidden)
}

// nextAfterRefusal returns the command to run after isRefusal(err).
func (i identity) nextAfterRefusal(err error) string {
	switch {
	case i.auth == authNone:
		return "export " + tokenVariable + "=…   # or --auth iam, if the API has IAM authorization"
	case i.auth == authIAM && errors.Is(err, client.ErrForbidden):
		return "aws iam attach-role-policy --role-name … --policy-arn …   # CallerReadPolicyArn or CallerWritePolicyArn of the stack's outputs"
	default:
		return "export " + tokenVariable + "=…   # a bearer token that allows this"
	}
}
