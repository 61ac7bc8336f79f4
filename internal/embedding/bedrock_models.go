package embedding

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The supported models of Amazon Bedrock.
const (
	titanV2            = "amazon.titan-embed-text-v2:0"
	nova2              = "amazon.nova-2-multimodal-embeddings-v1:0"
	cohereEnglish      = "cohere.embed-english-v3"
	cohereMultilingual = "cohere.embed-multilingual-v3"
	cohereV4           = "cohere.embed-v4:0"
)

// bedrockModel has the limits and the wire format of a model.
type bedrockModel struct {
	dimensions     []int
	maxBatch       int
	maxInput       int // in runes
	newRequest     func(texts []string, input inputKind, dimensions int) any
	decodeResponse func(body []byte) ([][]float32, error)
}

// bedrockModels returns the documented limits of the models. Where a limit is in tokens, the one in
// characters is the safe bound without the model's tokenizer, because a token rarely has less than
// one character. A document is a signature, of at most 8 KiB, so that only queries are cut to 8,192.
//
//   - Titan V2: 8,192 tokens and 50,000 characters
//     (https://docs.aws.amazon.com/bedrock/latest/userguide/titan-embedding-models.html, 2026-11).
//   - Nova: 8,192 characters
//     (https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html, 2026-11).
//   - Cohere v3: 96 texts of 2,048 characters
//     (https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html, 2026-11).
//   - Cohere v4: 96 texts of 128,000 tokens, 20 MB a request
//     (https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html, 2026-11).
func bedrockModels() map[string]bedrockModel {
	cohereV3 := bedrockModel{
		dimensions: []int{1024}, maxBatch: 96, maxInput: 2048,
		newRequest: newCohereRequest, decodeResponse: decodeCohereResponse,
	}
	return map[string]bedrockModel{
		titanV2: {
			dimensions: []int{256, 512, 1024}, maxBatch: 1, maxInput: 8192,
			newRequest: newTitanRequest, decodeResponse: decodeTitanResponse,
		},
		nova2: {
			dimensions: []int{256, 384, 1024, 3072}, maxBatch: 1, maxInput: 8192,
			newRequest: newNovaRequest, decodeResponse: decodeNovaResponse,
		},
		cohereEnglish:      cohereV3,
		cohereMultilingual: cohereV3,
		cohereV4: {
			dimensions: []int{256, 512, 1024, 1536}, maxBatch: 96, maxInput: 8192,
			newRequest: newCohereV4Request, decodeResponse: decodeCohereV4Response,
		},
	}
}

// findBedrockModel returns the model, or an error that names the invalid field.
func findBedrockModel(model Model) (bedrockModel, error) {
	models := bedrockModels()
	api, known := models[model.Name]
	if !known {
		if name := modelOfProfile(model.Name); name != "" {
			return bedrockModel{}, fmt.Errorf("Model is an inference profile: set Model to %s and Profile to %s", name, model.Name)
		}
		return bedrockModel{}, fmt.Errorf("Model must be one of %s", strings.Join(slices.Sorted(maps.Keys(models)), ", "))
	}
	if !slices.Contains(api.dimensions, model.Dimensions) {
		return bedrockModel{}, fmt.Errorf("%s is %d, must be one of %v for %s", "Dimensions", model.Dimensions, api.dimensions, model.Name)
	}
	return api, nil
}

// titanRequest is the body for titanV2 (Amazon Bedrock User Guide, "Amazon Titan Embeddings Text",
// V2 Request).
type titanRequest struct {
	InputText  string `json:"inputText"`
	Dimensions int    `json:"dimensions"`
	Normalize  bool   `json:"normalize"`
}

func newTitanRequest(texts []string, _ inputKind, dimensions int) any {
	return titanRequest{InputText: texts[0], Dimensions: dimensions, Normalize: true}
}

func decodeTitanResponse(body []byte) ([][]float32, error) {
	var response struct {
		Embedding wireVector `json:"embedding"`
	}
	if err := decodeResponse(body, &response); err != nil {
		return nil, err
	}
	return [][]float32{response.Embedding}, nil
}

