package search

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/lexical"
)

// Weights of the semantic retriever against the lexical one, which has the rest
// (docs/decisions/011-hybrid-search.md). Hashed vectors mostly repeat which words two texts share;
// trained ones add what the lexical retriever cannot know.
const (
	hashedWeight  = 0.11
	trainedWeight = 0.39
)

// feedbackWeight is the weight of the feedback in a hybrid score, for every model. The retrievers
// have the rest.
const feedbackWeight = 0.25

// semanticWeight is the model's weight of the semantic retriever.
func semanticWeight(model embedding.Model) float64 {
	if model.Hashed() {
		return hashedWeight
	}
	return trainedWeight
}

// Match is a signature that was found, with what each retriever finds it worth.
type Match struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	// Text is the signature's.
	Text string
	// Score is the sum of the contributions, as Fuse set it.
	Score float64
	// Lexical and Semantic are the retrievers' contributions. Feedback is that of the similarity to
	// the best match of both. Each is nil if it was not asked for.
	Lexical, Semantic, Feedback *Contribution
}

// Contribution is what one retriever adds to the score of a match.
type Contribution struct {
	// Rank is the match's rank by this retriever alone, from 1; 0 if the retriever does not find it.
	Rank int
	// Raw is BM25 or a cosine similarity, Normalized is what that is worth, at most 1, and Weight
	// the retriever's part of the score.
	Raw, Normalized, Weight float64
	// Terms are the terms that matched, of the lexical retriever in an explained search. Their
	// scores add up to Raw.
	Terms []Term
}

// Term is a term of the query that matched, and where the signature's text has it.
type Term struct {
	lexical.Part
	Spans []lexical.Span
}

// Score is the retriever's part of the score, 0 for a nil contribution.
func (c *Contribution) Score() float64 {
	if c == nil {
		return 0
	}
	return c.Weight * c.Normalized
}

// SetWeights weighs the contributions of a hybrid search: semantic is the weight of the semantic
// retriever against the lexical one, from 0 to 1. The feedback, if there is any, takes its own part
// first.
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

// locateMatchedTerms finds where the match's text has the terms that matched.
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
