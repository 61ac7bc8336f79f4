package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/secrets"
	"github.com/datastorage-service/datastorage/internal/secretstest"
)

func decodeText(text string) (string, error) {
	if text == "" {
		return "", errors.New("empty")
	}
	return text, nil
}

func newSecret(server *secretstest.Server, pause time.Duration) *secrets.Secret[string] {
	return secrets.New(server.Config(), secrets.Config[string]{ID: secretstest.ID, Decode: decodeText, Pause: pause})
}

func wantValue(t *testing.T, secret *secrets.Secret[string], want string) {
	t.Helper()
	if got, err := secret.Value(t.Context()); err != nil || got != want {
		t.Errorf("value %q, %v, want %q", got, err, want)
	}
}

func wantReads(t *testing.T, server *secretstest.Server, want int) {
	t.Helper()
	if got := server.Reads("AWSCURRENT"); got != want {
		t.Errorf("the current version was read %d times, want %d", got, want)
	}
}

// TestValueIsRead checks that a secret is read once, and again when its value was refused.
func TestValueIsRead(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t, "one")
	secret := newSecret(server, time.Hour)
	wantReads(t, server, 0)
	for range 3 {
		wantValue(t, secret, "one")
	}
	wantReads(t, server, 1)
	server.Put("AWSCURRENT", "two")
	wantValue(t, secret, "one")
	secret.Refuse("one")
	wantValue(t, secret, "two")
	secret.Refuse("one") // late: it was replaced
	wantValue(t, secret, "two")
	wantReads(t, server, 2)
}

// TestStages checks which version is used while the versions change.
func TestStages(t *testing.T) {
	t.Parallel()
	for stage, want := range map[string]string{"AWSPENDING": "other", "AWSPREVIOUS": "other", "AWSOTHER": "one"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t, "one")
			secret := newSecret(server, 0)
			server.Put(stage, "other")
			wantValue(t, secret, "one")
			secret.Refuse("one")
			wantValue(t, secret, want)
		})
	}
}

// TestRefusalsPause checks that a burst of refusals costs one read, if the secret has no other value.
func TestRefusalsPause(t *testing.T) {
	t.Parallel()
	for pause, want := range map[time.Duration]int{time.Hour: 2, 0: 101} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t, "one")
			secret := newSecret(server, pause)
			for range 100 {
				wantValue(t, secret, "one")
				secret.Refuse("one")
			}
			wantValue(t, secret, "one")
			wantReads(t, server, want)
		})
	}
}

// TestFailuresPause checks that a failed read is repeated only after the pause.
func TestFailuresPause(t *testing.T) {
	t.Parallel()
	for pause, want := range map[time.Duration]int{time.Hour: 1, 0: 10} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t, "one")
			server.FailWith(secretstest.Refuse("AccessDeniedException", "not you"))
			secret := newSecret(server, pause)
			for range 10 {
				if value, err := secret.Value(t.Context()); value != "" || err == nil || !strings.Contains(err.Error(), "AccessDeniedException: not you") {
					t.Errorf("value %q, %v", value, err)
				}
			}
			wantReads(t, server, want)
		})
	}
	server := secretstest.New(t, "one")
	server.FailWith(secretstest.Refuse("AccessDeniedException", "not you"))
	secret := newSecret(server, time.Millisecond)
	if _, err := secret.Value(t.Context()); err == nil {
		t.Error("no error")
	}
	server.FailWith(nil)
	eventually(t, "the secret is read", func() bool {
		value, err := secret.Value(t.Context())
		return err == nil && value == "one"
	})
}

// eventually waits until time makes the condition true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen within 30 s: %s", what)
		}
	}
}

// TestConcurrentReads checks that concurrent callers share a read, at the first use and after a
// refusal that all of them report.
func TestConcurrentReads(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t, "one")
	secret := newSecret(server, time.Hour)
	use := func(want, refused string) {
		before := server.Reads("AWSCURRENT")
		release := server.Hold()
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				secret.Refuse(refused)
				if got, err := secret.Value(t.Context()); err != nil || got != want {
					t.Errorf("value %q, %v, want %q", got, err, want)
				}
			})
		}
		eventually(t, "a read began", func() bool { return server.Reads("AWSCURRENT") > before })
		release()
		callers.Wait()
	}
	use("one", "")
	wantReads(t, server, 1)
	server.Put("AWSCURRENT", "two")
	use("two", "one")
	wantReads(t, server, 2)
}

// TestCallersLeave checks that a caller waits no longer than its context, and that the read goes on
// for the next one.
func TestCallersLeave(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t, "one")
	secret := newSecret(server, time.Hour)
	release := server.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := secret.Value(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	release()
	wantValue(t, secret, "one")
	wantReads(t, server, 1)
}

// TestUnusableSecrets checks that a secret that cannot be decoded is an error that does not quote it.
func TestUnusableSecrets(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t, "")
	if _, err := newSecret(server, 0).Value(t.Context()); err == nil || err.Error() != "empty" {
		t.Errorf("%v", err)
	}
	server.FailWith(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"SecretBinary": "aHVudGVyMg=="}`))
	})
	if _, err := newSecret(server, 0).Value(t.Context()); err == nil || err.Error() != "the secret is binary" {
		t.Errorf("%v", err)
	}
}

// TestValueIsNotPrinted checks that no verb prints the value.
func TestValueIsNotPrinted(t *testing.T) {
	t.Parallel()
	secret := newSecret(secretstest.New(t, "hunter2"), 0)
	wantValue(t, secret, "hunter2")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		if text := fmt.Sprintf(verb, secret); text != "[redacted]" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
