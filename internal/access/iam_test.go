package access_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

const (
	region       = "eu-west-1"
	accessKey    = "AKIAIOSFODNN7EXAMPLE"
	secretKey    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	sessionToken = "a-session/of+a=role"
)

func staticCredentials() aws.Config {
	return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, sessionToken)}
}

// gate verifies tokens as RDS does, and records them.
type gate struct {
	mu     sync.Mutex
	host   string
	tokens []string
	errs   []error
}

func (g *gate) verify(user, token string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := checkToken(token, g.host, user, time.Now())
	g.tokens, g.errs = append(g.tokens, token), append(g.errs, err)
	return err == nil
}

// checkToken verifies a token by the Amazon RDS and IAM User Guides: a presigned GET of / at the
// endpoint, without https://.
func checkToken(token, host, user string, now time.Time) error {
	parsed, err := url.Parse("https://" + token)
	if err != nil {
		return err
	}
	query := parsed.Query()
	made, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	scope := made.Format("20060102") + "/" + region + "/rds-db/aws4_request"
	for name, want := range map[string]string{
		"Action": "connect", "DBUser": user, "X-Amz-Expires": "900", "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-SignedHeaders": "host",
		"X-Amz-Credential": accessKey + "/" + scope, "X-Amz-Security-Token": sessionToken,
	} {
		if got := query.Get(name); got != want {
			return fmt.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if err != nil {
		return err
	}
	if age := now.Sub(made); parsed.Host != host || age < 0 || age > 15*time.Minute {
		return fmt.Errorf("token for %s, made %v ago, want one for %s at most 15 minutes old", parsed.Host, age, host)
	}
	signature := query.Get("X-Amz-Signature")
	query.Del("X-Amz-Signature")
	if want := sigV4(host, query, made, scope); signature != want {
		return fmt.Errorf("signature %s, want %s", signature, want)
	}
	return nil
}

// sigV4 signs a GET of / (IAM User Guide, "Create a signed AWS API request").
func sigV4(host string, query url.Values, made time.Time, scope string) string {
	sum := func(text string) string {
		hash := sha256.Sum256([]byte(text))
		return hex.EncodeToString(hash[:])
	}
	canonical := "GET\n/\n" + strings.ReplaceAll(query.Encode(), "+", "%20") + "\nhost:" + host + "\n\nhost\n" + sum("")
	text := "AWS4-HMAC-SHA256\n" + made.Format("20060102T150405Z") + "\n" + scope + "\n" + sum(canonical)
	key := []byte("AWS4" + secretKey)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// waitForNextSecond waits until a new token differs: its date is in seconds.
func waitForNextSecond() {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
}

// TestTokens checks that each connection has a new token for its host, port and user, and is accepted.
func TestTokens(t *testing.T) {
	t.Parallel()
	db, authority, gate := postgrestest.New(t), postgrestest.NewAuthority(t), new(gate)
	proxy := postgrestest.NewProxy(t, postgrestest.ProxyConfig{
		Target: db.WriterURL(), Certificate: authority.Certificate(t, "localhost"), Admit: gate.verify,
	})
	gate.host = fmt.Sprintf("localhost:%d", proxy.Port)
	store := openStore(t, access.Settings{
		URL: proxy.URL(t, pgserver.WriterRole, "verify-full"), IAM: true, Region: region, CA: authority.File,
	}, staticCredentials())
	const connections = 3
	for range connections {
		if err := errors.Join(queryNothing(t.Context(), store), queryNothing(t.Context(), store)); err != nil {
			t.Fatal(err)
		}
		proxy.CutAll()
		waitForNextSecond()
	}
	distinct := map[string]bool{}
	for i, token := range gate.tokens {
		distinct[token] = true
		if gate.errs[i] != nil {
			t.Errorf("token %d: %v", i, gate.errs[i])
		}
	}
	if len(distinct) != connections || len(gate.tokens) != connections {
		t.Errorf("%d tokens, %d of them distinct, for %d connections", len(gate.tokens), len(distinct), connections)
	}
}

// TestTokenIsRefused checks that a refused token is retried, since a rotation may be in progress,
// and that the database is unavailable after five attempts.
func TestTokenIsRefused(t *testing.T) {
	t.Parallel()
	db, authority := postgrestest.New(t), postgrestest.NewAuthority(t)
	var asked atomic.Int32
	proxy := postgrestest.NewProxy(t, postgrestest.ProxyConfig{
		Target: db.WriterURL(), Certificate: authority.Certificate(t, "localhost"),
		Admit: func(string, string) bool { asked.Add(1); return false },
	})
	settings := access.Settings{URL: proxy.URL(t, pgserver.WriterRole, "verify-full"), IAM: true, Region: region, CA: authority.File}
	if err := queryNothing(t.Context(), openStore(t, settings, staticCredentials())); !errors.Is(err, audit.ErrUnavailable) || asked.Load() != 5 {
		t.Errorf("%v after %d logins, want audit.ErrUnavailable after 5", err, asked.Load())
	}
	noRole := aws.Config{Region: region, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no role")
	})}
	if err := queryNothing(t.Context(), openStore(t, settings, noRole)); !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "no role") {
		t.Errorf("without credentials: %v", err)
	}
}

// TestTLS checks which servers a function accepts as its database.
func TestTLS(t *testing.T) {
	t.Parallel()
	db, authority, stranger := postgrestest.New(t), postgrestest.NewAuthority(t), postgrestest.NewAuthority(t)
	proxy := func(certificate string) *postgrestest.Proxy {
		return postgrestest.NewProxy(t, postgrestest.ProxyConfig{
			Target: db.WriterURL(), Certificate: authority.Certificate(t, certificate),
			Admit: func(_, password string) bool { return password == "right" },
		})
	}
	right, other := proxy("localhost"), proxy("elsewhere.example")
	with := func(p *postgrestest.Proxy, sslmode string) string {
		return strings.Replace(p.URL(t, pgserver.WriterRole, sslmode), "@", ":right@", 1)
	}
	for name, c := range map[string]struct {
		url, ca, want string // want in the error; empty: the connection succeeds
	}{
		"the right certificate":       {with(right, "verify-full"), authority.File, ""},
		"a certificate of another":    {with(other, "verify-full"), authority.File, "certificate is valid for elsewhere.example, not localhost"},
		"another name of the machine": {strings.Replace(with(right, "verify-full"), "localhost", "127.0.0.1", 1), authority.File, "127.0.0.1"},
		"an unknown authority":        {with(right, "verify-full"), stranger.File, "unknown authority"},
		"not the system's":            {with(right, "verify-full"), "", "unknown authority"},
		"not the system's by name":    {with(right, "verify-full"), "system", "unknown authority"},
		"without TLS":                 {with(right, "disable"), "", "requires TLS"},
		"a server without TLS":        {strings.Replace(db.WriterURL(), "sslmode=disable", "sslmode=verify-full", 1), authority.File, "TLS"},
	} {
		store := openStore(t, access.Settings{URL: c.url, CA: c.ca}, aws.Config{})
		err := queryNothing(t.Context(), store)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), ":right@") {
			t.Errorf("%s: the error contains the password: %v", name, err)
		}
	}
}
