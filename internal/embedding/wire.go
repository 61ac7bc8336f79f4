package embedding

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
)

// errNotFinite means that a vector in the response has an element that is not a finite float32.
var errNotFinite = errors.New("returned a vector that is not of finite numbers")

// wireVector is a vector in a response: a JSON array of numbers, or base64 of little-endian float32
// (the OpenAI API's encoding_format). Anything else is errNotFinite, including null for a number
// and numbers beyond float32.
type wireVector []float32

// UnmarshalJSON implements json.Unmarshaler.
func (v *wireVector) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return v.decodeBase64(data)
	}
	// encoding/json leaves an element unchanged for null, which would make it zero.
	if bytes.Contains(data, []byte("null")) {
		return errNotFinite
	}
	if err := json.Unmarshal(data, (*[]float32)(v)); err != nil {
		return errNotFinite
	}
	return nil
}

func (v *wireVector) decodeBase64(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errNotFinite
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return errNotFinite
	}
	*v = make([]float32, len(raw)/4)
	for i := range *v {
		(*v)[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}

// decodeResponse decodes the JSON of a response into the value that target points to. A vector that
// is not finite counts as a refusal, because it depends on the text; other errors concern the
// service.
func decodeResponse(body []byte, target any) error {
	err := json.Unmarshal(body, target)
	_, isSyntax := errors.AsType[*json.SyntaxError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotFinite):
		return refusedFailure(errNotFinite.Error(), nil)
	case !isSyntax:
		return unavailableFailure("returned JSON of another shape", nil)
	case bytes.Contains(body, []byte("NaN")), bytes.Contains(body, []byte("Infinity")):
		// Python's json module writes these by default.
		return refusedFailure(errNotFinite.Error(), nil)
	}
	return transientFailure("returned invalid JSON", nil)
}

func unwrapVectors(vectors []wireVector) [][]float32 {
	plain := make([][]float32, len(vectors))
	for i, vector := range vectors {
		plain[i] = vector
	}
	return plain
}
