package main

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/search"
)

// newFound returns a candidate of a separate incident with the given contributions.
func newFound(id byte, lexical, semantic, feedback float64, remediations ...string) candidate {
	return candidate{remediations: remediations, match: search.Match{
		SignatureID: audit.ID{id}, IncidentID: audit.ID{id},
		Lexical: &search.Contribution{Normalized: lexical}, Semantic: &search.Contribution{Normalized: semantic},
		Feedback: &search.Contribution{Normalized: feedback, Weight: 0.25},
	}}
}

// The lexical retriever finds a, the semantic one finds b. Their scores are equal where ¾ (0.6 (1 −
// w) + 0.2 w) + ¼ · 0.12 = ¾ (0.1 (1 − w) + 0.9 w), at w = 0.45. Of equal scores the lower
// signature comes first.
func TestRankWeighted(t *testing.T) {
	t.Parallel()
	found := []candidate{
		newFound(2, 0.1, 0.9, 0, "b-2", "b-1"), newFound(1, 0.6, 0.2, 0.12, "a"), newFound(4, 0, 0, 0, "d"), newFound(3, 0, 0, 0, "c"),
	}
	for weight, want := range map[float64]string{0: "a b-2 b-1 c d", 0.44: "a b-2 b-1 c d", 0.46: "b-2 b-1 a c d", 1: "b-2 b-1 a c d"} {
		if got := strings.Join(rankWeighted(found, weight), " "); got != want {
			t.Errorf("weight %v: %s, want %s", weight, got, want)
		}
	}
	if !slices.Equal(found[0].remediations, []string{"b-2", "b-1"}) || found[0].match.SignatureID != (audit.ID{2}) {
		t.Errorf("the candidates were changed: %v", found)
	}
}

// newCurve returns a curve that falls from 1 at the peak by a hundredth of the steepness for each
// step.
func newCurve(peak int, steepness float64) []float64 {
	curve := make([]float64, weightSteps+1)
	for i := range curve {
		curve[i] = 1 - steepness/100*math.Abs(float64(i-peak))
	}
	return curve
}

// The steeper of two peaks determines the best weight. Sets of another model and the set itself are
// ignored.
func TestLeaveOneSetOut(t *testing.T) {
	t.Parallel()
	all := []weighting{
		{set: "x", model: "m", shipped: point{0.11, 0.91}, curve: newCurve(20, 1)},
		{set: "y", model: "m", curve: newCurve(30, 0.5)},
		{set: "z", model: "m", curve: newCurve(60, 0.9)},
		{set: "x", model: "alone", curve: newCurve(90, 1)},
	}
	var out bytes.Buffer
	if err := printWeightings(&out, all); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"semantic weight, nDCG@10 model as shipped best on the other sets best with hindsight",
		"x m 0.11 0.910 0.60 0.600 0.20 1.000", "y m 0.00 0.000 0.20 0.950 0.30 1.000", "z m 0.00 0.000 0.20 0.640 0.60 1.000",
		"x alone 0.00 0.000 - 0.90 1.000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
