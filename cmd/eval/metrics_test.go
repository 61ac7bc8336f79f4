package main

import (
	"math"
	"strings"
	"testing"
)

// The figures are computed by hand from the definitions: log2 of 2, 3, 4, 8 is 1, 1.5850, 2, 3.
func TestScoreRanking(t *testing.T) {
	t.Parallel()
	eleven := map[string]float64{}
	for _, id := range strings.Fields("a b c d e f g h i j k") {
		eleven[id] = 1
	}
	graded := map[string]float64{"x": 3, "y": 2, "z": 1, "n": 0}
	for _, c := range []struct {
		name, found string
		gains       map[string]float64
		want        scores
	}{
		{"nothing found", "", graded, scores{}},
		{"no gain", "a b c n", graded, scores{}},
		{"the best order", "x y z n a", graded, scores{1, 1, 1, 1}},
		// (2/1 + 3/2) / (3/1 + 2/1.5850 + 1/2)
		{"a better one later", "y a x", graded, scores{0.7350, 1, 1, 1}},
		{"first without a gain", "n x", map[string]float64{"x": 1, "n": 0}, scores{0.6309, 0.5, 0, 1}},
		{"third", "a b x", map[string]float64{"x": 1}, scores{0.5, 1. / 3, 0, 1}},
		{"seventh", "a b c d e f x", map[string]float64{"x": 2}, scores{1. / 3, 1. / 7, 0, 0}},
		{"eleventh", "a b c d e f g h i j x", map[string]float64{"x": 1}, scores{}},
		{"ten of eleven with a gain", "k j i h g f e d c b", eleven, scores{1, 1, 1, 1}},
		{"the eleventh with the largest gain", "a b c d e f g h i j k", map[string]float64{"a": 1, "k": 9}, scores{1 / (9 + 1/1.5850), 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := scoreRanking(strings.Fields(c.found), c.gains); !near(got, c.want) {
				t.Errorf("scores %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestMeanScores(t *testing.T) {
	t.Parallel()
	got := meanScores([]scores{{1, 1, 1, 1}, {0.5, 0.25, 0, 1}, {}, {0.1, 0.15, 0, 0}})
	if want := (scores{0.4, 0.35, 0.25, 0.5}); !near(got, want) {
		t.Errorf("mean %+v, want %+v", got, want)
	}
}

func near(a, b scores) bool {
	const most = 5e-5
	return math.Abs(a.ndcg-b.ndcg) < most && math.Abs(a.mrr-b.mrr) < most && a.hit1 == b.hit1 && a.hit5 == b.hit5
}

func TestJudgeFolding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// templates are words with a letter for each document, its signature.
		templates          string
		signatures, merged float64
	}{
		{"one signature each", "sss t u", 1, 0},
		{"three signatures of one template", "stu", 3, 0},
		{"two signatures, one shared", "sst su", 2, 1. / 5},
		{"two templates in one signature", "s s", 1, 1. / 2},
		{"three templates in one signature", "sss ss s", 1, 3. / 6},
		{"two signatures of one template, others in both", "sstt s t", 4. / 3, 2. / 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var templates []template
			signatureOf := map[string]string{}
			for _, word := range strings.Fields(c.templates) {
				var one template
				for _, signature := range strings.Split(word, "") {
					id := strings.Repeat("i", len(signatureOf)+1)
					one.Documents = append(one.Documents, id)
					signatureOf[id] = signature
				}
				templates = append(templates, one)
			}
			got := judgeFolding(templates, signatureOf)
			if math.Abs(got.signatures-c.signatures) > 1e-9 || math.Abs(got.mergedWrongly-c.merged) > 1e-9 ||
				got.documents != len(signatureOf) || got.templates != len(templates) {
				t.Errorf("%+v, want %v signatures for each template, %v merged wrongly", got, c.signatures, c.merged)
			}
		})
	}
}
