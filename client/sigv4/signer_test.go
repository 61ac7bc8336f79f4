package sigv4_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
	"github.com/datastorage-service/datastorage/internal/sigv4test"
)

// awkward has characters that URLs and signatures treat specially.
const awkward = "a b+c&d=e/f,ü漢*()'!~:@;$%2F?#"

// TestSignedRequests sends every form of request through the client to a server that verifies signatures without the SDK.
func TestSignedRequests(t *testing.T) {
	t.Parallel()
	service := serveAPI(t)
	keys := map[string]sigv4test.Key{"user": service.CreateKey("user"), "role": service.CreateTemporaryKey("role")}
	requests := map[string]func(context.Context, *client.Client) error{
		"create": func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateRemediation(ctx, client.RemediationInput{RemediationID: awkward, Metadata: json.RawMessage(`{"n":1.00,"t":"<ü>"}`)})
			return err
		},
		"batch": func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateRemediationsJSON(ctx, []json.RawMessage{json.RawMessage(`{"a": 1}`), json.RawMessage(`{}`)})
			return err
		},
		"update": func(ctx context.Context, c *client.Client) error {
			_, err := c.UpdateRemediation(ctx, awkward, client.RemediationUpdate{Status: new(client.StatusSuccess)})
			return err
		},
		"list": func(ctx context.Context, c *client.Client) error {
			_, err := c.Strong().ListRemediations(ctx, client.ListRemediationsParams{Name: awkward, Namespace: "b,a", Cursor: "x==", Limit: 5})
			return err
		},
		"search": func(ctx context.Context, c *client.Client) error {
			_, err := c.Search(ctx, client.SearchInput{Query: awkward})
			return err
		},
		"ready": func(ctx context.Context, c *client.Client) error {
			_, err := c.Ready(ctx)
			return err
		},
		"health": func(ctx context.Context, c *client.Client) error {
			_, err := c.Health(ctx)
			return err
		},
	}
	for _, id := range []string{awkward, ".", "..", "a.b", "a/b", "%", "%2F", "a//b", "~", "+", " ", "💾", "e\u0301", strings.Repeat("x", 255)} {
		requests["get "+id] = func(ctx context.Context, c *client.Client) error {
			_, err := c.GetRemediation(ctx, id)
			return err
		}
	}
	for holder, key := range keys {
		for name, send := range requests {
			t.Run(holder+"/"+name, func(t *testing.T) {
				t.Parallel()
				if err := send(t.Context(), newClient(t, service.url, settingsWith(key))); err != nil {
					t.Errorf("%v: %v", err, service.Refused())
				}
			})
		}
	}
}

// TestTargetsArriveUnchanged checks that signing does not change what a request asks for.
func TestTargetsArriveUnchanged(t *testing.T) {
	t.Parallel()
	service := serveAPI(t)
	c := newClient(t, service.url, settingsWith(service.CreateKey("user")))
	if _, err := c.ListRemediations(t.Context(), client.ListRemediationsParams{Name: "a b+c", Since: "7d"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetRemediation(t.Context(), "a b/c"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateRemediationsJSON(t.Context(), []json.RawMessage{json.RawMessage(`{"b": "<",  "a":1.0}`), nil}); err != nil {
		t.Fatal(err)
	}
	want := []received{
		{"GET", "/v1/remediations?name=a%20b%2Bc&since=7d", ""},
		{"GET", "/v1/remediations/a%20b%2Fc", ""},
		{"POST", "/v1/remediations/batch", `{"records":[{"b":"<","a":1.0},null]}`},
	}
	if diff := cmp.Diff(want, service.requests(), cmp.AllowUnexported(received{})); diff != "" {
		t.Error(diff)
	}
}

// TestRepeatedParameters signs a request that the client does not make: parameters that repeat, lack a value, or sort
// differently before and after encoding.
func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	service := serveAPI(t)
	signer, err := sigv4.New(service.url, settingsWith(service.CreateTemporaryKey("role")))
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"a=2&a=1", "a=1&a=1", "b=-&b=%2F&a", "a=%C3%BC+x&A=y", "a%2Fb=1&a-b=1", ""} {
		body := "exact bytes \x00"
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, service.url+"/v1/x%2Fy%20z?"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Sign(t.Context(), r, []byte(body)); err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d: %v", query, response.StatusCode, service.Refused())
		}
	}
}

