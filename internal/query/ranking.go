package query

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

func distinct(ids []audit.ID) []audit.ID {
	slices.SortFunc(ids, byID)
	return slices.Compact(ids)
}

func byID(a, b audit.ID) int { return bytes.Compare(a[:], b[:]) }

// scored is a candidate with its lexical leg.
func scored(query *api.SearchQuery, candidate postgres.Candidate, scorer *lexical.Scorer, weight float64) api.Found {
	score, raw := scorer.Score(candidate.Document)
	leg := &api.Leg{Raw: raw, Normalized: score, Weight: weight}
	if query.Explain {
		for _, part := range scorer.Parts(candidate.Document) {
			leg.Terms = append(leg.Terms, api.LegTerm{Text: part.Text, Score: part.Score})
		}
	}
	return api.Found{SignatureID: candidate.SignatureID, IncidentID: candidate.IncidentID, Text: candidate.Text, Lexical: leg}
}

func lexicalLeg(f *api.Found) *api.Leg  { return f.Lexical }
func semanticLeg(f *api.Found) *api.Leg { return f.Semantic }
func feedbackLeg(f *api.Found) *api.Leg { return f.Feedback }

// rank numbers what a leg found, best first.
func rank(found []api.Found, leg func(*api.Found) *api.Leg) {
	order := make([]*api.Found, 0, len(found))
	for i := range found {
		if l := leg(&found[i]); l != nil && l.Normalized > 0 {
			order = append(order, &found[i])
		}
	}
	slices.SortFunc(order, func(a, b *api.Found) int {
		return cmp.Or(cmp.Compare(leg(b).Normalized, leg(a).Normalized), byID(a.SignatureID, b.SignatureID))
	})
	for i, one := range order {
		leg(one).Rank = i + 1
	}
}

// bestOfEach adds the legs up and keeps the best signature of each incident, best first.
func bestOfEach(found []api.Found) []api.Found {
	for i := range found {
		found[i].Score = found[i].Lexical.Score() + found[i].Semantic.Score() + found[i].Feedback.Score()
	}
	slices.SortFunc(found, func(a, b api.Found) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), byID(a.SignatureID, b.SignatureID))
	})
	seen := make(map[audit.ID]bool, len(found))
	return slices.DeleteFunc(found, func(f api.Found) bool {
		known := seen[f.IncidentID]
		seen[f.IncidentID] = true
		return known
	})
}

// cut keeps what the query asked for.
func cut(query *api.SearchQuery, found []api.Found) []api.Found {
	found = slices.DeleteFunc(found, func(f api.Found) bool { return f.Score < query.MinScore })
	found = found[:min(len(found), query.Limit)]
	for _, one := range found {
		locate(one)
	}
	return found
}

// locate adds to the terms that matched where the text has them.
func locate(found api.Found) {
	if found.Lexical == nil {
		return
	}
	terms := found.Lexical.Terms
	texts := make([]string, len(terms))
	for i, term := range terms {
		texts[i] = term.Text
	}
	for i, spans := range lexical.Spans(found.Text, texts) {
		for _, span := range spans {
			terms[i].Spans = append(terms[i].Spans, api.LegSpan(span))
		}
	}
}
