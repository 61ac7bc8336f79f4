package embedding

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
)

// errNotFinite means that an answer holds something other than finite float32 numbers where a vector should be.
var errNotFinite = errors.New("answered a vector that is not of finite numbers")

// wireVector is a vector as services send it: a JSON array of numbers, or base64 of little-endian float32 (the OpenAI API's
// encoding_format). Anything else, null in place of a number and numbers beyond float32 included, is errNotFinite.
type wireVector []float32

// UnmarshalJSON implements json.Unmarshaler.
func (v *wireVector) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return v.decodeBase64(data)
	}
	// encoding/json takes null for "leave the element as it is", which would make a zero of it.
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

// decodeResponse reads an answer's JSON into the value that answer points to. A vector that is not of finite numbers is the fault of a
// text in the batch, since services answer it for one text and not for the next; the rest is the service's.
func decodeResponse(body []byte, answer any) error {
	err := json.Unmarshal(body, answer)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotFinite):
		return refusedFailure(errNotFinite.Error(), nil)
	case !errors.As(err, &syntax):
		return unavailableFailure("answered JSON of another shape", nil)
	case bytes.Contains(body, []byte("NaN")), bytes.Contains(body, []byte("Infinity")):
		// Not JSON, but what Python's json module writes by default.
		return refusedFailure(errNotFinite.Error(), nil)
	}
	return transientFailure("answered no JSON", nil)
}

// unwrapVectors strips the wire type from vectors.
func unwrapVectors(vectors []wireVector) [][]float32 {
	plain := make([][]float32, len(vectors))
	for i, vector := range vectors {
		plain[i] = vector
	}
	return plain
}
