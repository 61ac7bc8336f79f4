package sigv4_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
	"github.com/datastorage-service/datastorage/internal/sigv4test"
)

const (
	webToken    = "web-identity-t0ken"
	accessToken = "sso-access-t0ken"
)

// serveIssuers starts STS and SSO of an account, and makes them those of the SDK.
func serveIssuers(t *testing.T, account *sigv4test.Account) {
	t.Helper()
	for variable, handler := range map[string]http.Handler{
		"AWS_ENDPOINT_URL_STS": account.STS(webToken), "AWS_ENDPOINT_URL_SSO": account.SSO(accessToken),
	} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		t.Setenv(variable, server.URL)
	}
}

// writeFile writes a file with its folders.
func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeSSOToken(t *testing.T, home, key, token string, expires time.Time) {
	t.Helper()
	if err := sigv4test.WriteSSOToken(home, key, token, expires); err != nil {
		t.Fatal(err)
	}
}

// writeProfiles writes an AWS config file whose profiles get their credentials in different ways.
func writeProfiles(t *testing.T, home string, user sigv4test.Key) {
	t.Helper()
	process := writeFile(t, filepath.Join(home, "process.json"),
		fmt.Sprintf(`{"Version": 1, "AccessKeyId": %q, "SecretAccessKey": %q}`, user.ID, user.Secret))
	leak := writeFile(t, filepath.Join(home, "leak.json"), `SecretAccessKey=hunter2`)
	writeFile(t, filepath.Join(home, ".aws", "config"), `
[default]
region = eu-north-1
[profile static]
aws_access_key_id = `+user.ID+`
aws_secret_access_key = `+user.Secret+`
[profile role]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = static
[profile denied]
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = forged
[profile forged]
aws_access_key_id = AKIAFORGED
aws_secret_access_key = hunter2
[profile process]
credential_process = cat `+process+`
[profile leaking process]
credential_process = cat `+leak+`
[profile failing]
credential_process = cat `+process+`.missing
[profile sso]
sso_session = company
sso_account_id = 123456789012
sso_role_name = Reader
[sso-session company]
sso_region = eu-west-1
sso_start_url = https://company.awsapps.com/start
[profile legacy]
sso_start_url = https://legacy.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Legacy
[profile role-by-sso]
role_arn = arn:aws:iam::123456789012:role/writer
source_profile = sso
`)
}

// TestLoad checks that a request is signed by the credentials of each kind of profile and variable, for the region of the
// URL or the settings.
func TestLoad(t *testing.T) {
	home := isolateFromSettings(t)
	service := serveAPI(t)
	serveIssuers(t, service.Account)
	user := service.CreateKey("user")
	writeProfiles(t, home, user)
	for _, key := range []string{"company", "https://legacy.awsapps.com/start"} {
		writeSSOToken(t, home, key, accessToken, time.Now().Add(time.Hour))
	}
	web := writeFile(t, filepath.Join(home, "web-token"), webToken)
	const role = "arn:aws:iam::123456789012:role/"
	for _, c := range []struct {
		name        string
		environment map[string]string
		profile     string
		holder      string
		description string
	}{
		{name: "static", profile: "static", holder: "user", description: `profile "static"`},
		{name: "AWS_PROFILE", environment: map[string]string{"AWS_PROFILE": "static"}, holder: "user", description: `profile "static"`},
		{name: "role", profile: "role", holder: role + "reader", description: `profile "role"`},
		{name: "process", profile: "process", holder: "user", description: `profile "process"`},
		{name: "SSO", profile: "sso", holder: "sso/123456789012/Reader", description: `profile "sso"`},
		{name: "SSO without a session", profile: "legacy", holder: "sso/123456789012/Legacy", description: `profile "legacy"`},
		{name: "role by SSO", profile: "role-by-sso", holder: role + "writer", description: `profile "role-by-sso"`},
		{
			name: "variables", environment: map[string]string{"AWS_ACCESS_KEY_ID": user.ID, "AWS_SECRET_ACCESS_KEY": user.Secret},
			holder: "user", description: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
		},
		{
			name: "web identity", environment: map[string]string{"AWS_ROLE_ARN": role + "pod", "AWS_WEB_IDENTITY_TOKEN_FILE": web},
			holder: role + "pod", description: "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_REGION", region)
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			signer, err := sigv4.Load(t.Context(), service.url, config.WithSharedConfigProfile(c.profile))
			if err != nil {
				t.Fatal(err)
			}
			api, err := client.New(service.url, client.WithSigner(signer.Sign))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := api.GetRemediation(t.Context(), "r-1"); err != nil {
					t.Fatalf("%v: %v", err, service.Refused())
				}
			}
			calls := service.Calls()
			if got := calls[len(calls)-1].Holder; got != c.holder || signer.String() != c.description+", region "+region {
				t.Errorf("signed by %s, %v", got, signer)
			}
		})
	}
}

