package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// depth is the number of documents judged in each ranking.
const depth = 10

// scores measure one ranking, or are means over many. All are from 0 to 1.
type scores struct {
	// ndcg is the normalised discounted cumulative gain of the first ten documents (Järvelin and
	// Kekäläinen, 2002), with linear gains and the logarithm to base 2 of rank + 1 as discount.
	ndcg float64
	// mrr is the reciprocal rank of the first document with a gain, 0 if none of the first ten has one.
	mrr float64
	// hit1 and hit5 are 1 if the first document, or one of the first five, has a gain.
	hit1, hit5 float64
}

// scoreRanking judges documents in the order in which they were found. At least one gain must be
// positive.
func scoreRanking(found []string, gains map[string]float64) scores {
	found = found[:min(depth, len(found))]
	gained := make([]float64, len(found))
	for i, id := range found {
		gained[i] = gains[id]
	}
	ideal := slices.SortedFunc(maps.Values(gains), func(a, b float64) int { return cmp.Compare(b, a) })
	s := scores{ndcg: discountedGain(gained) / discountedGain(ideal[:min(depth, len(ideal))])}
	if first := slices.IndexFunc(gained, func(gain float64) bool { return gain > 0 }); first >= 0 {
		s.mrr, s.hit1, s.hit5 = 1/float64(first+1), indicator(first < 1), indicator(first < 5)
	}
	return s
}

// discountedGain returns the discounted cumulative gain.
func discountedGain(gains []float64) float64 {
	var sum float64
	for i, gain := range gains {
		sum += gain / math.Log2(float64(i+2))
	}
	return sum
}

func indicator(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// meanScores returns the mean over queries, each with the same weight.
func meanScores(all []scores) scores {
	var m scores
	n := float64(len(all))
	for _, s := range all {
		m.ndcg += s.ndcg / n
		m.mrr += s.mrr / n
		m.hit1 += s.hit1 / n
		m.hit5 += s.hit5 / n
	}
	return m
}

// folding measures how well signatures group the occurrences of an incident.
type folding struct {
	set                  string
	templates, documents int
	// signatures is the mean number of signatures per template; 1 is ideal.
	signatures float64
	// mergedWrongly is the fraction of documents whose signature belongs to another template; 0 is
	// ideal. A signature belongs to the template with most of its documents.
	mergedWrongly float64
}

// judgeFolding judges the signature of each document against the templates.
func judgeFolding(templates []template, signatureOf map[string]string) folding {
	f := folding{templates: len(templates)}
	largest, pairs := map[string]int{}, 0
	for _, t := range templates {
		holds := map[string]int{} // documents of this template by signature
		for _, id := range t.Documents {
			holds[signatureOf[id]]++
		}
		for signature, n := range holds {
			largest[signature] = max(largest[signature], n)
		}
		f.documents += len(t.Documents)
		pairs += len(holds)
	}
	right := 0
	for _, n := range largest {
		right += n
	}
	f.signatures = float64(pairs) / float64(f.templates)
	f.mergedWrongly = float64(f.documents-right) / float64(f.documents)
	return f
}
