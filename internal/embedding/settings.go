package embedding

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
)

// Settings choose a provider and its policy by plain values, as a function's environment gives them. Zero values mean defaults.
type Settings struct {
	// Provider is hashing, openai or bedrock.
	Provider string
	// Model and Dimensions are the model's; see hashingConfig, openAIConfig and bedrockConfig.
	Model      string
	Dimensions int
	// URL and APIKey are for openai. APIKey is a secret.
	URL    string
	APIKey string
	// Deadline is policy.Deadline.
	Deadline time.Duration
	// Batch is openAIConfig.BatchSize.
	Batch int
	// InFlight is policy.InFlight.
	InFlight int
}

// Open makes the provider that the settings name and the policy around it. It calls nobody. For bedrock it takes region and
// credentials from the environment, as the AWS SDK does.
func Open(ctx context.Context, s Settings) (*Embedder, error) {
	p, err := s.provider(ctx)
	if err != nil {
		return nil, fmt.Errorf("embedding provider %s: %w", s.Provider, err)
	}
	config := defaultPolicy()
	if s.Deadline != 0 {
		config.Deadline = s.Deadline
	}
	if s.InFlight != 0 {
		config.InFlight = s.InFlight
	}
	return newEmbedder(p, config)
}

// transport keeps as many connections open as calls may be under way; the default keeps two.
func (s Settings) transport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := transport.Clone()
	own.MaxIdleConnsPerHost = max(s.InFlight, defaultPolicy().InFlight)
	return own
}

// String hides the secret.
func (s Settings) String() string {
	return fmt.Sprintf("{Provider:%s Model:%s Dimensions:%d URL:%s APIKey:%v}", s.Provider, s.Model, s.Dimensions, s.URL, newSecret(s.APIKey))
}

// GoString hides the secret.
func (s Settings) GoString() string { return s.String() }

func (s Settings) provider(ctx context.Context) (provider, error) {
	switch s.Provider {
	case "hashing":
		config := defaultHashingConfig()
		if s.Dimensions != 0 {
			config.Dimensions = s.Dimensions
		}
		return newHashing(config)
	case "openai":
		config := defaultOpenAIConfig()
		config.BaseURL, config.Model, config.Dimensions, config.Key = s.URL, s.Model, s.Dimensions, newSecret(s.APIKey)
		if s.Batch != 0 {
			config.BatchSize = s.Batch
		}
		return newOpenAI(&http.Client{Transport: s.transport()}, config)
	case "bedrock":
		config := defaultBedrockConfig()
		if s.Model != "" {
			config.Model = s.Model
		}
		if s.Dimensions != 0 {
			config.Dimensions = s.Dimensions
		}
		sdk, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the AWS configuration: %w", err)
		}
		// Retries are this package's policy.
		sdk.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		return newBedrock(bedrockruntime.NewFromConfig(sdk), config)
	default:
		return nil, fmt.Errorf("must be hashing, openai or bedrock")
	}
}