// novaRequest is the body for nova2 (Amazon Nova User Guide, "Complete embeddings request and
// response schema"; https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html,
// 2026-11). Truncation END cuts texts that exceed the limit in tokens.
type novaRequest struct {
	SchemaVersion string     `json:"schemaVersion"`
	TaskType      string     `json:"taskType"`
	Params        novaParams `json:"singleEmbeddingParams"`
}

type novaParams struct {
	Purpose   string   `json:"embeddingPurpose"`
	Dimension int      `json:"embeddingDimension"`
	Text      novaText `json:"text"`
}

type novaText struct {
	TruncationMode string `json:"truncationMode"`
	Value          string `json:"value"`
}

// newNovaRequest uses the purposes for a collection of texts alone.
func newNovaRequest(texts []string, input inputKind, dimensions int) any {
	purpose := "GENERIC_INDEX"
	if input == queryInput {
		purpose = "TEXT_RETRIEVAL"
	}
	return novaRequest{
		SchemaVersion: "nova-multimodal-embed-v1", TaskType: "SINGLE_EMBEDDING",
		Params: novaParams{Purpose: purpose, Dimension: dimensions, Text: novaText{TruncationMode: "END", Value: texts[0]}},
	}
}

func decodeNovaResponse(body []byte) ([][]float32, error) {
	var response struct {
		Embeddings []struct {
			Embedding wireVector `json:"embedding"`
		} `json:"embeddings"`
	}
	if err := decodeResponse(body, &response); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(response.Embeddings))
	for i, entry := range response.Embeddings {
		vectors[i] = entry.Embedding
	}
	return vectors, nil
}

// cohereRequest is the body for the Cohere v3 models (Amazon Bedrock User Guide, "Cohere Embed v3",
// Request). Truncate END cuts texts that are within the limit in characters but exceed the one in
// tokens.
type cohereRequest struct {
	Texts     []string `json:"texts"`
	InputType string   `json:"input_type"`
	Truncate  string   `json:"truncate"`
}

func newCohereRequest(texts []string, input inputKind, _ int) any {
	return cohereRequest{Texts: texts, InputType: cohereInputType(input), Truncate: "END"}
}

func cohereInputType(input inputKind) string {
	if input == queryInput {
		return "search_query"
	}
	return "search_document"
}

// decodeCohereResponse reads a response to a request without embedding_types (response_type
// embeddings_floats).
func decodeCohereResponse(body []byte) ([][]float32, error) {
	var response struct {
		Embeddings []wireVector `json:"embeddings"`
	}
	if err := decodeResponse(body, &response); err != nil {
		return nil, err
	}
	return unwrapVectors(response.Embeddings), nil
}

// cohereV4Request is the body for cohereV4 (Amazon Bedrock User Guide, "Cohere Embed v4", Request;
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v4.html, 2026-11). It
// has no truncate, whose values differ from those of v3, because no text reaches the limit.
type cohereV4Request struct {
	Texts           []string `json:"texts"`
	InputType       string   `json:"input_type"`
	EmbeddingTypes  []string `json:"embedding_types"`
	OutputDimension int      `json:"output_dimension"`
}

func newCohereV4Request(texts []string, input inputKind, dimensions int) any {
	return cohereV4Request{
		Texts: texts, InputType: cohereInputType(input), EmbeddingTypes: []string{"float"}, OutputDimension: dimensions,
	}
}

// cohereV4Vectors are the embeddings of a response: by type, as the model responds to one type
// (https://github.com/vercel/ai/blob/7dc53ec2fce66b1e16b85942e11603047770d269/packages/amazon-bedrock/src/__fixtures__/amazon-bedrock-cohere-v4-application-inference-profile.json,
// recorded 2026), or a plain list, which the User Guide documents for one type.
type cohereV4Vectors []wireVector

// UnmarshalJSON implements json.Unmarshaler.
func (v *cohereV4Vectors) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]wireVector)(v))
	}
	var byType struct {
		Float []wireVector `json:"float"`
	}
	err := json.Unmarshal(data, &byType)
	*v = byType.Float
	return err
}

func decodeCohereV4Response(body []byte) ([][]float32, error) {
	var response struct {
		Embeddings cohereV4Vectors `json:"embeddings"`
	}
	if err := decodeResponse(body, &response); err != nil {
		return nil, err
	}
	return unwrapVectors(response.Embeddings), nil
}
