package lexical

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// The constants of BM25 in common use (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009: k1 from
// 1.2 to 2, b from 0.5 to 0.8), and the weights of terms in a query (docs/decisions/011-hybrid-search.md).
const (
	saturation    = 1.5  // k1
	normalization = 0.75 // b

	pairWeight     = 0.3 // of two words that follow each other, beside 1 for each of them
	instanceWeight = 0.5 // of a word that is part of an instance's name, such as api in api-<hex>-<pod>: which one it was, not what it was
)

// QueryTerm is a term of a query: Text is what was written, Weight how much it counts before its rarity is known.
type QueryTerm struct {
	Term   Term
	Text   string
	Weight float64
}

// Query are the distinct terms of a query, in the order of their identities.
type Query []QueryTerm

// Parse makes the terms of a normalised query.
func Parse(text string) Query {
	terms := map[Term]QueryTerm{}
	note := func(t Term, text string, weight float64) {
		seen, ok := terms[t]
		if !ok && len(terms) == maxTerms {
			return
		}
		if !ok {
			seen = QueryTerm{Term: t, Text: text}
		}
		seen.Weight += weight
		terms[t] = seen
	}
	for line := range strings.Lines(text) {
		last, lastWord := "", ""
		for _, field := range strings.Fields(line) {
			weight := 1.0
			if hasPlaceholder(field) {
				weight = instanceWeight
			}
			for word := range stemmedWords(field) {
				note(newTermOfStems(word.stem), word.plain, weight)
				if last != "" {
					note(newTermOfStems(last, word.stem), lastWord+" "+word.plain, pairWeight)
				}
				last, lastWord = word.stem, word.plain
			}
		}
	}
	query := make(Query, 0, len(terms))
	for _, term := range terms {
		query = append(query, term)
	}
	slices.SortFunc(query, func(a, b QueryTerm) int { return cmp.Compare(a.Term, b.Term) })
	return query
}

func hasPlaceholder(field string) bool {
	for i := range len(field) {
		if placeholderLength(field[i:]) > 0 {
			return true
		}
	}
	return false
}

// Terms are the identities of the query's terms.
func (q Query) Terms() []Term {
	terms := make([]Term, len(q))
	for i, term := range q {
		terms[i] = term.Term
	}
	return terms
}

// Statistics are those of the collection that is searched.
type Statistics struct {
	// Signatures is how many there are, MeanLength the mean of their Lengths.
	Signatures int64
	MeanLength float64
	// Holding is how many of them hold a term; a term that none does may be missing.
	Holding map[Term]int64
}

// Scorer scores documents for one query.
type Scorer struct {
	// Terms are those of the query that the collection holds, Weight being that of a term by its rarity as well. The order is that of
	// Query.
	Terms []QueryTerm
	// Flat and Slope make the term that dampens a count in a document of a length: Flat + Slope·length.
	Flat, Slope float64
	best        float64
}

// NewScorer weighs a query's terms by their inverse document frequency, ln(1 + (N − n + ½) / (n + ½)).
func NewScorer(q Query, s Statistics) *Scorer {
	scorer := &Scorer{Flat: saturation * (1 - normalization), Slope: saturation * normalization / max(s.MeanLength, 1)}
	for _, term := range q {
		n := s.Holding[term.Term]
		if n == 0 {
			continue
		}
		others := float64(max(s.Signatures-n, 0))
		term.Weight *= math.Log1p((others + 0.5) / (float64(n) + 0.5))
		scorer.best += term.Weight * (saturation + 1)
		scorer.Terms = append(scorer.Terms, term)
	}
	return scorer
}

// Part is what one term contributes to a document's score.
type Part struct {
	Text  string
	Score float64
}

// Score is BM25 over the words and the pairs of words that the query and the document share, from 0 to 1: as a part of what a document
// would get in which every term of the query that the collection holds occurs without end. raw is the same before that.
func (s *Scorer) Score(d Document) (score, raw float64) {
	for part := range s.scoredTerms(d) {
		raw += part.Score
	}
	if s.best == 0 {
		return 0, 0
	}
	return raw / s.best, raw
}

// Parts are the terms that matched, the weightiest first; their scores add up to the raw score.
func (s *Scorer) Parts(d Document) []Part {
	parts := slices.Collect(s.scoredTerms(d))
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Text, b.Text)) })
	return parts
}

func (s *Scorer) scoredTerms(d Document) func(yield func(Part) bool) {
	return func(yield func(Part) bool) {
		damping := s.Flat + s.Slope*float64(d.Length)
		for _, term := range s.Terms {
			at, found := slices.BinarySearch(d.Terms, term.Term)
			if !found {
				continue
			}
			count := float64(d.Counts[at])
			if !yield(Part{Text: term.Text, Score: term.Weight * count * (saturation + 1) / (count + damping)}) {
				return
			}
		}
	}
}
