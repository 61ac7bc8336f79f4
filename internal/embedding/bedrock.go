package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The supported models of Amazon Bedrock.
const (
	titanV2            = "amazon.titan-embed-text-v2:0"
	cohereEnglish      = "cohere.embed-english-v3"
	cohereMultilingual = "cohere.embed-multilingual-v3"
)

func bedrockKind() providerKind {
	return providerKind{name: "bedrock", defaults: Settings{Model: titanV2, Dimensions: 1024}, open: openBedrock}
}

// openBedrock reads region and credentials from the environment, like the AWS SDK.
func openBedrock(ctx context.Context, s Settings) (provider, error) {
	sdk, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	return newBedrock(bedrockruntime.NewFromConfig(sdk), Model{Name: s.Model, Dimensions: s.Dimensions})
}

// bedrockModel has the limits and the wire format of a model.
type bedrockModel struct {
	dimensions     []int
	maxBatch       int
	maxInput       int // in runes
	newRequest     func(texts []string, input inputKind) any
	decodeResponse func(body []byte) ([][]float32, error)
}

// bedrockModelFor returns the documented limits (Amazon Bedrock User Guide, "Amazon Titan Text
// Embeddings models" and "Cohere Embed models"). Titan accepts 8,192 tokens and at most 50,000
// characters. Without its tokenizer, 8,192 characters is the safe bound, because a token rarely has
// less than one character.
func bedrockModelFor(model Model) (bedrockModel, error) {
	switch model.Name {
	case titanV2:
		return bedrockModel{
			dimensions: []int{256, 512, 1024}, maxBatch: 1, maxInput: 8192,
			newRequest: newTitanRequest(model.Dimensions), decodeResponse: decodeTitanResponse,
		}, nil
	case cohereEnglish, cohereMultilingual:
		return bedrockModel{
			dimensions: []int{1024}, maxBatch: 96, maxInput: 2048,
			newRequest: newCohereRequest, decodeResponse: decodeCohereResponse,
		}, nil
	}
	return bedrockModel{}, fmt.Errorf("Model must be %s, %s or %s", titanV2, cohereEnglish, cohereMultilingual)
}

// bedrockProvider calls a model of Amazon Bedrock.
type bedrockProvider struct {
	client *bedrockruntime.Client
	model  Model
	api    bedrockModel
}

// newBedrock makes the provider, or returns an error that names the invalid field of the model.
func newBedrock(client *bedrockruntime.Client, model Model) (*bedrockProvider, error) {
	api, err := bedrockModelFor(model)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(api.dimensions, model.Dimensions) {
		return nil, fmt.Errorf("%s is %d, must be one of %v for %s", "Dimensions", model.Dimensions, api.dimensions, model.Name)
	}
	return &bedrockProvider{client: client, model: model, api: api}, nil
}

// Model implements provider.
func (b *bedrockProvider) Model() Model { return b.model }

// MaxBatch is 1 for Titan, 96 for Cohere.
func (b *bedrockProvider) MaxBatch() int {
	return b.api.maxBatch
}

// Embed makes one InvokeModel call.
func (b *bedrockProvider) Embed(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	body, err := json.Marshal(b.api.newRequest(truncateTexts(texts, b.api.maxInput), input))
	if err != nil {
		return nil, unavailableFailure("encode the request", err)
	}
	out, err := b.client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId:     aws.String(b.model.Name),
		ContentType: aws.String("application/json"),
		Accept:      aws.String("application/json"),
		Body:        body,
	}, func(o *bedrockruntime.Options) { o.Retryer = aws.NopRetryer{} }) // the Embedder retries, and counts its calls
	if err != nil {
		return nil, bedrockFailure(err)
	}
	return b.api.decodeResponse(out.Body)
}

// bedrockFailure classifies an error of InvokeModel (Amazon Bedrock API Reference, "InvokeModel",
// Errors). A 400 other than a ValidationException is about quotas or credentials, and a
// ModelErrorException (424) may pass; the status decides the rest.
func bedrockFailure(err error) *failure {
	response, isResponse := errors.AsType[*smithyhttp.ResponseError](err)
	api, isAPIError := errors.AsType[smithy.APIError](err)
	if !isResponse || !isAPIError {
		return transientFailure(networkMessage(err), err)
	}
	status := response.HTTPStatusCode()
	message := fmt.Sprintf("status %d, %s: %s", status, printableLine(api.ErrorCode()), printableLine(api.ErrorMessage()))
	switch code := api.ErrorCode(); {
	case status == 400 && code != "ValidationException":
		return unavailableFailure(message, err)
	case code == "ModelErrorException":
		return transientFailure(message, err)
	}
	return statusFailure(status, response.Response.Header, message, err)
}
