package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/config"
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
	s, err := config.Load(env("DATASTORAGE_DATABASE_URL=postgres://x:secret@h/d"))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Settings{
		Database: config.Database{URL: "postgres://x:secret@h/d", MaxConns: 2, Auth: "password"}, RequestTimeout: 10 * time.Second, PartitionsAhead: 3,
		Embedding: config.Embedding{Provider: "hashing", Dimensions: 512, Batch: 64, InFlight: 4},
	}
	if s != want {
		t.Errorf("%+v, wanted %+v", s, want)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "secret") {
			t.Errorf("%s prints a secret: %s", verb, text)
		}
	}
}

func TestLoadNamesEveryFault(t *testing.T) {
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
			_, err := config.Load(env("DATASTORAGE_DATABASE_URL=postgres://h/d", test.setting+"="+value))
			if err == nil || !strings.Contains(err.Error(), test.setting) {
				t.Errorf("%s=%s: %v", test.setting, value, err)
			}
		}
	}
	_, err := config.Load(env("DATASTORAGE_EMBEDDING_PROVIDER=openai", "DATASTORAGE_LOG_LEVEL=loud"))
	for _, setting := range []string{
		"DATASTORAGE_DATABASE_URL", "DATASTORAGE_LOG_LEVEL", "DATASTORAGE_EMBEDDING_URL", "DATASTORAGE_EMBEDDING_MODEL",
		"DATASTORAGE_EMBEDDING_DIMENSIONS",
	} {
		if err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is missing from %v", setting, err)
		}
	}
}

func TestNextEmbedding(t *testing.T) {
	t.Parallel()
	first, next, err := config.LoadEmbedding(env(
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=openai", "DATASTORAGE_EMBEDDING_NEXT_URL=http://h/v1", "DATASTORAGE_EMBEDDING_NEXT_MODEL=m",
		"DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS=8", "DATASTORAGE_EMBEDDING_NEXT_API_KEY=secret", "DATASTORAGE_EMBEDDING_NEXT_DEADLINE=3s"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Embedding{Provider: "hashing", Dimensions: 512, Batch: 64, InFlight: 4}); first != want {
		t.Errorf("first %+v, want %+v", first, want)
	}
	want := config.Embedding{
		Provider: "openai", Model: "m", Dimensions: 8, URL: "http://h/v1", APIKey: "secret", Deadline: 3 * time.Second, Batch: 64, InFlight: 4,
	}
	if next != want {
		t.Errorf("next %+v, want %+v", next, want)
	}
	if text := fmt.Sprintf("%#v", config.Settings{EmbeddingNext: next}); strings.Contains(text, "secret") {
		t.Errorf("a secret is printed: %s", text)
	}
	for setting, named := range map[string]string{
		"DATASTORAGE_EMBEDDING_NEXT_MODEL=m":         "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS=64":   "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=openai": "DATASTORAGE_EMBEDDING_NEXT_URL",
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=none":   "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
	} {
		if _, _, err := config.LoadEmbedding(env(setting)); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
