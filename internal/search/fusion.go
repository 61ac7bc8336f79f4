package search

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/lexical"
)

// similarity is what a model's cosine similarities mean, measured on retrieval test collections
// (docs/decisions/026-absolute-scores.md).
type similarity struct {
	// unrelated is the cosine similarity of texts that have nothing in common.
	unrelated float64
	// weight is the weight of the semantic retriever; the lexical one has the remainder. Hashed
	// vectors mostly reflect shared words; trained ones add similarity of meaning, which the lexical
	// retriever lacks.
	weight float64
}

// similarityOf returns what the similarities of a model mean.
func similarityOf(model embedding.Model) similarity {
	if model.Hashed() {
		return similarity{unrelated: 0, weight: 0.15}
	}
	return similarity{unrelated: 0.2, weight: 0.25}
}

// normalize scales a cosine similarity to -1 to 1: 0 for unrelated texts, 1 for equal ones.
func (s similarity) normalize(cosine float64) float64 {
	if cosine < s.unrelated {
		return (cosine - s.unrelated) / (1 + s.unrelated)
	}
	return (cosine - s.unrelated) / (1 - s.unrelated)
}

// feedbackWeight is the weight of the feedback before scores are scaled to the best match's score
// by the retrievers, for every model.
const feedbackWeight = 0.28

// WeakScore is the score below which a match is weak: of unrelated texts, 95 of 100 score less, and
// of texts about the same, 1 of 100 (docs/decisions/026-absolute-scores.md).
const WeakScore = 0.17

// Match is a found signature with each retriever's contribution to its score.
type Match struct {
	SignatureID audit.ID
	IncidentID  audit.ID
	// Text is the text of the signature.
	Text string
	// Score is the sum of the contributions, set by Fuse. It means the same in every search.
	Score float64
	// Lexical and Semantic are the retrievers' contributions. Feedback is the contribution of the
	// similarity to the best match of both. Each is nil if the search does not use it, and Semantic
	// and Feedback also if the signature has no vector.
	Lexical, Semantic, Feedback *Contribution
}

// Weak reports whether the match is probably about something else.
func (m Match) Weak() bool { return m.Score < WeakScore }

// Contribution is one retriever's part of a match's score.
type Contribution struct {
	// Rank is the match's rank by this retriever alone, from 1; 0 if the retriever does not find it.
	Rank int
	// Raw is BM25 or a cosine similarity, and Weight is the factor by which Normalized adds to the
	// score. Normalized is Raw scaled to at most 1, for the feedback to at most the score of the best
	// match.
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

// SetWeights divides what the feedback leaves of the weights: the semantic retriever gets the
// fraction semantic (0 to 1) and the lexical one the rest, or all if the match has no vector.
func (m *Match) SetWeights(semantic float64) {
	if m.Semantic == nil {
		m.Lexical.Weight = 1
		return
	}
	retrievers := 1.0
	if m.Feedback != nil {
		retrievers -= m.Feedback.Weight
	}
	m.Lexical.Weight = retrievers * (1 - semantic)
	m.Semantic.Weight = retrievers * semantic
}

// vectorCoverage returns how far vectors may decide among matches, from 0 if none has one to 1 if
// all have. Matches count by their lexical scores, so that one without a vector does not rank lower
// for it if it is among the best by words.
func vectorCoverage(matches []Match) float64 {
	var embedded, all float64
	for _, match := range matches {
		evidence := math.Pow(match.Lexical.Normalized, 4)
		all += evidence
		if match.Semantic != nil {
			embedded += evidence
		}
	}
	if all == 0 {
		return 1
	}
	return embedded / all * embedded / all
}

// setFeedback sets the feedback of the matches that have a vector: the normalized similarity to the
// best match times its score. So the best match keeps its score, and no other exceeds the higher of
// that and its own. coverage is of vectorCoverage.
func (s similarity) setFeedback(matches []Match, cosines map[audit.ID]float64, best, coverage float64) {
	weight := feedbackWeight / ((1-feedbackWeight)*best + feedbackWeight)
	for i := range matches {
		match := &matches[i]
		if match.Semantic == nil {
			continue
		}
		cosine := cosines[match.SignatureID]
		match.Feedback = &Contribution{
			Raw: cosine, Normalized: max(s.normalize(cosine), 0) * best, Weight: coverage * weight,
		}
		match.SetWeights(coverage * s.weight)
	}
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

// appendIncidents appends the matches of further incidents. They are scored at most as high as the
// last one before, so that all are best first.
func appendIncidents(incidents, matches []Match) []Match {
	known := make(map[audit.ID]bool, len(incidents))
	highest := math.Inf(1)
	for _, incident := range incidents {
		known[incident.IncidentID] = true
		highest = incident.Score
	}
	for _, match := range matches {
		if !known[match.IncidentID] {
			match.Score = min(match.Score, highest)
			incidents = append(incidents, match)
		}
	}
	return incidents
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
