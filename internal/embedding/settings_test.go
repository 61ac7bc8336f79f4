package embedding_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
)

func TestOpenNamesTheModel(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	tests := []struct {
		settings embedding.Settings
		want     string
	}{
		{embedding.Settings{Provider: "hashing"}, "hash-word-char35-v1@512"},
		{embedding.Settings{Provider: "hashing", Dimensions: 256}, "hash-word-char35-v1@256"},
		{embedding.Settings{Provider: "openai", URL: "http://127.0.0.1:1/v1", Model: "m", Dimensions: 384}, "m@384"},
		{embedding.Settings{Provider: "bedrock"}, "amazon.titan-embed-text-v2:0@1024"},
		{embedding.Settings{Provider: "bedrock", Dimensions: 256}, "amazon.titan-embed-text-v2:0@256"},
		{embedding.Settings{Provider: "bedrock", Model: "cohere.embed-english-v3"}, "cohere.embed-english-v3@1024"},
		{
			embedding.Settings{Provider: "bedrock", Model: "cohere.embed-v4:0", Dimensions: 1536, Profile: "us.cohere.embed-v4:0"},
			"cohere.embed-v4:0@1536",
		},
		{
			embedding.Settings{Provider: "openai", URL: "http://127.0.0.1:1/v1", Model: "m", Dimensions: 384, APIKeySecret: embedding.KeySecret{ID: "key"}},
			"m@384",
		},
	}
	for _, test := range tests {
		embedder, err := embedding.Open(t.Context(), test.settings)
		if err != nil {
			t.Errorf("%v: %v", test.settings, err)
			continue
		}
		if got := embedder.Model().String(); got != test.want {
			t.Errorf("%v: %s, wanted %s", test.settings, got, test.want)
		}
	}
}

func TestOpenRefusesBadSettings(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	tests := []struct {
		settings embedding.Settings
		want     string
	}{
		{embedding.Settings{Provider: "magic"}, "hashing, openai, bedrock"},
		{embedding.Settings{Provider: "hashing", Dimensions: 3}, "Dimensions"},
		{embedding.Settings{Provider: "openai", Model: "m", Dimensions: 3}, "URL"},
		{embedding.Settings{Provider: "openai", URL: "http://h/v1", Dimensions: 3}, "Model"},
		{embedding.Settings{Provider: "bedrock", Model: "titan"}, "Model"},
		{embedding.Settings{Provider: "bedrock", Profile: "titan"}, "Profile"},
		{
			embedding.Settings{Provider: "openai", URL: "http://h/v1", Model: "m", Dimensions: 3, APIKeySecret: embedding.KeySecret{ID: "key", Variable: "VARIABLE"}},
			"AWS_REGION must be set for VARIABLE",
		},
		{embedding.Settings{Provider: "hashing", InFlight: -1}, "InFlight"},
	}
	for _, test := range tests {
		if _, err := embedding.Open(t.Context(), test.settings); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, wanted %s", test.settings, err, test.want)
		}
	}
}

func readerOf(pairs ...string) *config.Reader {
	return config.NewReader(func(name string) string {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value
			}
		}
		return ""
	})
}

// TestReadSettings checks that each provider is read from its own variables.
func TestReadSettings(t *testing.T) {
	t.Parallel()
	r := readerOf(
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=openai", "DATASTORAGE_EMBEDDING_NEXT_URL=http://h/v1", "DATASTORAGE_EMBEDDING_NEXT_MODEL=m",
		"DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS=8", "DATASTORAGE_EMBEDDING_NEXT_API_KEY=key", "DATASTORAGE_EMBEDDING_NEXT_DEADLINE=3s",
		"DATASTORAGE_EMBEDDING_NEXT_BATCH=7", "DATASTORAGE_EMBEDDING_NEXT_IN_FLIGHT=5", "DATASTORAGE_EMBEDDING_NEXT_PROFILE=p")
	first, next := embedding.ReadSettings(r)
	if r.Err() != nil || first != (embedding.Settings{Provider: "hashing", InFlight: 4}) {
		t.Errorf("first %+v, %v, want the defaults of hashing", first, r.Err())
	}
	if next.APIKey == (embedding.Secret{}) {
		t.Error("the key is missing")
	}
	next.APIKey = embedding.Secret{} // it compares by its address
	want := embedding.Settings{
		Provider: "openai", Model: "m", Profile: "p", Dimensions: 8, URL: "http://h/v1", Deadline: 3 * time.Second, Batch: 7, InFlight: 5,
	}
	if next != want {
		t.Errorf("next %+v, want %+v", next, want)
	}
	for _, prefix := range []string{"DATASTORAGE_EMBEDDING_", "DATASTORAGE_EMBEDDING_NEXT_"} {
		first, next := embedding.ReadSettings(readerOf(
			"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=hashing", prefix+"API_KEY_SECRET=arn"))
		want := embedding.KeySecret{ID: "arn", Variable: prefix + "API_KEY_SECRET"}
		if got := [2]embedding.KeySecret{first.APIKeySecret, next.APIKeySecret}; got != [2]embedding.KeySecret{want, {}} && got != [2]embedding.KeySecret{{}, want} {
			t.Errorf("%s: %v", prefix, got)
		}
	}
}

