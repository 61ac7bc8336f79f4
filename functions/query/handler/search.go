package handler

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// depth is how many signatures each leg of a search by words contributes at the least; all of them are scored on every leg.
const depth = 100

// What the semantic leg counts in a hybrid score, the lexical leg having the rest (docs/decisions/011-hybrid-search.md). Hashed vectors
// tell again which words two texts share, trained ones what the lexical leg cannot know.
const (
	hashedShare  = 0.11
	trainedShare = 0.39
)

func (h handler) search(ctx context.Context, r *api.Request) (*api.Answer, error) {
	query, err := r.SearchQuery(r.Actions(), h.Now())
	if err != nil {
		return nil, err
	}
	ranked, how, err := h.rank(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := h.complete(ctx, query, ranked)
	if err != nil {
		return nil, err
	}
	return query.Answer(found, how), nil
}

// similar searches by a remediation. Its own incident, which is the nearest, comes on top of the limit.
func (h handler) similar(ctx context.Context, r *api.Request) (*api.Answer, error) {
	id, query, err := r.SimilarQuery(h.Now())
	if err != nil {
		return nil, err
	}
	example, err := h.Store.Remediation(ctx, id)
	if err != nil {
		return nil, err
	}
	limit := query.Limit
	query.Example, query.Text, query.Limit = &example, example.Signature().Text, limit+1
	ranked, how, err := h.rank(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := h.complete(ctx, query, ranked)
	if err != nil {
		return nil, err
	}
	if len(found) > limit && !slices.ContainsFunc(found, query.IsExample) {
		found = found[:limit]
	}
	return query.AnswerSimilar(found, how), nil
}

// rank answers the best incidents for the query by its mode, best first.
func (h handler) rank(ctx context.Context, query *api.SearchQuery) ([]api.Found, api.How, error) {
	if query.Mode == api.ModeLexical {
		found, err := h.byWords(ctx, query)
		return found, api.How{}, err
	}
	found, how, err := h.withMeaning(ctx, query)
	if errors.Is(err, postgres.ErrModelUnknown) {
		// The model was dropped a moment ago, and another is the active one.
		return h.withMeaning(ctx, query)
	}
	return found, how, err
}

// withMeaning ranks by the active model, and by words beside it if the mode is hybrid.
func (h handler) withMeaning(ctx context.Context, query *api.SearchQuery) ([]api.Found, api.How, error) {
	m, err := h.meaning(ctx, query)
	switch {
	case err != nil && query.Mode == api.ModeHybrid && ctx.Err() == nil:
		h.Log.WarnContext(ctx, "search without its semantic leg", slog.Any("error", err))
		found, err := h.byWords(ctx, query)
		return found, api.How{Degraded: true}, err
	case err != nil:
		return nil, api.How{}, err
	}
	by := h.byBoth
	if query.Mode == api.ModeSemantic {
		by = h.byMeaning
	}
	found, err := by(ctx, query, m)
	return found, api.How{Model: m.model.String()}, err
}

// meaning is a query's vector, the model that made it, and the store of that model's vectors.
type meaning struct {
	vector []float32
	model  embedding.Model
	store  *postgres.Store
}

// meaning takes an example's vector from the table, where it is once the vector of its signature is made; a text's is made.
func (h handler) meaning(ctx context.Context, query *api.SearchQuery) (meaning, error) {
	embedder, err := h.Models.Active(ctx, h.Store.ActiveModel)
	if err != nil {
		return meaning{}, fmt.Errorf("%w: %w", audit.ErrUnavailable, err)
	}
	model := embedder.Model()
	m := meaning{model: model, store: h.Store.WithModel(model.String())}
	if query.Example != nil {
		m.vector, err = m.store.Vector(ctx, query.Example.SignatureID)
		if !errors.Is(err, audit.ErrNotFound) {
			return m, err
		}
	}
	m.vector, err = embedder.Query(ctx, query.Text)
	switch {
	case errors.Is(err, embedding.ErrRefused):
		return m, audit.Faults{{Field: "query", Code: audit.CodeUnsupported, Detail: "is refused by the embedding model"}}
	case err != nil:
		return m, fmt.Errorf("embed the query: %w: %w", audit.ErrUnavailable, err)
	}
	return m, nil
}

// share is what the semantic leg counts in a hybrid score.
func (m meaning) share() float64 {
	if m.model.Hashed() {
		return hashedShare
	}
	return trainedShare
}

func (h handler) byMeaning(ctx context.Context, query *api.SearchQuery, m meaning) ([]api.Found, error) {
	return gather(query, 0, func(limit int) ([]api.Found, bool, error) {
		nearest, err := m.store.Nearest(ctx, m.vector, query.Filter, limit)
		found := make([]api.Found, len(nearest))
		for i, near := range nearest {
			similarity := 1 - near.Distance
			found[i] = api.Found{
				SignatureID: near.SignatureID, IncidentID: near.IncidentID, Text: near.Text,
				Semantic: &api.Leg{Rank: i + 1, Raw: similarity, Normalized: similarity, Weight: 1},
			}
		}
		return found, len(nearest) < limit, err
	})
}

func (h handler) byWords(ctx context.Context, query *api.SearchQuery) ([]api.Found, error) {
	return gather(query, depth, func(limit int) ([]api.Found, bool, error) {
		scorer, ids, err := h.lexical(ctx, query, limit)
		if err != nil || len(ids) == 0 {
			return nil, true, err
		}
		candidates, err := h.Store.Candidates(ctx, ids, nil)
		found := make([]api.Found, len(candidates))
		for i, candidate := range candidates {
			found[i] = scored(query, candidate, scorer, 1)
		}
		rank(found, lexicalLeg)
		return found, len(ids) < limit, err
	})
}

func (h handler) byBoth(ctx context.Context, query *api.SearchQuery, m meaning) ([]api.Found, error) {
	return gather(query, depth, func(limit int) ([]api.Found, bool, error) {
		legs, err := m.store.Legs(ctx, m.vector, lexical.Parse(query.Text), query.Filter, limit)
		if err != nil {
			return nil, false, err
		}
		ids, all := legs.Lexical, len(legs.Nearest) < limit && len(legs.Lexical) < limit
		for _, near := range legs.Nearest {
			ids = append(ids, near.SignatureID)
		}
		candidates, err := m.store.Candidates(ctx, distinct(ids), m.vector)
		found := make([]api.Found, len(candidates))
		for i, candidate := range candidates {
			found[i] = scored(query, candidate, legs.Scorer, 1-m.share())
			similarity := 1 - candidate.Distance
			found[i].Semantic = &api.Leg{Raw: similarity, Normalized: max(similarity, 0), Weight: m.share()}
		}
		rank(found, lexicalLeg)
		rank(found, semanticLeg)
		return found, all, err
	})
}

// gather looks for signatures until there are enough incidents among them, or all were found: an incident has a signature for every way
// it was dealt with. least is how many signatures are looked for at the least.
func gather(query *api.SearchQuery, least int, look func(limit int) (found []api.Found, all bool, err error)) ([]api.Found, error) {
	for limit := max(least, 2*query.Limit); ; limit *= 4 {
		found, all, err := look(limit)
		if err != nil {
			return nil, err
		}
		incidents := bestOfEach(found)
		if all || len(incidents) >= query.Limit {
			return cut(query, incidents), nil
		}
	}
}

func (h handler) lexical(ctx context.Context, query *api.SearchQuery, limit int) (*lexical.Scorer, []audit.ID, error) {
	scorer, statistics, err := h.Store.Weigh(ctx, lexical.Parse(query.Text))
	if err != nil {
		return nil, nil, err
	}
	ids, err := h.Store.Lexical(ctx, scorer, statistics, query.Filter, limit)
	return scorer, ids, err
}

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

// rank numbers what a leg found, best first.
func rank(found []api.Found, leg func(*api.Found) *api.Leg) {
	order := make([]*api.Found, 0, len(found))
	for i := range found {
		if leg(&found[i]).Normalized > 0 {
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
		found[i].Score = found[i].Lexical.Score() + found[i].Semantic.Score()
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

// complete adds to each incident what the filter leaves of its remediations.
func (h handler) complete(ctx context.Context, query *api.SearchQuery, ranked []api.Found) ([]api.Found, error) {
	if len(ranked) == 0 {
		return nil, nil
	}
	ids := make([]audit.ID, len(ranked))
	for i, one := range ranked {
		ids[i] = one.IncidentID
	}
	var except *string
	if query.Example != nil {
		except = &query.Example.RemediationID
	}
	incidents, err := h.Store.Incidents(ctx, ids, query.Filter, query.PerSignature, except)
	if err != nil {
		return nil, err
	}
	found := ranked[:0]
	for _, one := range ranked {
		// An incident whose last matching remediation was updated in between has none any more.
		if of := incidents[one.IncidentID]; of != nil {
			found = append(found, completed(one, of))
		}
	}
	return found, nil
}

func completed(found api.Found, of *postgres.Incident) api.Found {
	found.Signatures = of.Signatures
	found.Occurrences, found.FirstSeen, found.LastSeen = of.Total, of.FirstSeen, of.LastSeen
	found.Outcome, found.Newest, found.Solved = of.Outcome, of.Newest, of.Solved
	for _, action := range of.Actions {
		found.Actions = append(found.Actions, api.FoundAction{ActionType: action.ActionType, Outcome: action.Outcome})
	}
	return found
}
