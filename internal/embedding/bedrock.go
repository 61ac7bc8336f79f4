package embedding

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
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
	return newBedrock(bedrockruntime.NewFromConfig(sdk), s)
}

// bedrockProvider calls a model of Amazon Bedrock.
type bedrockProvider struct {
	client *bedrockruntime.Client
	model  Model
	api    bedrockModel
	// target is the model ID of a call: the model's, or the ID or ARN of an inference profile.
	target string
}

// newBedrock makes the provider, or returns an error that names the invalid field of the settings.
func newBedrock(client *bedrockruntime.Client, s Settings) (*bedrockProvider, error) {
	model := Model{Name: s.Model, Dimensions: s.Dimensions}
	api, err := findBedrockModel(model)
	if err != nil {
		return nil, err
	}
	if err := checkProfile(s.Profile, s.Model); err != nil {
		return nil, err
	}
	return &bedrockProvider{client: client, model: model, api: api, target: cmp.Or(s.Profile, s.Model)}, nil
}

// Model implements provider. It is the model's name by whatever profile it is called: a profile
// decides in which region a vector is made, not its value.
func (b *bedrockProvider) Model() Model { return b.model }

// MaxBatch is 1 for Titan and Nova, 96 for Cohere.
func (b *bedrockProvider) MaxBatch() int {
	return b.api.maxBatch
}

// Embed makes one InvokeModel call.
func (b *bedrockProvider) Embed(ctx context.Context, texts []string, input inputKind) ([][]float32, error) {
	body, err := json.Marshal(b.api.newRequest(truncateTexts(texts, b.api.maxInput), input, b.model.Dimensions))
	if err != nil {
		return nil, unavailableFailure("encode the request", err)
	}
	out, err := b.client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId:     aws.String(b.target),
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
