package sigv4test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Key is an access key of an account.
type Key struct {
	// ID and Secret are the pair; Token belongs to temporary keys only.
	ID, Secret, Token string
	// Holder is the user or role that the key is of, for assertions.
	Holder string
}

// Call is a request whose signature was valid.
type Call struct {
	// Holder is that of the key.
	Holder string
	// Stamp is the time of the signature, as 20150830T123600Z.
	Stamp string
}

// Account has keys and checks what they sign. It is safe for concurrent use.
type Account struct {
	mu    sync.Mutex
	keys  map[string]Key
	calls []Call
	// refused are the reasons of refusals.
	refused []error
}

// NewAccount returns an account without keys.
func NewAccount() *Account { return &Account{keys: map[string]Key{}} }

// CreateKey returns a new key of a user: without a session token, as in a profile with static credentials.
func (a *Account) CreateKey(holder string) Key {
	return a.add(Key{ID: "AKIA" + rand.Text(), Secret: rand.Text(), Holder: holder})
}

// CreateTemporaryKey returns a new key with a session token.
func (a *Account) CreateTemporaryKey(holder string) Key {
	return a.add(Key{ID: "ASIA" + rand.Text(), Secret: rand.Text() + "/+", Token: rand.Text() + "/+=", Holder: holder})
}

func (a *Account) add(key Key) Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[key.ID] = key
	return key
}

// Calls returns the accepted requests, oldest first.
func (a *Account) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// Refused returns why requests were refused, oldest first. API Gateway's responses do not say it.
func (a *Account) Refused() []error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// API is an HTTP API of a region with IAM authorization: it passes requests with a valid signature on to next, and
// responds to others as API Gateway does. As in template.yaml, GET /health needs no signature.
func (a *Account) API(region string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.URL.Path != "/health" && !a.accepts(r, body, region, "execute-api") {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Apigw-Requestid", "gateway-request")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"Forbidden"}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// accepts checks a signature and records the result. An empty region is any region.
func (a *Account) accepts(r *http.Request, body []byte, region, service string) bool {
	key, err := a.verify(r, body, region, service)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.refused = append(a.refused, fmt.Errorf("%s %s: %w", r.Method, r.RequestURI, err))
		return false
	}
	if service == "execute-api" {
		a.calls = append(a.calls, Call{Holder: key.Holder, Stamp: r.Header.Get("X-Amz-Date")})
	}
	return true
}

func (a *Account) verify(r *http.Request, body []byte, region, service string) (Key, error) {
	signed, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return Key{}, err
	}
	a.mu.Lock()
	key, known := a.keys[signed.keyID]
	a.mu.Unlock()
	switch {
	case !known:
		return Key{}, fmt.Errorf("there is no key %s", signed.keyID)
	case signed.service != service || signed.region != cmp.Or(region, signed.region):
		return Key{}, fmt.Errorf("signed for %s in %s, not for %s in %s", signed.service, signed.region, service, region)
	}
	return key, signed.verify(r, body, key, time.Now())
}