// TestRefusedSignatures checks that what API Gateway refuses is ErrForbidden, after one attempt.
func TestRefusedSignatures(t *testing.T) {
	t.Parallel()
	service := serveAPI(t)
	key := service.CreateTemporaryKey("role")
	change := func(do func(*sigv4test.Key)) aws.Config {
		changed := key
		do(&changed)
		return settingsWith(changed)
	}
	elsewhere := settingsWith(key)
	elsewhere.Region = "eu-west-1"
	for name, settings := range map[string]aws.Config{
		"unknown key":      change(func(k *sigv4test.Key) { k.ID = "ASIAUNKNOWN" }),
		"wrong secret":     change(func(k *sigv4test.Key) { k.Secret += "x" }),
		"no session token": change(func(k *sigv4test.Key) { k.Token = "" }),
		"another region":   elsewhere,
	} {
		_, err := newClient(t, service.url, settings).GetRemediation(t.Context(), "r-1")
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || !errors.Is(err, client.ErrForbidden) || refusal.RequestID != "gateway-request" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if refused := len(service.Refused()); refused != 4 || len(service.Calls()) != 0 {
		t.Errorf("%d refused, %d accepted", refused, len(service.Calls()))
	}
}

// TestRetriesAreSignedAgain checks that each attempt has a signature of its own time, and that credentials are looked up
// for each: the first expire before the second attempt.
func TestRetriesAreSignedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		account := sigv4test.NewAccount()
		attempts := 0
		handler := account.API(region, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if attempts++; attempts == 1 {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			_, _ = w.Write([]byte(`{}`))
		}))
		issue := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			key := account.CreateTemporaryKey(time.Now().UTC().Format(time.TimeOnly))
			return aws.Credentials{
				AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.Token, CanExpire: true, Expires: time.Now().Add(time.Minute),
			}, nil
		})
		c := newClient(t, "https://abc.execute-api.eu-central-1.amazonaws.com", aws.Config{Credentials: aws.NewCredentialsCache(issue)},
			client.WithHTTPClient(&http.Client{Transport: inMemory{handler}}),
			client.WithRetry(client.RetryPolicy{Attempts: 2, BaseDelay: time.Nanosecond, MaxDelay: time.Hour}))
		if _, err := c.CreateRemediation(t.Context(), client.RemediationInput{RemediationID: "r-1"}); err != nil {
			t.Fatalf("%v: %v", err, account.Refused())
		}
		want := []sigv4test.Call{{Holder: "00:00:00", Stamp: "20000101T000000Z"}, {Holder: "00:10:00", Stamp: "20000101T001000Z"}}
		if diff := cmp.Diff(want, account.Calls()); diff != "" {
			t.Error(diff)
		}
	})
}

// inMemory calls a handler without a network, so that a test can use a fake clock.
type inMemory struct{ handler http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	m.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func TestRegionOf(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://a1b2.execute-api.eu-central-1.amazonaws.com":         "eu-central-1",
		"https://a1b2.execute-api.eu-central-1.amazonaws.com/":        "eu-central-1",
		"https://a1b2.execute-api.us-gov-west-1.amazonaws.com:443/x":  "us-gov-west-1",
		"https://A1B2.Execute-API.EU-Central-1.AmazonAWS.com":         "eu-central-1",
		"https://a1b2.execute-api.cn-north-1.amazonaws.com.cn":        "cn-north-1",
		"https://a1b2.execute-api.eusc-de-east-1.amazonaws.eu":        "eusc-de-east-1",
		"https://audit.example.com":                                   "",
		"http://127.0.0.1:3000":                                       "",
		"https://a1b2.execute-api.eu-central-1.amazonaws.com.evil.io": "",
		"https://evil.io/a1b2.execute-api.eu-central-1.amazonaws.com": "",
		"https://execute-api.eu-central-1.amazonaws.com":              "",
		"https://a1b2.s3.eu-central-1.amazonaws.com":                  "",
		"://": "",
	} {
		if got, assigned := sigv4.RegionOf(url); got != want || assigned != (want != "") {
			t.Errorf("%s: %q, %t; want %q", url, got, assigned, want)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	key := sigv4test.NewAccount().CreateKey("user")
	settings := settingsWith(key)
	settings.Region = ""
	if _, err := sigv4.New("https://audit.example.com", settings); !errors.Is(err, sigv4.ErrNoRegion) {
		t.Errorf("no region: %v", err)
	}
	if _, err := sigv4.New("https://audit.example.com", aws.Config{Region: region}); err == nil || !strings.Contains(err.Error(), "Credentials") {
		t.Errorf("no credentials: %v", err)
	}
	signer, err := sigv4.New("https://a.execute-api.eu-west-3.amazonaws.com", settingsWith(key))
	if err != nil || signer.String() != "the given provider, region eu-west-3" {
		t.Errorf("the region of the URL: %v, %v", signer, err)
	}
}
