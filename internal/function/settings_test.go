package function_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/function"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value
			}
		}
		return ""
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	s, err := function.Load(env("DATASTORAGE_DATABASE_URL=postgres://x:secret@h/d"))
	if err != nil {
		t.Fatal(err)
	}
	want := function.Settings{
		Database: access.Settings{URL: "postgres://x:secret@h/d", MaxConns: 2}, Embedding: embedding.Settings{Provider: "hashing", InFlight: 4},
		RequestTimeout: 10 * time.Second, PartitionsAhead: 3,
	}
	if s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "secret") {
			t.Errorf("%s prints a secret: %s", verb, text)
		}
	}
}

// TestLoadConcurrency checks the defaults of a process with several concurrent invocations, and that a setting overrides them.
func TestLoadConcurrency(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		concurrency, conns, calls string
		maxConns                  int32
		inFlight                  int
	}{
		{"1", "", "", 2, 4},
		{"4", "", "", 8, 16},
		{"16", "", "", 32, 64},
		{"51", "", "", 100, 204},
		{"1600", "", "", 100, 1000},
		{"4", "5", "6", 5, 6},
		{"0", "", "", 2, 4},
		{"-4", "", "", 2, 4},
		{"many", "", "", 2, 4},
	} {
		s, err := function.Load(env("DATASTORAGE_DATABASE_URL=postgres://h/d", "AWS_LAMBDA_MAX_CONCURRENCY="+test.concurrency,
			"DATASTORAGE_DATABASE_MAX_CONNS="+test.conns, "DATASTORAGE_EMBEDDING_IN_FLIGHT="+test.calls, "DATASTORAGE_EMBEDDING_NEXT_PROVIDER=hashing"))
		if err != nil {
			t.Fatal(err)
		}
		if s.Database.MaxConns != test.maxConns || s.Embedding.InFlight != test.inFlight {
			t.Errorf("%+v: %d connections, %d calls", test, s.Database.MaxConns, s.Embedding.InFlight)
		}
		if test.calls == "" && s.EmbeddingNext.InFlight != test.inFlight {
			t.Errorf("%+v: %d calls of the next model", test, s.EmbeddingNext.InFlight)
		}
	}
}

// TestLoadNamesEveryVariable checks that one error names every missing or invalid variable.
func TestLoadNamesEveryVariable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		setting string
		values  []string
	}{
		{"DATASTORAGE_DATABASE_MAX_CONNS", []string{"0", "101", "x", "1.5"}},
		{"DATASTORAGE_DATABASE_AUTH", []string{"IAM", "token", "none"}},
		{"DATASTORAGE_REQUEST_TIMEOUT", []string{"10", "30s", "1ms", "-1s"}},
		{"DATASTORAGE_PARTITIONS_AHEAD", []string{"0", "121"}},
		{"DATASTORAGE_REJECTS_QUEUE_URL", []string{"rejects", "https://", "ftp://h/q", "https://sqs.eu-west-1.amazonaws.com/1/q.fifo", "https://h/\x00"}},
		{"DATASTORAGE_LOG_LEVEL", []string{"loud"}},
		{"DATASTORAGE_EMBEDDING_PROVIDER", []string{"openAI", "random"}},
		{"DATASTORAGE_EMBEDDING_DIMENSIONS", []string{"0", "4001", "many"}},
		{"DATASTORAGE_EMBEDDING_DEADLINE", []string{"0s", "16m", "soon"}},
		{"DATASTORAGE_EMBEDDING_BATCH", []string{"0", "2049"}},
		{"DATASTORAGE_EMBEDDING_IN_FLIGHT", []string{"0", "1001"}},
	}
	for _, test := range tests {
		for _, value := range test.values {
			_, err := function.Load(env("DATASTORAGE_DATABASE_URL=postgres://h/d", test.setting+"="+value))
			if err == nil || !strings.Contains(err.Error(), test.setting) {
				t.Errorf("%s=%s: %v", test.setting, value, err)
			}
		}
	}
	_, err := function.Load(env("DATASTORAGE_EMBEDDING_PROVIDER=openai", "DATASTORAGE_LOG_LEVEL=loud"))
	for _, setting := range []string{
		"DATASTORAGE_DATABASE_URL", "DATASTORAGE_LOG_LEVEL", "DATASTORAGE_EMBEDDING_URL", "DATASTORAGE_EMBEDDING_MODEL",
		"DATASTORAGE_EMBEDDING_DIMENSIONS",
	} {
		if err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is missing from %v", setting, err)
		}
	}
}
