package sigv4_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
	"github.com/datastorage-service/datastorage/internal/sigv4test"
)

const region = "eu-central-1"

// received is a request as it arrived behind the check of its signature.
type received struct{ method, target, body string }

// api is an API with IAM authorization that responds to every request in the same way.
type api struct {
	*sigv4test.Account
	url string

	mu   sync.Mutex
	seen []received
}

func serveAPI(t *testing.T) *api {
	t.Helper()
	a := &api{Account: sigv4test.NewAccount()}
	server := httptest.NewServer(a.API(region, a))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.seen = append(a.seen, received{r.Method, r.RequestURI, string(body)})
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"data":[],"pagination":{},"results":[{"status":201},{"status":201}]}`)
}

func (a *api) requests() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// settingsWith returns SDK settings with a key.
func settingsWith(key sigv4test.Key) aws.Config {
	return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.Token)}
}

// newClient returns a client of an API that signs by the settings.
func newClient(t *testing.T, url string, settings aws.Config, options ...client.Option) *client.Client {
	t.Helper()
	signer, err := sigv4.New(url, settings)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(url, append(options, client.WithSigner(signer.Sign))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// isolateFromSettings hides the AWS settings of the machine: home folder, files, variables, instance metadata. It returns the
// empty home folder.
func isolateFromSettings(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	// The SDK determines the default paths when the process starts.
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws", "credentials"))
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return home
}