// TestReadSettingsNamesEveryVariable checks that the error names every missing or invalid variable
// of both providers.
func TestReadSettingsNamesEveryVariable(t *testing.T) {
	t.Parallel()
	for setting, named := range map[string]string{
		"DATASTORAGE_EMBEDDING_PROVIDER=openAI":       "DATASTORAGE_EMBEDDING_PROVIDER must be one of hashing, openai, bedrock",
		"DATASTORAGE_EMBEDDING_DIMENSIONS=4001":       "DATASTORAGE_EMBEDDING_DIMENSIONS",
		"DATASTORAGE_EMBEDDING_DEADLINE=16m":          "DATASTORAGE_EMBEDDING_DEADLINE",
		"DATASTORAGE_EMBEDDING_BATCH=2049":            "DATASTORAGE_EMBEDDING_BATCH",
		"DATASTORAGE_EMBEDDING_IN_FLIGHT=1001":        "DATASTORAGE_EMBEDDING_IN_FLIGHT",
		"DATASTORAGE_EMBEDDING_NEXT_MODEL=m":          "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_DIMENSIONS=64":    "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_PROFILE=p":        "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_API_KEY=k":        "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_API_KEY_SECRET=s": "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=none":    "DATASTORAGE_EMBEDDING_NEXT_PROVIDER",
		"DATASTORAGE_EMBEDDING_NEXT_PROVIDER=openai":  "DATASTORAGE_EMBEDDING_NEXT_URL",
	} {
		r := readerOf(setting)
		if embedding.ReadSettings(r); r.Err() == nil || !strings.Contains(r.Err().Error(), named) {
			t.Errorf("%s: %v, want %s", setting, r.Err(), named)
		}
	}
	r := readerOf("DATASTORAGE_EMBEDDING_API_KEY=hunter2", "DATASTORAGE_EMBEDDING_API_KEY_SECRET=s")
	embedding.ReadSettings(r)
	if want := "DATASTORAGE_EMBEDDING_API_KEY_SECRET cannot be combined with DATASTORAGE_EMBEDDING_API_KEY"; r.Err() == nil || r.Err().Error() != want {
		t.Errorf("%v, want %s", r.Err(), want)
	}
	r = readerOf("DATASTORAGE_EMBEDDING_PROVIDER=openai")
	embedding.ReadSettings(r)
	for _, name := range []string{"URL", "MODEL", "DIMENSIONS"} {
		if r.Err() == nil || !strings.Contains(r.Err().Error(), "DATASTORAGE_EMBEDDING_"+name+" must be set") {
			t.Errorf("DATASTORAGE_EMBEDDING_%s is missing from %v", name, r.Err())
		}
	}
}

// TestProvidersAreDeployable checks that the template and the documentation have every provider,
// the documentation also in the rows of the settings that it requires, and that it has tests.
func TestProvidersAreDeployable(t *testing.T) {
	t.Parallel()
	r := readerOf("DATASTORAGE_EMBEDDING_PROVIDER=unknown")
	embedding.ReadSettings(r)
	_, names, ok := strings.Cut(r.Err().Error(), "must be one of ")
	if !ok {
		t.Fatalf("no list of providers in %v", r.Err())
	}
	template, templateErr := os.ReadFile("../../template.yaml")
	docs, docsErr := os.ReadFile("../../docs/configuration.md")
	if err := errors.Join(templateErr, docsErr); err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`AllowedValues: \[.*hashing.*\]`).FindAllString(string(template), -1)
	row := func(setting string) string {
		return regexp.MustCompile("(?m)^\\| `DATASTORAGE_EMBEDDING_" + setting + "` .*$").FindString(string(docs))
	}
	if len(allowed) != 2 {
		t.Fatalf("template.yaml has %d parameters for providers, want 2", len(allowed))
	}
	for name := range strings.SplitSeq(names, ", ") {
		texts := append(slices.Clone(allowed), row("PROVIDER"))
		r := readerOf("DATASTORAGE_EMBEDDING_PROVIDER=" + name)
		embedding.ReadSettings(r)
		for _, required := range regexp.MustCompile(`EMBEDDING_(\w+) must be set`).FindAllStringSubmatch(fmt.Sprint(r.Err()), -1) {
			texts = append(texts, row(required[1]))
		}
		for _, text := range texts {
			if !regexp.MustCompile(`\b` + name + `\b`).MatchString(text) {
				t.Errorf("%s is missing from: %s", name, text)
			}
		}
		if _, err := os.Stat(name + "_test.go"); err != nil {
			t.Error(err)
		}
	}
}
