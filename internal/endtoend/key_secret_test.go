package endtoend_test

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/secretstest"
)

const keySecret = "DATASTORAGE_EMBEDDING_API_KEY_SECRET"

// newKeyedStack starts a stack whose functions find the provider's key in the secret.
func newKeyedStack(t *testing.T, env map[string]string, vault *secretstest.Server, log *bytes.Buffer) *endtoend.Stack {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": vault.URL, "AWS_REGION": "eu-central-1", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET",
	} {
		t.Setenv(name, value)
	}
	delete(env, "DATASTORAGE_EMBEDDING_API_KEY")
	env[keySecret] = secretstest.ID
	return endtoend.New(t, endtoend.Options{Env: env, Log: slog.New(slog.NewTextHandler(log, nil))})
}

// TestKeyInSecret checks a key that cannot be read, then one that is rotated: records are stored
// throughout, log and /ready name the variable, and the running functions find the new key.
func TestKeyInSecret(t *testing.T) { //nolint:paralleltest // sets the environment of the AWS SDK
	provider, vault := newProvider(t), secretstest.New(t, secret)
	var log bytes.Buffer
	vault.FailWith(secretstest.Refuse("AccessDeniedException", "not authorized to perform: secretsmanager:GetSecretValue"))
	stack := newKeyedStack(t, provider.env(), vault, &log)
	written, err := stack.Client.CreateRemediation(t.Context(), remediationWithError("unreadable", "disk is full"))
	if err != nil || written.Embedding != client.EmbeddingStatePending {
		t.Errorf("%+v, %v, want a pending embedding", written, err)
	}
	ready, err := stack.Client.Ready(t.Context())
	if err != nil || ready.Status != client.ReadinessStatusDegraded || !strings.Contains(detailOf(ready, "embedding"), keySecret) {
		t.Errorf("%+v, %v, want a detail that names the variable", ready, err)
	}
	if want := "read the secret in " + keySecret + ": AccessDeniedException"; strings.Count(log.String(), want) < 2 {
		t.Errorf("the lines of write and /ready do not say %q:\n%s", want, log.String())
	}

	vault.FailWith(nil)
	wantReadiness(t, stack, client.ReadinessStatusReady, allChecksOK())
	done, err := stack.Functions.Maintain.Invoke(t.Context())
	if err != nil || done.Embedded != 1 {
		t.Errorf("the run returned %+v, %v; want 1 vector", done, err)
	}

	vault.Put("AWSCURRENT", `{"api_key": "rotated"}`)
	provider.accept("rotated")
	written, err = stack.Client.CreateRemediation(t.Context(), remediationWithError("rotated", "memory is full"))
	if err != nil || written.Embedding != client.EmbeddingStateStored {
		t.Errorf("after the rotation: %+v, %v, want a stored embedding", written, err)
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log contains the key:\n%s", log.String())
	}
}

func detailOf(ready *client.Readiness, name client.CheckName) string {
	for _, check := range ready.Checks {
		if check.Name == name {
			return check.Detail
		}
	}
	return ""
}

// TestKeyReadTakesLong checks that a write waits for the secret no longer than for vectors.
func TestKeyReadTakesLong(t *testing.T) { //nolint:paralleltest // sets the environment of the AWS SDK
	provider, vault := newProvider(t), secretstest.New(t, secret)
	var log bytes.Buffer
	stack := newKeyedStack(t, provider.envWithShortDeadline(), vault, &log)
	release := vault.Hold()
	defer release()
	written, err := stack.Client.CreateRemediation(t.Context(), remediationWithError("slow", "disk is full"))
	if err != nil || written.Embedding != client.EmbeddingStatePending {
		t.Errorf("%+v, %v, want a pending embedding", written, err)
	}
	if calls, _, _ := provider.counts(); calls != 0 || vault.Reads("AWSCURRENT") != 1 {
		t.Errorf("%d calls without a key, %d reads; want 0 and 1", calls, vault.Reads("AWSCURRENT"))
	}
	if !strings.Contains(log.String(), "context deadline exceeded") {
		t.Errorf("the read ended for another reason than the deadline:\n%s", log.String())
	}
}
