package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/functiontest"
	"github.com/datastorage-service/datastorage/internal/sigv4test"
)

const (
	apiHost   = "a1b2c3d4.execute-api.eu-central-1.amazonaws.com"
	apiRegion = "eu-central-1"
)

// TestIdentityScripts runs scripts with the real functions behind an API with IAM authorization: at the address that API
// Gateway would assign, through a proxy that connects it to this machine, and at LOOPBACK_URL.
func TestIdentityScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/identity",
		Setup:              setupIdentity,
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"signed": signed,
		},
	})
}

func setupIdentity(env *testscript.Env) error {
	tb, ok := env.T().(testing.TB)
	if !ok {
		return errors.New("the script has no testing.TB")
	}
	service, err := url.Parse(endtoend.New(tb, endtoend.Options{}).URL)
	if err != nil {
		return err
	}
	account := sigv4test.NewAccount()
	api := account.API(apiRegion, httputil.NewSingleHostReverseProxy(service))
	gateway, certificate, err := startGateway(tb, api)
	if err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "home")
	user, role := account.CreateKey("user"), account.CreateTemporaryKey("role")
	env.Values["account"] = account
	env.Vars = append(env.Vars,
		"HOME="+home, "AWS_CONFIG_FILE="+filepath.Join(home, ".aws", "config"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_STS="+startServer(tb, account.STS("web-t0ken")), "AWS_ENDPOINT_URL_SSO="+startServer(tb, account.SSO("sso-t0ken")),
		"HTTPS_PROXY="+startServer(tb, connectTo(gateway)), "SSL_CERT_FILE="+filepath.Join(home, "certificate.pem"),
		"DATASTORAGE_URL=https://"+apiHost, "LOOPBACK_URL="+startServer(tb, api), "ROOT="+functiontest.Root(tb),
		"USER_KEY="+user.ID, "USER_SECRET="+user.Secret, "ROLE_KEY="+role.ID, "ROLE_SECRET="+role.Secret, "ROLE_TOKEN="+role.Token)
	return errors.Join(
		writeIn(home, "certificate.pem", certificate),
		writeIn(home, ".aws/config", profiles(home, user)),
		writeIn(home, "process.json", fmt.Sprintf(`{"Version": 1, "AccessKeyId": %q, "SecretAccessKey": %q, "SessionToken": %q}`, role.ID, role.Secret, role.Token)),
		sigv4test.WriteSSOToken(home, "company", "sso-t0ken", time.Now().Add(time.Hour)),
		sigv4test.WriteSSOToken(home, "expired", "sso-t0ken", time.Now().Add(-time.Hour)),
	)
}

// profiles is an AWS config file.
func profiles(home string, user sigv4test.Key) string {
	session := func(name string) string {
		return "[profile " + name + "]\nsso_session = " + name + "\nsso_account_id = 123456789012\nsso_role_name = Reader\n" +
			"[sso-session " + name + "]\nsso_region = eu-west-1\nsso_start_url = https://" + name + ".awsapps.com/start\n"
	}
	return "[profile static]\naws_access_key_id = " + user.ID + "\naws_secret_access_key = " + user.Secret + "\nregion = us-east-1\n" +
		"[profile forged]\naws_access_key_id = AKIAFORGED\naws_secret_access_key = hunter2\n" +
		"[profile role]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = static\n" +
		"[profile process]\ncredential_process = cat " + filepath.Join(home, "process.json") + "\n" + session("company") + session("expired")
}

func writeIn(folder, path, content string) error {
	path = filepath.Join(folder, filepath.FromSlash(path))
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
}

func startServer(tb testing.TB, handler http.Handler) string {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return server.URL
}

// startGateway serves an API by TLS as apiHost. It returns the address and the certificate, which signs itself.
func startGateway(tb testing.TB, api http.Handler) (address, certificate string, err error) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: []string{apiHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", "", err
	}
	server := httptest.NewUnstartedServer(api)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust the certificate
	server.StartTLS()
	tb.Cleanup(server.Close)
	return server.Listener.Addr().String(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// connectTo is an HTTP proxy that connects apiHost to an address of this machine, and no other host.
func connectTo(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != apiHost+":443" {
			http.Error(w, "not "+apiHost, http.StatusForbidden)
			return
		}
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = upstream.Close() }()
		downstream, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = downstream.Close() }()
		_, _ = io.WriteString(downstream, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(upstream, downstream) }()
		_, _ = io.Copy(downstream, upstream)
	})
}

// signed checks whose key has signed the last request that the API accepted, and how many it has accepted by now:
// signed user 2.
func signed(ts *testscript.TestScript, _ bool, args []string) {
	account, ok := ts.Value("account").(*sigv4test.Account)
	if !ok {
		ts.Fatalf("the script has no account")
	}
	calls := account.Calls()
	if len(calls) == 0 || calls[len(calls)-1].Holder != args[0] || fmt.Sprint(len(calls)) != args[1] {
		ts.Fatalf("%d calls %v, refused %v", len(calls), calls, account.Refused())
	}
}

// TestAuthMode checks which identity flags and variables select.
func TestAuthMode(t *testing.T) {
	t.Parallel()
	const assigned, other = "https://" + apiHost, "https://audit.example.com"
	for _, c := range []struct {
		name, flag, variable, token, url, profile, region string
		want, why                                         string
	}{
		{name: "nothing", url: other, want: authNone},
		{name: "assigned host", url: assigned, want: authIAM},
		{name: "token", url: assigned, token: "t", want: authToken},
		{name: "flag over token", url: other, token: "t", flag: authIAM, want: authIAM},
		{name: "flag over variable", url: other, flag: authNone, variable: authIAM, want: authNone},
		{name: "variable", url: other, variable: authIAM, want: authIAM},
		{name: "none with a token", url: assigned, token: "t", flag: authNone, want: authNone},
		{name: "profile", url: assigned, profile: "dev", want: authIAM},
		{name: "auto by variable", url: assigned, variable: authAuto, want: authIAM},
		{name: "unknown", url: other, flag: "sigv4", why: "--auth and DATASTORAGE_AUTH must be one of auto, iam, token, none"},
		{name: "unknown variable", url: other, variable: "IAM", why: "must be one of"},
		{name: "no token", url: other, flag: authToken, why: "--auth token needs DATASTORAGE_TOKEN"},
		{name: "profile for a token", url: assigned, token: "t", profile: "dev", why: "these would have the token of DATASTORAGE_TOKEN"},
		{name: "region for nothing", url: other, region: "eu-west-1", why: "these would have no identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{authVariable: c.variable, tokenVariable: c.token}
			a := &app{url: c.url, auth: c.flag, profile: c.profile, region: c.region, getenv: func(name string) string { return env[name] }}
			got, err := a.authMode()
			if c.why == "" {
				if err != nil || got != c.want {
					t.Errorf("%s, %v; want %s", got, err, c.want)
				}
				return
			}
			known, ok := errors.AsType[*commandError](err)
			if !ok || known.code != exitUsage || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s, %v; want an error with %q", got, err, c.why)
			}
		})
	}
}

// TestTokenNeedsTLS checks that a token is not sent where others could read it.
func TestTokenNeedsTLS(t *testing.T) {
	t.Parallel()
	got := runOn(t.Context(), "http://audit.example.com", false, nil, "list")
	if got.code != exitUsage || !strings.Contains(got.stderr, "unencrypted") || strings.Contains(got.stderr, "t0ken") {
		t.Errorf("%+v", got)
	}
}
