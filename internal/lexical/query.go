package lexical

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// The constants of BM25 in common use (Robertson and Zaragoza, "The Probabilistic Relevance
// Framework: BM25 and Beyond", 2009: k1 from 1.2 to 2, b from 0.5 to 0.8), and the weights of terms
// in a query (docs/decisions/011-hybrid-search.md).
const (
	saturation    = 1.5  // k1
	normalization = 0.75 // b

	pairWeight     = 0.3 // of two adjacent words, in addition to 1 for each
	instanceWeight = 0.5 // of a word in an instance's name, such as api in api-<n>
	locationWeight = 0.5 // of a word that is found in the name of a location alone

	// unseenSignatures are added to the number of signatures, so that a word that is in all of a few
	// signatures is not worthless.
	unseenSignatures = 30
	// unmatchedWords are added to the words of a query, with the mean weight of those, so that the
	// match of one word is less evidence than the match of ten.
	unmatchedWords = 2
)

// TopScore is what a term of weight 1 adds to a score if it occurs infinitely often: k1 + 1.
const TopScore = saturation + 1

// QueryTerm is a term of a query. Text is the term as written. NewScorer multiplies Weight by the
// rarity of the term.
type QueryTerm struct {
	Term   Term
	Text   string
	Weight float64
}

// Query has the distinct terms of a query, ordered by Term.
type Query []QueryTerm

// Parse returns the terms of a normalized query.
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

// Terms returns the identities of the query's terms.
func (q Query) Terms() []Term {
	terms := make([]Term, len(q))
	for i, term := range q {
		terms[i] = term.Term
	}
	return terms
}

// Words returns the query's words, without the pairs.
func (q Query) Words() []string {
	var words []string
	for _, term := range q {
		if !term.isPair() {
			words = append(words, term.Text)
		}
	}
	return words
}

// Statistics describes the searched collection.
type Statistics struct {
	// Signatures is the number of signatures, MeanLength the mean of their Document.Length.
	Signatures int64
	MeanLength float64
	// Holding is the number of signatures that contain each term. Terms in none may be missing.
	Holding map[Term]int64
	// Located is the number of signatures that occurred at a location with the word in its name: the
	// target, the namespace or the cluster of a remediation. Words of none may be missing.
	Located map[string]int64
}

// Scorer scores documents for one query.
type Scorer struct {
	// Terms are the query's terms that the collection contains, in order. Weight includes the
	// rarity of the term.
	Terms []QueryTerm
	// Locations are the query's words that are in names of locations, likewise. Weight is what a
	// word adds to the score of a document that occurred there and does not contain it: locationWeight
	// of what it would add to a text of mean length.
	Locations []QueryTerm
	// Flat + Slope·length is the damping of term counts in a document of the given length.
	Flat, Slope float64
	// full is the raw score that is scaled to 1.
	full float64
}

// NewScorer weights a query's terms by their inverse document frequency: ln(1 + (N−n+½)/(n+½)). A
// term that no signature contains counts as rare as one that a single signature contains: it cannot
// match, but it lowers all scores. n of a word in a name of a location is the larger of the numbers
// of signatures that contain the word and that occurred there, so that such a word never adds more
// than one in the text.
func NewScorer(q Query, s Statistics) *Scorer {
	scorer := &Scorer{Flat: saturation * (1 - normalization), Slope: saturation * normalization / max(s.MeanLength, 1)}
	var words, rarity float64 // the sum of the words' weights without and with their rarity
	for _, term := range q {
		contained, located := s.Holding[term.Term], s.Located[term.Text]
		if !term.isPair() {
			words += term.Weight
			rarity += s.weigh(term, max(cmp.Or(contained, located), 1)).Weight
		}
		if contained > 0 {
			scorer.Terms = append(scorer.Terms, s.weigh(term, contained))
		}
		if located > 0 {
			location := s.weigh(term, max(contained, located))
			location.Weight *= locationWeight
			scorer.Locations = append(scorer.Locations, location)
		}
	}
	if words > 0 {
		scorer.full = TopScore * rarity * (1 + unmatchedWords/words)
	}
	return scorer
}

// weigh multiplies the weight of a term by its rarity, when n of the signatures contain it.
func (s Statistics) weigh(term QueryTerm, n int64) QueryTerm {
	others := float64(max(s.Signatures-n, 0) + unseenSignatures)
	term.Weight *= math.Log1p((others + 0.5) / (float64(n) + 0.5))
	return term
}

// isPair reports whether the term is a pair of words.
func (t QueryTerm) isPair() bool { return strings.Contains(t.Text, " ") }

// Part is the contribution of one term to a document's score. Location reports that the term is in
// the name of a location where the document's incident occurred, rather than in the document.
type Part struct {
	Text     string
	Score    float64
	Location bool
}

// Score returns the BM25 score over the words and word pairs that the query and the document share,
// and of the words that only the names of its locations have, scaled to a range from 0 to 1 that
// means the same for every query: 1 is the limit for a document in which every word of a long query
// occurs infinitely often. Pairs of words raise a score, but a document may lack them. raw is the
// unscaled score.
func (s *Scorer) Score(d Document) (score, raw float64) {
	for part := range s.scoredTerms(d) {
		raw += part.Score
	}
	if raw == 0 {
		return 0, 0
	}
	return min(raw/s.full, 1), raw
}

// Parts returns the matching terms, highest contribution first. Their scores add up to the raw
// score.
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
			if !yield(Part{Text: term.Text, Score: term.Weight * count * TopScore / (count + damping)}) {
				return
			}
		}
		for _, term := range s.Locations {
			_, contained := slices.BinarySearch(d.Terms, term.Term)
			if !contained && slices.Contains(d.Locations, term.Text) && !yield(Part{Text: term.Text, Score: term.Weight, Location: true}) {
				return
			}
		}
	}
}
