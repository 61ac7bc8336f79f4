package search

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/lexical"
)

// Weights of the semantic retriever; the lexical one has the remainder
// (docs/decisions/011-hybrid-search.md). Hashed vectors mostly reflect shared words; trained ones
// add similarity of meaning, which the lexical retriever lacks.
const (
	hashedWeight  = 0.11
	trainedWeight = 0.39
)

// feedbackWeight is the weight of the feedback in a hybrid score, for every model. The two
// retrievers divide the remainder.
const feedbackWeight = 0.25

// semanticWeight returns the weight of the semantic retriever for a model.
func semanticWeight(model embedding.Model) float64 {
	if model.Hashed() {
		return hashedWeight
	}
	return trainedWeight
}

// Match is a found signature with each retriever's contribution to its score.
type Match struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	// Text is the text of the signature.
	Text string
	// Score is the sum of the contributions, set by Fuse.
	Score float64
	// Lexical and Semantic are the retrievers' contributions. Feedback is the contribution of the
	// similarity to the best match of both. Each is nil if the search does not use it.
	Lexical, Semantic, Feedback *Contribution
}

// Contribution is one retriever's part of a match's score.
type Contribution struct {
	// Rank is the match's rank by this retriever alone, from 1; 0 if the retriever does not find it.
	Rank int
	// Raw is BM25 or a cosine similarity, Normalized is Raw scaled to at most 1, and Weight is the
	// factor by which Normalized adds to the score.
	Raw, Normalized, Weight float64
	// Terms are the matched terms, set only for the lexical retriever in an explained search. Their
	// scores add up to Raw.
	Terms []Term
}

// Term is a matched term of the query, with its positions in the signature's text.
type Term struct {
	lexical.Part
	Spans []lexical.Span
}

// Score returns the weighted contribution, 0 for nil.
func (c *Contribution) Score() float64 {
	if c == nil {
		return 0
	}
	return c.Weight * c.Normalized
}

// SetWeights sets the weights of a hybrid search. The feedback, if any, gets feedbackWeight; of the
// remainder, the semantic retriever gets the fraction semantic (0 to 1) and the lexical one the rest.
func (m *Match) SetWeights(semantic float64) {
	retrievers := 1.0
	if m.Feedback != nil {
		m.Feedback.Weight = feedbackWeight
		retrievers -= feedbackWeight
	}
	m.Lexical.Weight = retrievers * (1 - semantic)
	m.Semantic.Weight = retrievers * semantic
}

// Fuse scores matches by the sum of their contributions and returns the best match of each
// incident, best first; of equal scores the lower signature ID comes first. It reorders matches.
func Fuse(matches []Match) []Match {
	for i := range matches {
		m := &matches[i]
		m.Score = m.Lexical.Score() + m.Semantic.Score() + m.Feedback.Score()
	}
	slices.SortFunc(matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), compareSignatureIDs(a.SignatureID, b.SignatureID))
	})
	seen := make(map[audit.ID]bool, len(matches))
	return slices.DeleteFunc(matches, func(m Match) bool {
		known := seen[m.IncidentID]
		seen[m.IncidentID] = true
		return known
	})
}

func compareSignatureIDs(a, b audit.ID) int { return bytes.Compare(a[:], b[:]) }

// rankMatchesBy ranks matches by one retriever alone, best first.
func rankMatchesBy(matches []Match, by func(Match) *Contribution) {
	var found []Match
	for _, match := range matches {
		if c := by(match); c != nil && c.Normalized > 0 {
			found = append(found, match)
		}
	}
	slices.SortFunc(found, func(a, b Match) int {
		return cmp.Or(cmp.Compare(by(b).Normalized, by(a).Normalized), compareSignatureIDs(a.SignatureID, b.SignatureID))
	})
	for i, match := range found {
		by(match).Rank = i + 1
	}
}

func lexicalContribution(m Match) *Contribution  { return m.Lexical }
func semanticContribution(m Match) *Contribution { return m.Semantic }
func feedbackContribution(m Match) *Contribution { return m.Feedback }

// locateMatchedTerms sets the positions of the matched terms in the match's text.
func locateMatchedTerms(match Match) {
	if match.Lexical == nil {
		return
	}
	terms := match.Lexical.Terms
	texts := make([]string, len(terms))
	for i, term := range terms {
		texts[i] = term.Text
	}
	for i, spans := range lexical.Spans(match.Text, texts) {
		terms[i].Spans = spans
	}
}
