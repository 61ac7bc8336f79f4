package sigv4

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
)

// CredentialsError says why there are no credentials to sign with. It does not contain any.
type CredentialsError struct {
	// Source is where they were looked for, such as: profile "dev".
	Source string
	// Next is the command to run next: it renews the credentials, or shows more of the problem.
	Next string
	// Err is the cause.
	Err error
}

// Error returns one line: where credentials were looked for, and the cause.
func (e *CredentialsError) Error() string {
	return fmt.Sprintf("no AWS credentials from %s: %v", e.Source, e.Err)
}

// Unwrap returns the cause.
func (e *CredentialsError) Unwrap() error { return e.Err }

// credentialSource is where credentials come from.
type credentialSource struct {
	// description is for people: profile "dev".
	description string
	// profile is the profile's name, empty if none is used.
	profile string
	// providers is the chain of the SDK's providers.
	providers []aws.CredentialSource
}

func newCredentialSource(settings aws.Config) credentialSource {
	var s credentialSource
	if chain, ok := settings.Credentials.(aws.CredentialProviderSource); ok {
		s.providers = chain.ProviderSources()
	}
	switch {
	case len(s.providers) == 0, s.isFrom(aws.CredentialSourceCode):
		s.description = "the given provider"
	case s.isFrom(aws.CredentialSourceEnvVars):
		s.description = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case s.isFrom(aws.CredentialSourceEnvVarsSTSWebIDToken):
		s.description = "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE"
	case s.isOnly(aws.CredentialSourceHTTP):
		s.description = "the role of the container"
	case s.isOnly(aws.CredentialSourceIMDS):
		s.description = fmt.Sprintf("AWS_ACCESS_KEY_ID, profile %q or the role of an instance", profileOf(settings))
	default:
		s.profile = profileOf(settings)
		s.description = fmt.Sprintf("profile %q", s.profile)
	}
	return s
}

func (s credentialSource) isFrom(sources ...aws.CredentialSource) bool {
	return slices.ContainsFunc(sources, func(source aws.CredentialSource) bool { return slices.Contains(s.providers, source) })
}

// isOnly reports whether nothing configures credentials, so that the SDK uses what the environment of the process offers.
func (s credentialSource) isOnly(source aws.CredentialSource) bool {
	return slices.Equal(s.providers, []aws.CredentialSource{source})
}

// profileOf returns the name of the profile that settings were loaded from. It has none if there is no config file.
func profileOf(settings aws.Config) string {
	for _, source := range settings.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			return cmp.Or(shared.Profile, "default")
		}
	}
	return "default"
}

// explainFailure makes a *CredentialsError of the SDK's error.
func (s credentialSource) explainFailure(ctx context.Context, err error) error {
	explained := &CredentialsError{Source: s.description, Next: s.command("sts get-caller-identity"), Err: withoutOutput(err)}
	switch {
	case ctx.Err() != nil:
	case s.isOnly(aws.CredentialSourceIMDS):
		explained.Next = "export AWS_PROFILE=…   # one of: aws configure list-profiles"
	case s.isFrom(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy, aws.CredentialSourceProfileSSO) && isLoginNeeded(err):
		explained.Next = s.command("sso login")
	case s.isFrom(aws.CredentialSourceLogin) && isLoginNeeded(err):
		explained.Next = s.command("login")
	}
	return explained
}

// command returns a command of the AWS CLI for the profile.
func (s credentialSource) command(words string) string {
	if s.profile == "" {
		return "aws " + words
	}
	if strings.ContainsFunc(s.profile, unicode.IsSpace) {
		return fmt.Sprintf("aws %s --profile '%s'", words, s.profile)
	}
	return "aws " + words + " --profile " + s.profile
}

// isLoginNeeded reports whether a session has ended: it is missing or expired on this machine, or the service refuses its
// token. Unreachable services, and roles that the session does not have, are other problems.
func isLoginNeeded(err error) bool {
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return slices.Contains([]string{
			"UnauthorizedException", "InvalidGrantException", "ExpiredTokenException", "UnauthorizedClientException",
		}, refusal.ErrorCode())
	}
	_, unreachable := errors.AsType[*url.Error](err)
	return !unreachable
}

// withoutOutput returns err without what a credential_process has printed, which may be a secret key in the wrong form: the
// SDK repeats it.
func withoutOutput(err error) error {
	process, ok := errors.AsType[*processcreds.ProviderError](err)
	if !ok {
		return err
	}
	var cause error = process
	for next := cause; next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return fmt.Errorf("credential_process: %s", strings.TrimSpace(cause.Error()))
}
