package embedding

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/config"
)

// The prefixes of the variables that configure the first and the next provider.
const (
	variablePrefix     = "DATASTORAGE_EMBEDDING_"
	nextVariablePrefix = "DATASTORAGE_EMBEDDING_NEXT_"
)

// maxDimensions is the largest number of dimensions that pgvector indexes for halfvec with HNSW
// (pgvector README, "HNSW").
const maxDimensions = 4000

// Settings choose a provider and its policy. A zero field means the default of the provider or of
// the policy.
type Settings struct {
	// Provider is DATASTORAGE_EMBEDDING_PROVIDER: the name of a providerKind. Default the first of
	// providerKinds. The next provider has no default.
	Provider string
	// Model is DATASTORAGE_EMBEDDING_MODEL. Default amazon.titan-embed-text-v2:0 for bedrock;
	// required for openai; hashing has none.
	Model string
	// Profile is DATASTORAGE_EMBEDDING_PROFILE: the ID or the ARN of the inference profile of bedrock
	// by which Model is called. Vectors are stored under the model's name, so that they stay valid
	// with another profile. Default none: the model of the region.
	Profile string
	// Dimensions is DATASTORAGE_EMBEDDING_DIMENSIONS: the length of the vectors, 1 to 4000. Default
	// 512 for hashing, 1024 for bedrock; required for openai.
	Dimensions int
	// URL is DATASTORAGE_EMBEDDING_URL: the base URL of openai, without /embeddings; http or https,
	// without credentials, query or fragment, such as http://127.0.0.1:11434/v1. Required for
	// openai.
	URL string
	// APIKey is DATASTORAGE_EMBEDDING_API_KEY: the bearer token for openai. Default none.
	APIKey Secret
	// APIKeySecret is DATASTORAGE_EMBEDDING_API_KEY_SECRET, instead of APIKey: the secret of AWS
	// Secrets Manager that has the bearer token for openai, as its text or as the string api_key of a
	// JSON object. Default none.
	APIKeySecret KeySecret
	// Deadline is DATASTORAGE_EMBEDDING_DEADLINE: how long a request waits for vectors, 1 ms to 15
	// min. Default 2 s.
	Deadline time.Duration
	// Batch is DATASTORAGE_EMBEDDING_BATCH: texts per request to openai, 1 to 2048. Default 64;
	// Text Embeddings Inference accepts 32 unless configured otherwise (--max-client-batch-size).
	Batch int
	// InFlight is DATASTORAGE_EMBEDDING_IN_FLIGHT: concurrent calls of the provider, 1 to 1000.
	// Default 4 for each concurrent invocation.
	InFlight int
}

// ReadSettings reads the settings of the first provider and of the next one, whose variables begin
// with DATASTORAGE_EMBEDDING_NEXT_. Without a next provider, next is the zero value. r collects the
// errors of missing and invalid variables.
func ReadSettings(r *config.Reader) (first, next Settings) {
	first = readSettings(r, variablePrefix)
	if r.Optional(nextVariablePrefix+"PROVIDER") != "" {
		return first, readSettings(r, nextVariablePrefix)
	}
	for _, name := range []string{"MODEL", "PROFILE", "DIMENSIONS", "URL", "API_KEY", "API_KEY_SECRET"} {
		if r.Optional(nextVariablePrefix+name) != "" {
			r.Required(nextVariablePrefix + "PROVIDER")
			break
		}
	}
	return first, Settings{}
}

func readSettings(r *config.Reader, prefix string) Settings {
	s := Settings{
		Provider:   r.OneOf(prefix+"PROVIDER", providerNames()...),
		Model:      r.Optional(prefix + "MODEL"),
		Profile:    r.Optional(prefix + "PROFILE"),
		Dimensions: r.Integer(prefix+"DIMENSIONS", 0, 1, maxDimensions),
		URL:        r.Optional(prefix + "URL"),
		APIKey:     newSecret(r.Optional(prefix + "API_KEY")),
		Deadline:   r.Duration(prefix+"DEADLINE", 0, minDeadline, maxDeadline),
		Batch:      r.Integer(prefix+"BATCH", 0, 1, maxOpenAIBatch),
		InFlight:   r.Integer(prefix+"IN_FLIGHT", r.PerInvocation(defaultPolicy().InFlight, maxInFlight), 1, maxInFlight),
	}
	s.APIKeySecret = readKeySecret(r, prefix)
	kind, _ := findProvider(s.Provider)
	for _, name := range kind.required {
		r.Required(prefix + name)
	}
	return s
}

func readKeySecret(r *config.Reader, prefix string) KeySecret {
	variable := prefix + "API_KEY_SECRET"
	id := r.Optional(variable)
	switch {
	case id == "":
		return KeySecret{}
	case r.Optional(prefix+"API_KEY") != "":
		r.Reject(variable, "cannot be combined with "+prefix+"API_KEY")
	}
	return KeySecret{ID: id, Variable: variable}
}

// Open creates the Embedder for the settings. It does not call the provider.
func Open(ctx context.Context, s Settings) (*Embedder, error) {
	p, err := s.openProvider(ctx)
	if err != nil {
		return nil, fmt.Errorf("embedding provider %s: %w", s.Provider, err)
	}
	config := defaultPolicy()
	config.Deadline = cmp.Or(s.Deadline, config.Deadline)
	config.InFlight = cmp.Or(s.InFlight, config.InFlight)
	return newEmbedder(p, config)
}

func (s Settings) openProvider(ctx context.Context) (provider, error) {
	kind, err := findProvider(s.Provider)
	if err != nil {
		return nil, err
	}
	s.Model = cmp.Or(s.Model, kind.defaults.Model)
	s.Dimensions = cmp.Or(s.Dimensions, kind.defaults.Dimensions)
	s.Batch = cmp.Or(s.Batch, kind.defaults.Batch)
	return kind.open(ctx, s)
}
