package embedding

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Model identifies what made a vector. Only vectors of the same model can be compared.
type Model struct {
	// Name is the provider's name of the model; for feature hashing, it describes the features.
	Name string
	// Dimensions is the length of the vectors. One name may have several lengths.
	Dimensions int
}

// String returns the stored name, under which the database keeps the vectors, such as amazon.titan-embed-text-v2:0@512.
func (m Model) String() string {
	return fmt.Sprintf("%s@%d", m.Name, m.Dimensions)
}

// inputKind is the use of a text. Some models embed queries and documents differently.
type inputKind int

const (
	documentInput inputKind = iota
	queryInput
)

// provider makes vectors. Implementations are safe for concurrent use.
type provider interface {
	Model() Model
	// MaxBatch is the maximum number of texts in a call of Embed, at least 1.
	MaxBatch() int
	// Embed returns one vector per text, in order, with at most one call to the service and without
	// retries. The texts are not blank; Embed cuts those that are too long for the model. An error
	// that is not a *failure counts as transient.
	Embed(ctx context.Context, texts []string, input inputKind) ([][]float32, error)
}

// checkVectors checks that there is a finite, non-zero vector of the model's length for each text,
// and normalizes the vectors in place.
func checkVectors(vectors [][]float32, texts int, model Model) error {
	if len(vectors) != texts {
		return unavailableFailure(fmt.Sprintf("returned %d vectors for %d texts", len(vectors), texts), nil)
	}
	for _, vector := range vectors {
		if len(vector) != model.Dimensions {
			return unavailableFailure(fmt.Sprintf("returned %d dimensions, want %d", len(vector), model.Dimensions), nil)
		}
	}
	for _, vector := range vectors {
		if !normalizeVector(vector) {
			return refusedFailure("returned a vector without a direction", nil)
		}
	}
	return nil
}

// unitTolerance is the deviation from 1 up to which the squared length of a vector counts as 1:
// about a thousand times the rounding error of float32, and far too small to change a comparison.
const unitTolerance = 1e-4

// normalizeVector scales a vector to unit length in place; a unit vector stays unchanged, bit for
// bit. It returns false for a vector without a direction: zero, or with a NaN or an infinity. The
// conversions prevent fused multiply-add, so that the result is the same on every machine.
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

func checkRange[T int | time.Duration](field string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v, must be %v to %v", field, value, least, most)
	}
	return nil
}
