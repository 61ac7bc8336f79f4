package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// depth is how many documents of an answer are judged.
const depth = 10

// scores are of one ranking, or the means over many. All are from 0 to 1.
type scores struct {
	// ndcg is the normalised discounted cumulative gain of the first ten documents (Järvelin and Kekäläinen, 2002), with linear gains
	// and the logarithm to base 2 of rank + 1 as discount.
	ndcg float64
	// mrr is the reciprocal rank of the first document that gains anything, 0 when none of the first ten does.
	mrr float64
	// hit1 and hit5 are 1 when the first document, or one of the first five, gains anything.
	hit1, hit5 float64
}

// score judges documents in the order in which they were found. Some document must gain something.
func score(found []string, gains map[string]float64) scores {
	found = found[:min(depth, len(found))]
	gained := make([]float64, len(found))
	for i, id := range found {
		gained[i] = gains[id]
	}
	ideal := slices.SortedFunc(maps.Values(gains), func(a, b float64) int { return cmp.Compare(b, a) })
	s := scores{ndcg: discounted(gained) / discounted(ideal[:min(depth, len(ideal))])}
	if first := slices.IndexFunc(gained, func(gain float64) bool { return gain > 0 }); first >= 0 {
		s.mrr, s.hit1, s.hit5 = 1/float64(first+1), indicator(first < 1), indicator(first < 5)
	}
	return s
}

// discounted is the discounted cumulative gain.
func discounted(gains []float64) float64 {
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

// mean is the scores' mean; every query counts the same.
func mean(all []scores) scores {
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

// folding is how well signatures gather the occurrences of an incident.
type folding struct {
	set                  string
	templates, documents int
	// signatures is the mean number of signatures that the documents of a template have; 1 is ideal.
	signatures float64
	// merged is the share of documents whose signature belongs to another template; a signature belongs to the template that has most of
	// its documents. 0 is ideal.
	merged float64
}

// fold judges the signature of each document against the templates.
func fold(templates []template, signatureOf map[string]string) folding {
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
	f.merged = float64(f.documents-right) / float64(f.documents)
	return f
}
