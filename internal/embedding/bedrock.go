package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The models of Amazon Bedrock that this package speaks to.
const (
	titanV2            = "amazon.titan-embed-text-v2:0"
	cohereEnglish      = "cohere.embed-english-v3"
	cohereMultilingual = "cohere.embed-multilingual-v3"
)

// bedrockConfig configures the Amazon Bedrock provider. Region, credentials and endpoint are the client's.
type bedrockConfig struct {
	// Model is titanV2, cohereEnglish or cohereMultilingual. Default titanV2.
	Model string
	// Dimensions is the length of the vectors: 256, 512 or 1024 for titanV2, 1024 for Cohere. Default 1024.
	Dimensions int
}

// defaultBedrockConfig is Titan V2 with 1024 dimensions.
func defaultBedrockConfig() bedrockConfig {
	return bedrockConfig{Model: titanV2, Dimensions: 1024}
}

// Validate names the first field that is not as the model's documentation has it.
func (c bedrockConfig) Validate() error {
	model, err := bedrockModelOf(c)
	if err != nil {
		return err
	}
	if !slices.Contains(model.dimensions, c.Dimensions) {
		return fmt.Errorf("%s is %d, must be one of %v for %s", "Dimensions", c.Dimensions, model.dimensions, c.Model)
	}
	return nil
}

// bedrockModel is what differs between the models.
type bedrockModel struct {
	dimensions []int
	maxBatch   int
	maxInput   int // in runes
	request    func(texts []string, input inputKind) any
	answer     func(body []byte) ([][]float32, error)
}

// bedrockModelOf holds the documented limits (Amazon Bedrock User Guide, "Amazon Titan Text Embeddings models" and "Cohere
// Embed models"). Titan takes 8,192 tokens or 50,000 characters, whichever is less; without its tokenizer the safe bound is
// 8,192 characters, since a token is seldom less than one.
func bedrockModelOf(c bedrockConfig) (bedrockModel, error) {
	switch c.Model {
	case titanV2:
		return bedrockModel{
			dimensions: []int{256, 512, 1024}, maxBatch: 1, maxInput: 8192,
			request: titanRequestFor(c.Dimensions), answer: titanAnswer,
		}, nil
	case cohereEnglish, cohereMultilingual:
		return bedrockModel{
			dimensions: []int{1024}, maxBatch: 96, maxInput: 2048,
			request: cohereRequestFor, answer: cohereAnswer,
		}, nil
	}
	return bedrockModel{}, fmt.Errorf("%s must be %s, %s or %s", "Model", titanV2, cohereEnglish, cohereMultilingual)
}

// bedrockProvider embeds by a model of Amazon Bedrock.
type bedrockProvider struct {
	client *bedrockruntime.Client
	cfg    bedrockConfig
	model  bedrockModel
}

// newBedrock makes the provider, or says what is wrong with the configuration. The client's own retries are switched off for
// these calls, since the Embedder makes them and counts them.
func newBedrock(client *bedrockruntime.Client, cfg bedrockConfig) (*bedrockProvider, error) {
	if client == nil {
		return nil, errors.New("configure the Bedrock provider: client is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure the Bedrock provider: %w", err)
	}
	model, err := bedrockModelOf(cfg)
	return &bedrockProvider{client: client, cfg: cfg, model: model}, err
}

// Model is the configured model id and dimensions.
func (b *bedrockProvider) Model() Model {
	return Model{Name: b.cfg.Model, Dimensions: b.cfg.Dimensions}
}

// MaxBatch is 1 for Titan, 96 for Cohere.
func (b *bedrockProvider) MaxBatch() int {
	return b.model.maxBatch
}

// Embed makes one InvokeModel call.
func (b *bedrockProvider) Embed(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	body, err := json.Marshal(b.model.request(truncateAll(texts, b.model.maxInput), input))
	if err != nil {
		return nil, unavailable("encode the request", err)
	}
	out, err := b.client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId:     aws.String(b.cfg.Model),
		ContentType: aws.String("application/json"),
		Accept:      aws.String("application/json"),
		Body:        body,
	}, func(o *bedrockruntime.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return nil, bedrockFailure(err)
	}
	return b.model.answer(out.Body)
}

// bedrockFailure classifies an error of InvokeModel (Amazon Bedrock API Reference, "InvokeModel", Errors). A 400 other than a
// validation error is a quota or a credential, and a 424 is a model that stumbled; the rest goes by its status.
func bedrockFailure(err error) *failure {
	var response *smithyhttp.ResponseError
	var api smithy.APIError
	if !errors.As(err, &response) || !errors.As(err, &api) {
		return passing(reason(err), err)
	}
	status := response.HTTPStatusCode()
	clause := fmt.Sprintf("answered status %d, %s: %s", status, bounded(api.ErrorCode()), bounded(api.ErrorMessage()))
	switch code := api.ErrorCode(); {
	case status == 400 && code != "ValidationException":
		return unavailable(clause, err)
	case code == "ModelErrorException":
		return passing(clause, err)
	}
	return httpFailure(status, response.Response.Header, clause, err)
}