// TestLoadRegion checks where the region comes from: the URL, the option, the variable, the profile.
func TestLoadRegion(t *testing.T) {
	home := isolateFromSettings(t)
	writeFile(t, filepath.Join(home, ".aws", "config"), "[profile regional]\nregion = eu-north-1\n[profile none]\n")
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, c := range []struct{ name, url, option, variable, profile, want string }{
		{"URL", "https://a.execute-api.eu-west-2.amazonaws.com", "eu-west-1", "eu-west-1", "regional", "eu-west-2"},
		{"option", "https://audit.example.com", "eu-west-1", "eu-west-3", "regional", "eu-west-1"},
		{"variable", "https://audit.example.com", "", "eu-west-3", "regional", "eu-west-3"},
		{"profile", "https://audit.example.com", "", "", "regional", "eu-north-1"},
		{"none", "https://audit.example.com", "", "", "none", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_REGION", c.variable)
			t.Setenv("AWS_PROFILE", c.profile)
			signer, err := sigv4.Load(t.Context(), c.url, config.WithRegion(c.option))
			if c.want == "" {
				if !errors.Is(err, sigv4.ErrNoRegion) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || !strings.HasSuffix(signer.String(), ", region "+c.want) {
				t.Errorf("%v, %v; want region %s", signer, err, c.want)
			}
		})
	}
	if _, err := sigv4.Load(t.Context(), "https://audit.example.com", config.WithSharedConfigProfile("missing")); err == nil ||
		!strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing profile: %v", err)
	}
}

// TestRoleWithoutRegion checks that STS can be called if only the URL has a region.
func TestRoleWithoutRegion(t *testing.T) {
	home := isolateFromSettings(t)
	t.Setenv("AWS_REGION", "")
	account := sigv4test.NewAccount()
	serveIssuers(t, account)
	writeProfiles(t, home, account.CreateKey("user"))
	const url = "https://a.execute-api.eu-west-2.amazonaws.com"
	signer, err := sigv4.Load(t.Context(), url, config.WithSharedConfigProfile("role"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(t.Context(), r, nil); err != nil {
		t.Errorf("%v: %v", err, account.Refused())
	}
}

// TestCredentialsErrors checks what is said of credentials that cannot be retrieved: whose, what to do next, and no secret.
func TestCredentialsErrors(t *testing.T) {
	home := isolateFromSettings(t)
	t.Setenv("AWS_REGION", "")
	account := sigv4test.NewAccount()
	serveIssuers(t, account)
	user := account.CreateKey("user")
	writeProfiles(t, home, user)
	writeSSOToken(t, home, "https://legacy.awsapps.com/start", "expired-t0ken", time.Now().Add(-time.Minute))
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	expired := func(t *testing.T) {
		t.Helper()
		writeSSOToken(t, home, "company", "expired-t0ken", time.Now().Add(-time.Minute))
	}
	for _, c := range []struct {
		name, profile string
		prepare       func(*testing.T)
		source, next  string
		cause         string
	}{
		{"never logged in", "sso", func(*testing.T) {}, `profile "sso"`, "aws sso login --profile sso", "no such file"},
		{"expired session", "sso", expired, `profile "sso"`, "aws sso login --profile sso", "cached SSO token is expired"},
		{"expired session of a role", "role-by-sso", expired, `profile "role-by-sso"`, "aws sso login --profile role-by-sso", "cached SSO token is expired"},
		{"expired session of old form", "legacy", expired, `profile "legacy"`, "aws sso login --profile legacy", "the SSO session has expired"},
		{
			"session ended by the portal", "sso",
			func(t *testing.T) { writeSSOToken(t, home, "company", "revoked-t0ken", time.Now().Add(time.Hour)) },
			`profile "sso"`, "aws sso login --profile sso", "Session token not found or invalid",
		},
		{
			"unreachable portal", "sso",
			func(t *testing.T) {
				writeSSOToken(t, home, "company", accessToken, time.Now().Add(time.Hour))
				t.Setenv("AWS_ENDPOINT_URL_SSO", closed.URL)
			},
			`profile "sso"`, "aws sts get-caller-identity --profile sso", "connection refused",
		},
		{"role not allowed", "denied", expired, `profile "denied"`, "aws sts get-caller-identity --profile denied", "AccessDenied"},
		{"process fails", "failing", expired, `profile "failing"`, "aws sts get-caller-identity --profile failing", "credential_process: exit status 1"},
		{
			"process prints something else", "leaking process", expired, `profile "leaking process"`,
			"aws sts get-caller-identity --profile 'leaking process'", "credential_process: invalid character",
		},
		{
			"nothing configured", "", expired, `AWS_ACCESS_KEY_ID, profile "default" or the role of an instance`,
			"export AWS_PROFILE=…   # one of: aws configure list-profiles", "no EC2 IMDS role found",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			c.prepare(t)
			signer, err := sigv4.Load(t.Context(), "https://a.execute-api.eu-west-2.amazonaws.com", config.WithSharedConfigProfile(c.profile))
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.execute-api.eu-west-2.amazonaws.com", nil)
			if err != nil {
				t.Fatal(err)
			}
			err = signer.Sign(t.Context(), r, nil)
			explained, ok := errors.AsType[*sigv4.CredentialsError](err)
			if !ok || explained.Source != c.source || explained.Next != c.next || !strings.Contains(err.Error(), c.cause) {
				t.Errorf("error %v\n%+v", err, explained)
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				for _, secret := range []string{"hunter2", "t0ken", user.Secret} {
					if strings.Contains(cause.Error(), secret) {
						t.Errorf("the error shows a secret: %v", cause)
					}
				}
			}
			if r.Header.Get("Authorization") != "" {
				t.Error("the request was signed")
			}
		})
	}
}
