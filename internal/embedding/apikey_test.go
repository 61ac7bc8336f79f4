package embedding

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/datastorage-service/datastorage/internal/secretstest"
)

const keyVariable = "DATASTORAGE_EMBEDDING_API_KEY_SECRET"

// guardedService is a service that accepts one key.
type guardedService struct {
	*service

	mu  sync.Mutex
	key string
}

func serveGuarded(t *testing.T, key string) *guardedService {
	t.Helper()
	guarded := &guardedService{key: key}
	guarded.service = serve(t, func(n int, w http.ResponseWriter, r *http.Request, req request) {
		guarded.mu.Lock()
		accepted := r.Header.Get("Authorization") == "Bearer "+guarded.key
		guarded.mu.Unlock()
		if !accepted {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		respondWithVectors(n, w, r, req)
	})
	return guarded
}

// accept replaces the key that the service accepts.
func (g *guardedService) accept(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.key = key
}

// keyedEmbedder uses the service with the key in the secret.
func keyedEmbedder(t *testing.T, s *service, vault *secretstest.Server) *Embedder {
	t.Helper()
	key := newSecretKey(vault.Config(), KeySecret{ID: secretstest.ID, Variable: keyVariable})
	p, err := newOpenAI(&http.Client{}, serviceSettings(s), key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEmbedder(p, patientPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestKeyIsRotated checks that a rotated key costs one refused call and one read, and no request.
func TestKeyIsRotated(t *testing.T) {
	t.Parallel()
	s, vault := serveGuarded(t, "sk-1"), secretstest.New(t, `{"api_key": "sk-1"}`)
	e := keyedEmbedder(t, s.service, vault)
	if vault.Reads("AWSCURRENT") != 0 {
		t.Error("the secret was read before the first call")
	}
	for i := range 4 {
		if i == 2 {
			vault.Put("AWSCURRENT", "sk-2\n")
			s.accept("sk-2")
		}
		if _, err := e.Query(t.Context(), fmt.Sprint("query ", i)); err != nil {
			t.Errorf("query %d: %v", i, err)
		}
	}
	var keys []string
	for _, r := range s.received() {
		keys = append(keys, strings.TrimPrefix(r.authorization, "Bearer "))
	}
	if got := strings.Join(keys, " "); got != "sk-1 sk-1 sk-1 sk-2 sk-2" || vault.Reads("AWSCURRENT") != 2 {
		t.Errorf("called with %s, the secret was read %d times; want 5 calls, of which one is refused, and 2 reads", got, vault.Reads("AWSCURRENT"))
	}
}

// TestKeyIsRefused checks that refusals of the only key cost one read, and one call each: no retries.
func TestKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			vault := secretstest.New(t, "sk-1")
			e := keyedEmbedder(t, serve(t, respondWithStatus(status)), vault)
			var callers sync.WaitGroup
			for i := range 20 {
				callers.Go(func() {
					want := fmt.Sprintf("embedding provider unavailable: status %d", status)
					if _, err := e.Query(t.Context(), fmt.Sprint("query ", i)); err == nil || err.Error() != want {
						t.Errorf("%v, want %s", err, want)
					}
				})
			}
			callers.Wait()
			if calls, reads := e.Counts().Calls, vault.Reads("AWSCURRENT"); calls != 20 || reads != 2 {
				t.Errorf("%d calls, %d reads; want 20 and 2", calls, reads)
			}
		})
	}
}

// TestKeyIsUnreadable checks that the error names the variable, that the endpoint is not called
// without its key, and that failures are not read again with every call.
func TestKeyIsUnreadable(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*secretstest.Server){
		"AccessDeniedException: no": func(v *secretstest.Server) { v.FailWith(secretstest.Refuse("AccessDeniedException", "no")) },
		"the secret is neither an API key nor a JSON object with an API key as api_key": func(v *secretstest.Server) { v.Put("AWSCURRENT", `{"key": "hunter2"}`) },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s, vault := serve(t, respondWithVectors), secretstest.New(t, "sk-1")
			change(vault)
			e := keyedEmbedder(t, s, vault)
			for i := range 5 {
				_, err := e.Query(t.Context(), fmt.Sprint("query ", i))
				full := "embedding provider unavailable: read the secret in " + keyVariable + ": " + want
				if unreadable, ok := errors.AsType[*KeyError](err); err == nil || err.Error() != full || !ok || unreadable.Variable != keyVariable {
					t.Errorf("%v, want %s", err, full)
				}
			}
			if len(s.received()) != 0 || vault.Reads("AWSCURRENT") != 1 {
				t.Errorf("%d calls of the endpoint, %d reads of the secret", len(s.received()), vault.Reads("AWSCURRENT"))
			}
		})
	}
}

// TestKeyCannotBeReplaced checks the error if the key is refused and its secret cannot be read again.
func TestKeyCannotBeReplaced(t *testing.T) {
	t.Parallel()
	s, vault := serveGuarded(t, "sk-1"), secretstest.New(t, "sk-1")
	e := keyedEmbedder(t, s.service, vault)
	if _, err := e.Query(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	s.accept("sk-2")
	vault.FailWith(secretstest.Refuse("DecryptionFailure", "no"))
	_, err := e.Query(t.Context(), "after")
	want := "embedding provider unavailable: status 401; read the secret in " + keyVariable + ": DecryptionFailure: no"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestKeyReadIsLate checks that a call waits for the secret no longer than its timeout, and that the
// retry uses the read of the first call.
func TestKeyReadIsLate(t *testing.T) {
	t.Parallel()
	s, vault := serveGuarded(t, "sk-1"), secretstest.New(t, "sk-1")
	release := vault.Hold()
	e := keyedEmbedder(t, s.service, vault)
	e.cfg.CallTimeout, e.cfg.Attempts = 1, 2 // nanosecond: the first call ends at once
	if _, err := e.Query(t.Context(), "query"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	e.cfg.CallTimeout = patientPolicy().CallTimeout
	ended := make(chan error, 1)
	go func() {
		_, err := e.Query(t.Context(), "query")
		ended <- err
	}()
	eventually(t, "the secret is read", func() bool { return vault.Reads("AWSCURRENT") == 1 })
	release()
	if err := <-ended; err != nil || vault.Reads("AWSCURRENT") != 1 {
		t.Errorf("%v after %d reads", err, vault.Reads("AWSCURRENT"))
	}
}

func TestDecodeAPIKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sk-1": "sk-1", " sk-1\r\n": "sk-1", `{"api_key": "sk-1"}`: "sk-1", `{"api_key": "sk-1", "owner": 1}`: "sk-1",
		"": "", " ": "", "sk 1": "", "sk\n1": "", "schlüssel": "", "{": "", "{}": "", `{"api_key": ""}`: "", `{"api_key": 1}`: "",
		`{"key": "hunter2"}`: "", `{"api_key": "hunter2 "}`: "", `{"api_key": "hunter2"`: "",
	} {
		got, err := decodeAPIKey(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}

// TestSecretKeyIsNotPrinted checks that no verb prints a key that was read from a secret.
func TestSecretKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	key := newSecretKey(secretstest.New(t, "hunter2").Config(), KeySecret{ID: secretstest.ID, Variable: keyVariable})
	if got, err := key.currentKey(t.Context()); err != nil || got != "hunter2" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, key); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
