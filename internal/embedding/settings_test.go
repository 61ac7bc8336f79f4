package embedding_test

import (
	"fmt"
	"strings"
	"testing"

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
	t.Parallel()
	tests := []struct {
		settings embedding.Settings
		want     string
	}{
		{embedding.Settings{Provider: "magic"}, "hashing, openai or bedrock"},
		{embedding.Settings{Provider: "hashing", Dimensions: 3}, "Dimensions"},
		{embedding.Settings{Provider: "openai", Model: "m", Dimensions: 3}, "BaseURL"},
		{embedding.Settings{Provider: "openai", URL: "http://h/v1", Dimensions: 3}, "Model"},
		{embedding.Settings{Provider: "bedrock", Model: "titan"}, "Model"},
		{embedding.Settings{Provider: "hashing", InFlight: -1}, "InFlight"},
	}
	for _, test := range tests {
		if _, err := embedding.Open(t.Context(), test.settings); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, wanted %s", test.settings, err, test.want)
		}
	}
}

func TestSettingsHideTheKey(t *testing.T) {
	t.Parallel()
	s := embedding.Settings{Provider: "openai", APIKey: "sk-very-secret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "secret") {
			t.Errorf("%s prints the key: %s", verb, text)
		}
	}
}
