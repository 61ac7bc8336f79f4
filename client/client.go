package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// requestTimeout bounds one attempt of the default HTTP client. It is more than the 30 s after which Amazon API Gateway
// answers for a silent integration (its quota "Maximum integration timeout" of HTTP APIs), so that the answer arrives.
const requestTimeout = 35 * time.Second

// Client speaks to one service. It is safe for use by several goroutines at once and needs no closing.
type Client struct {
	base  *url.URL
	http  *http.Client
	sign  Signer
	retry RetryPolicy
	agent string
	// strong is what Strong sets.
	strong bool
}

// Option is a setting of New.
type Option func(*Client) error

// Signer puts an identity on a request, usually an Authorization header, just before it is sent; body is what it will
// carry, nil when nothing. It is called for every attempt, since signatures and tokens expire. It must not read or
// replace the request's body. Its error ends the call and is wrapped in the call's error.
type Signer func(ctx context.Context, request *http.Request, body []byte) error

// New makes a client of the service at baseURL, for example http://127.0.0.1:3000 or an API Gateway stage's invoke URL.
// It sends nothing. Its error names the setting that is wrong.
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
	return c, nil
}

// Strong is the same client for reads that must see every write acknowledged before them, one's own above all. Without it, a deployment that has
// replicas may read from one that is a little behind. Pages may be begun with one client and gone on with by the other.
func (c *Client) Strong() *Client {
	strong := *c
	strong.strong = true
	return &strong
}

// WithHTTPClient sends through the given client instead of one that waits 35 s for an answer and follows no redirect.
func WithHTTPClient(httpClient *http.Client) Option {
	return func(c *Client) error {
		if httpClient == nil {
			return errors.New("WithHTTPClient: the HTTP client is nil")
		}
		c.http = httpClient
		return nil
	}
}

// WithSigner puts an identity on every request; without it, requests carry none.
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
		return nil, fmt.Errorf("%q names no host", text)
	case base.User != nil:
		return nil, errors.New("credentials do not belong in it, see WithSigner")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment", text)
	}
	return base, nil
}

// defaultHTTPClient keeps more idle connections to the one host it knows than net/http's two, so that concurrent writers
// do not open a new one for each request. The API never redirects: following one would carry an identity elsewhere.
func defaultHTTPClient() *http.Client {
	httpClient := &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport := standard.Clone()
		transport.MaxIdleConnsPerHost = transport.MaxIdleConns
		httpClient.Transport = transport
	}
	return httpClient
}
