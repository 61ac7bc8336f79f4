package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
)

func TestNewNamesTheBadSetting(t *testing.T) {
	t.Parallel()
	good := "http://127.0.0.1:3000"
	tests := []struct {
		name   string
		url    string
		option client.Option
		want   string
	}{
		{"empty URL", "", client.WithUserAgent("x"), "base URL"},
		{"no scheme", "127.0.0.1:3000", client.WithUserAgent("x"), "base URL"},
		{"other scheme", "ftp://host", client.WithUserAgent("x"), "base URL"},
		{"no host", "http://", client.WithUserAgent("x"), "base URL"},
		{"not a URL", "http://host:port", client.WithUserAgent("x"), "base URL"},
		{"query", "http://host?a=b", client.WithUserAgent("x"), "base URL"},
		{"credentials", "http://user:hunter2@host", client.WithUserAgent("x"), "base URL"},
		{"nil option", good, nil, "option 0"},
		{"nil HTTP client", good, client.WithHTTPClient(nil), "WithHTTPClient"},
		{"nil signer", good, client.WithSigner(nil), "WithSigner"},
		{"no attempts", good, client.WithRetry(client.RetryPolicy{}), "Attempts"},
		{"no base delay", good, client.WithRetry(client.RetryPolicy{Attempts: 2}), "BaseDelay"},
		{"max below base", good, client.WithRetry(client.RetryPolicy{Attempts: 2, BaseDelay: 2, MaxDelay: 1}), "MaxDelay"},
		{"empty agent", good, client.WithUserAgent(""), "WithUserAgent"},
		{"signer without TLS", "http://service.example.com", client.WithSigner(addToken), "base URL"},
		{"signer without TLS to an address", "http://127.0.0.1.example.com:3000", client.WithSigner(addToken), "base URL"},
		{"agent with a line break", good, client.WithUserAgent("a\r\nb"), "WithUserAgent"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := client.New(test.url, test.option)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("New = %v, %v; want an error naming %s", c, err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestBaseURLMayHaveAPath(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"/prod", "/prod/"} {
		s := serve(t, respondOK(`{"status":"alive"}`))
		c, err := client.New(s.URL+suffix, client.WithUserAgent("controller/1.2"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := s.requests()[0]
		if got := seen.target + " " + seen.header.Get("User-Agent"); got != "/prod/health controller/1.2" {
			t.Errorf("the server saw %q", got)
		}
	}
}

func TestSignerSeesEveryAttempt(t *testing.T) {
	t.Parallel()
	type contextKey struct{}
	s := serve(t, cutConnection, respondProblem(503, `{"type":"about:blank","title":"x","status":503}`), respondOK(receipt))
	var bodies []string
	c := s.client(t, client.WithSigner(func(ctx context.Context, r *http.Request, body []byte) error {
		bodies = append(bodies, string(body))
		r.Header.Set("Authorization", ctx.Value(contextKey{}).(string)+strings.Repeat("!", len(bodies)))
		return nil
	}))
	ctx := context.WithValue(t.Context(), contextKey{}, "Bearer t")
	if _, err := c.CreateExecution(ctx, "r-1", client.ExecutionInput{ExecutionID: "e"}); err != nil {
		t.Fatal(err)
	}
	var signed, sent []string
	for _, r := range s.requests() {
		signed, sent = append(signed, r.header.Get("Authorization")), append(sent, r.body)
	}
	if diff := cmp.Diff([]string{"Bearer t!", "Bearer t!!", "Bearer t!!!"}, signed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sent, bodies); diff != "" {
		t.Errorf("the signer saw other bodies than the server: %s", diff)
	}
}

func TestSignerErrorEndsTheCall(t *testing.T) {
	t.Parallel()
	s := serve(t, respondOK(receipt))
	expired := errors.New("token expired")
	calls := 0
	c := s.client(t, client.WithSigner(func(context.Context, *http.Request, []byte) error {
		calls++
		return expired
	}))
	_, err := c.Search(t.Context(), client.SearchInput{Query: "x"})
	if !errors.Is(err, expired) || calls != 1 || len(s.requests()) != 0 {
		t.Errorf("error %v, signed %d times, sent %d requests", err, calls, len(s.requests()))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, respondOK(receipt))
	s := serve(t, respondWith(307, "text/html", "", "Location", elsewhere.URL))
	_, err := s.client(t).CreateRemediation(t.Context(), client.RemediationInput{})
	refusal, _ := errors.AsType[*client.Error](err)
	if refusal == nil || refusal.StatusCode != 307 || len(elsewhere.requests()) != 0 {
		t.Errorf("error %v, and %d requests went elsewhere", err, len(elsewhere.requests()))
	}
}

// addToken is a client.Signer.
func addToken(_ context.Context, r *http.Request, _ []byte) error {
	r.Header.Set("Authorization", "Bearer t0ken")
	r.Header.Set("X-Amz-Security-Token", "t0ken")
	return nil
}

// TestIdentityStaysWithTheService checks that requests with an identity are not redirected, by a user's
// HTTP client that follows redirects either.
func TestIdentityStaysWithTheService(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, respondOK(receipt))
	s := serve(t, respondWith(307, "text/html", "", "Location", elsewhere.URL))
	following := &http.Client{}
	_, err := s.client(t, client.WithSigner(addToken), client.WithHTTPClient(following)).CreateRemediation(t.Context(), client.RemediationInput{})
	refusal, _ := errors.AsType[*client.Error](err)
	if refusal == nil || refusal.StatusCode != 307 || len(elsewhere.requests()) != 0 {
		t.Errorf("error %v, and %d requests went elsewhere", err, len(elsewhere.requests()))
	}
	if following.CheckRedirect != nil {
		t.Error("the user's HTTP client was changed")
	}
}

func TestSignerNeedsTLSOrThisMachine(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://service.example.com", "http://localhost:3000", "http://127.0.0.2", "http://[::1]:3000"} {
		if _, err := client.New(url, client.WithSigner(addToken)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := client.New("http://service.example.com"); err != nil {
		t.Errorf("without an identity: %v", err)
	}
}

func TestInjectedHTTPClientIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		silent := roundTripper(func(r *http.Request) (*http.Response, error) {
			attempts++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c, err := client.New("http://service", withQuickRetries(4), client.WithHTTPClient(&http.Client{Transport: silent, Timeout: time.Minute}))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.GetRemediation(t.Context(), "r-1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the injected client's timeout", err)
		}
		if waited := time.Since(began); attempts != 4 || waited < 4*time.Minute {
			t.Errorf("%d attempts in %v, want 4 of a minute each", attempts, waited)
		}
	})
}

// TestStrong checks that a strong client adds the consistency to every read, alongside its other
// parameters, and to no other request.
func TestStrong(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	api := server.client(t)
	ctx, strong := t.Context(), api.Strong()
	reads := func(api *client.Client) []error {
		_, get := api.GetRemediation(ctx, "r")
		_, list := api.ListRemediations(ctx, client.ListRemediationsParams{Name: "x", Limit: 5})
		_, history := api.History(ctx, "r", client.GetHistoryParams{})
		_, events := api.IncidentEvents(ctx, client.ListIncidentEventsParams{})
		_, search := api.Search(ctx, client.SearchInput{Query: "x"})
		_, similar := api.Similar(ctx, "r", client.FindSimilarParams{})
		_, rate := api.SuccessRate(ctx, client.GetSuccessRateParams{GroupBy: client.DimensionName})
		_, trend := api.Trend(ctx, client.GetTrendParams{Interval: client.IntervalDay})
		return []error{get, list, history, events, search, similar, rate, trend}
	}
	_, write := strong.CreateRemediation(ctx, client.RemediationInput{})
	_, health := strong.Health(ctx)
	eventual := reads(api)
	if err := errors.Join(append(append(eventual, write, health), reads(strong)...)...); err != nil {
		t.Fatal(err)
	}
	seen := server.requests()
	for i, r := range seen {
		if asks := strings.Contains(r.target, "consistency=strong"); asks != (i >= len(seen)-len(eventual)) {
			t.Errorf("%s %s", r.method, r.target)
		}
	}
	if got := seen[len(seen)-len(eventual)+1].target; got != "/v1/remediations?consistency=strong&limit=5&name=x" {
		t.Errorf("a list: %s", got)
	}
}
