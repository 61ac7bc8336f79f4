package embedding

// titanRequest is the body for titanV2 (Amazon Bedrock User Guide, "Amazon Titan Embeddings Text",
// V2 Request).
type titanRequest struct {
	InputText  string `json:"inputText"`
	Dimensions int    `json:"dimensions"`
	Normalize  bool   `json:"normalize"`
}

func newTitanRequest(dimensions int) func([]string, inputKind) any {
	return func(texts []string, _ inputKind) any {
		return titanRequest{InputText: texts[0], Dimensions: dimensions, Normalize: true}
	}
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

// cohereRequest is the body for the Cohere models (Amazon Bedrock User Guide, "Cohere Embed
// models", Request). Truncate END cuts texts that are within the limit in characters but exceed the
// one in tokens.
type cohereRequest struct {
	Texts     []string `json:"texts"`
	InputType string   `json:"input_type"`
	Truncate  string   `json:"truncate"`
}

func newCohereRequest(texts []string, input inputKind) any {
	request := cohereRequest{Texts: texts, InputType: "search_document", Truncate: "END"}
	if input == queryInput {
		request.InputType = "search_query"
	}
	return request
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
