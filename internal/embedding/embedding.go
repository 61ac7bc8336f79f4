package embedding

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Model is what made a vector. Vectors compare only within one model.
type Model struct {
	// Name is the provider's own name for the model, or for feature hashing one that says what it does.
	Name string
	// Dimensions is the length of every vector of the model. The same name may come in several lengths.
	Dimensions int
}

// String is what vectors of the model are stored under, such as amazon.titan-embed-text-v2:0@512.
func (m Model) String() string {
	return fmt.Sprintf("%s@%d", m.Name, m.Dimensions)
}

// inputKind is what a text is for. Models that embed questions otherwise than what answers them need to know.
type inputKind int

// The inputs. Their values are part of no stored or sent data.
const (
	documentInput inputKind = iota // a text that is stored to be found
	queryInput                     // a text that looks for documents
)

// provider is one way to make vectors. Implementations are safe for concurrent use.
type provider interface {
	Model() Model
	// MaxBatch is how many texts one call of Embed may carry, at least 1.
	MaxBatch() int
	// Embed makes one vector for each text, in their order, by at most one call to the service and without retries. The texts
	// are not blank; those that are longer than the model takes are cut. An error that is not of this package's kinds (see
	// unavailable and refused) means a passing failure.
	Embed(ctx context.Context, texts []string, input inputKind) ([][]float32, error)
}

// checkVectors holds an answer to what the model promises: a vector for each text, of the model's length, finite and not zero.
// It brings the vectors to unit length in place.
func checkVectors(vectors [][]float32, texts int, model Model) error {
	if len(vectors) != texts {
		return unavailableFailure(fmt.Sprintf("answered %d vectors for %d texts", len(vectors), texts), nil)
	}
	for _, vector := range vectors {
		if len(vector) != model.Dimensions {
			return unavailableFailure(fmt.Sprintf("answered %d dimensions, configured are %d", len(vector), model.Dimensions), nil)
		}
	}
	for _, vector := range vectors {
		if !normalizeVector(vector) {
			return refusedFailure("answered a vector that has no direction", nil)
		}
	}
	return nil
}

// unitTolerance is how far from 1 the squared length of a vector may be for it to count as a unit vector already: some
// thousand times what rounding to float32 leaves, and far below what a comparison of vectors can show.
const unitTolerance = 1e-4

// normalizeVector brings a vector to unit length in place; one that has it already stays as it is, bit for bit. It reports whether
// it could: a vector that is zero, or holds a NaN or an infinity, has no direction. The conversions forbid fused
// multiply-add, so that the result is the same on every machine.
func normalizeVector(vector []float32) bool {
	var square float64
	for _, x := range vector {
		square += float64(float64(x) * float64(x))
	}
	if square == 0 || math.IsNaN(square) || math.IsInf(square, 0) {
		return false
	}
	if math.Abs(square-1) < unitTolerance {
		return true
	}
	length := math.Sqrt(square)
	for i, x := range vector {
		vector[i] = float32(float64(x) / length)
	}
	return true
}

// checkRange is nil, or an error that names the field and the range it left.
func checkRange[T int | time.Duration](field string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v, must be %v to %v", field, value, least, most)
	}
	return nil
}
