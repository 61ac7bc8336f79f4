package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// requestTimeout bounds one attempt of the default HTTP client. It is longer than the 30 s after
// which Amazon API Gateway responds for a function that does not (quota "Maximum integration
// timeout" of HTTP APIs), so that its response is received.
const requestTimeout = 35 * time.Second

// Client is a client of one service. It is safe for concurrent use and need not be closed.
type Client struct {
	base   *url.URL
	http   *http.Client
	sign   Signer
	retry  RetryPolicy
	agent  string
	strong bool
}

// Option is a setting of New.
type Option func(*Client) error

// Signer adds an identity to a request, usually an Authorization header, just before it is sent.
// body is the body of the request, nil if there is none. It is called for every attempt, since
// signatures and tokens expire. It MUST NOT read or replace the body of the request. Its error ends
// the call and is wrapped in the call's error.
type Signer func(ctx context.Context, request *http.Request, body []byte) error

// New returns a client of the service at baseURL, for example http://127.0.0.1:3000 or the invoke
// URL of an API Gateway stage. It sends nothing. An error names the invalid setting.
func New(baseURL string, options ...Option) (*Client, error) {
	base, err := parseBaseURL(baseURL)
	if err != nil {
		return nil, fmt.Errorf("client: base URL: %w", err)
	}
	c := &Client{base: base, http: defaultHTTPClient(), retry: DefaultRetry(), agent: "datastorage-go"}
	for i, option := range options {
		if option == nil {
			return nil, fmt.Errorf("client: option %d is nil", i)
		}
		if err := option(c); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
	}
	if c.sign != nil {
		if err := c.protectIdentity(); err != nil {
			return nil, fmt.Errorf("client: base URL: %w", err)
		}
	}
	return c, nil
}

// Strong returns a client whose reads see every write acknowledged before them, the caller's own
// included. Other reads may use a replica that lags behind, if the deployment has one. The pages of
// one list may be read by both clients.
func (c *Client) Strong() *Client {
	strong := *c
	strong.strong = true
	return &strong
}

// WithHTTPClient replaces the default HTTP client, which waits 35 s for a response and does not
// follow redirects.
func WithHTTPClient(httpClient *http.Client) Option {
	return func(c *Client) error {
		if httpClient == nil {
			return errors.New("WithHTTPClient: the HTTP client is nil")
		}
		c.http = httpClient
		return nil
	}
}

// WithSigner adds an identity to every request; without it, requests have none. Package client/sigv4
// has a signer for deployments with IAM authorization.
//
// An identity is sent over TLS or to this machine alone: New refuses any other base URL. It is not
// sent after a redirect: none is followed, with an HTTP client of WithHTTPClient neither.
func WithSigner(sign Signer) Option {
	return func(c *Client) error {
		if sign == nil {
			return errors.New("WithSigner: the signer is nil")
		}
		c.sign = sign
		return nil
	}
}

// WithRetry replaces DefaultRetry.
func WithRetry(policy RetryPolicy) Option {
	return func(c *Client) error {
		if err := policy.validate(); err != nil {
			return fmt.Errorf("WithRetry: %w", err)
		}
		c.retry = policy
		return nil
	}
}

// WithUserAgent replaces "datastorage-go" in the User-Agent header.
func WithUserAgent(agent string) Option {
	return func(c *Client) error {
		if agent == "" || strings.ContainsFunc(agent, unicode.IsControl) {
			return errors.New("WithUserAgent: empty, or contains control characters")
		}
		c.agent = agent
		return nil
	}
}

func parseBaseURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("%q does not begin with http:// or https://", text)
	case base.Host == "":
		return nil, fmt.Errorf("%q has no host", text)
	case base.User != nil:
		return nil, errors.New("must not have credentials, see WithSigner")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment", text)
	}
	return base, nil
}

// protectIdentity refuses a base URL at which others could read an identity, and keeps any HTTP client
// from following redirects: net/http would drop the Authorization header for another host, but not
// the session token of X-Amz-Security-Token.
func (c *Client) protectIdentity() error {
	if c.base.Scheme != "https" && !isLoopback(c.base.Hostname()) {
		return fmt.Errorf("%q would send the identity unencrypted to another machine: use https://", c.base)
	}
	guarded := *c.http
	guarded.CheckRedirect = refuseRedirect
	c.http = &guarded
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// defaultHTTPClient keeps more idle connections to its one host than net/http's two, so that
// concurrent writers reuse connections. It does not follow redirects: the API sends none, and
// following one would send the identity elsewhere.
func defaultHTTPClient() *http.Client {
	httpClient := &http.Client{Timeout: requestTimeout, CheckRedirect: refuseRedirect}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport := standard.Clone()
		transport.MaxIdleConnsPerHost = transport.MaxIdleConns
		httpClient.Transport = transport
	}
	return httpClient
}
