package main

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Words find a, meaning finds b; they meet where ¾ (0.6 (1 − w) + 0.2 w) + 0.03 = ¾ (0.1 (1 − w) + 0.9 w), at w = 0.45.
func TestRanked(t *testing.T) {
	t.Parallel()
	found := []candidate{
		{"s-b", 0.1, 0.9, 0.75, 0, []string{"b-2", "b-1"}},
		{"s-a", 0.6, 0.2, 0.75, 0.03, []string{"a"}},
		{"s-d", 0, 0, 0.75, 0, []string{"d"}},
		{"s-c", 0, 0, 0.75, 0, []string{"c"}},
	}
	for share, want := range map[float64]string{0: "a b-2 b-1 c d", 0.44: "a b-2 b-1 c d", 0.46: "b-2 b-1 a c d", 1: "b-2 b-1 a c d"} {
		if got := strings.Join(ranked(found, share), " "); got != want {
			t.Errorf("share %v: %s, want %s", share, got, want)
		}
	}
	if !slices.Equal(found[0].remediations, []string{"b-2", "b-1"}) || found[0].signature != "s-b" {
		t.Errorf("the candidates were changed: %v", found)
	}
}

// peaked is a curve that falls from 1 at the peak by a hundredth of the steepness for each step.
func peaked(peak int, steepness float64) []float64 {
	curve := make([]float64, shareSteps+1)
	for i := range curve {
		curve[i] = 1 - steepness/100*math.Abs(float64(i-peak))
	}
	return curve
}

// Of two peaks the steeper decides; a set of another model has no say, and a set does not choose its own share.
func TestLeaveOneSetOut(t *testing.T) {
	t.Parallel()
	all := []reweighing{
		{set: "x", model: "m", shipped: point{0.11, 0.91}, curve: peaked(20, 1)},
		{set: "y", model: "m", curve: peaked(30, 0.5)},
		{set: "z", model: "m", curve: peaked(60, 0.9)},
		{set: "x", model: "alone", curve: peaked(90, 1)},
	}
	var out bytes.Buffer
	if err := printReweighings(&out, all); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"share of the meaning, nDCG@10 model as shipped best on the other sets best with hindsight",
		"x m 0.11 0.910 0.60 0.600 0.20 1.000", "y m 0.00 0.000 0.20 0.950 0.30 1.000", "z m 0.00 0.000 0.20 0.640 0.60 1.000",
		"x alone 0.00 0.000 - 0.90 1.000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
