package search_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/search"
)

// newMatch returns a match of a hybrid search without weights.
func newMatch(signature, incident byte, lexical, semantic float64) search.Match {
	return search.Match{
		SignatureID: audit.ID{signature}, IncidentID: audit.ID{incident},
		Lexical: &search.Contribution{Normalized: lexical}, Semantic: &search.Contribution{Normalized: semantic},
	}
}

func TestSetWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		semantic, feedback *search.Contribution
		want               [3]float64 // lexical, semantic, feedback
	}{
		{"without a vector", nil, nil, [3]float64{1, 0, 0}},
		{"without feedback", &search.Contribution{Normalized: 1}, nil, [3]float64{0.75, 0.25, 0}},
		{
			"with feedback", &search.Contribution{Normalized: 1}, &search.Contribution{Normalized: 1, Weight: 0.4},
			[3]float64{0.45, 0.15, 0.4},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			match := newMatch(1, 1, 1, 1)
			match.Semantic, match.Feedback = c.semantic, c.feedback
			match.SetWeights(0.25)
			var got [3]float64
			for i, contribution := range []*search.Contribution{match.Lexical, match.Semantic, match.Feedback} {
				if contribution != nil {
					got[i] = contribution.Weight
				}
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			if fused := search.Fuse([]search.Match{match}); math.Abs(fused[0].Score-1) > 1e-12 {
				t.Errorf("score %v of a match that is the best by everything, want 1", fused[0].Score)
			}
		})
	}
}

func TestFuse(t *testing.T) {
	t.Parallel()
	matches := []search.Match{
		newMatch(5, 1, 0.25, 0.25), // not the best of incident 1
		newMatch(4, 2, 0.5, 0),
		newMatch(3, 1, 0.5, 0.5),
		newMatch(2, 3, 0, 0.5), // the score of signature 4
		newMatch(1, 4, 0, 0),
	}
	for i := range matches {
		matches[i].SetWeights(0.5)
	}
	type ranked struct {
		Signature, Incident byte
		Score               float64
	}
	var got []ranked
	for _, match := range search.Fuse(matches) {
		got = append(got, ranked{match.SignatureID[0], match.IncidentID[0], match.Score})
	}
	want := []ranked{{3, 1, 0.5}, {2, 3, 0.25}, {4, 2, 0.25}, {1, 4, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fused (-want +got):\n%s", diff)
	}
}
