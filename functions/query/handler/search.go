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

// depth is how many signatures each leg of a hybrid search contributes at the least; all of them are scored on both legs.
const depth = 100

// What the semantic leg counts in a hybrid score, the lexical leg having the rest (docs/decisions/011-hybrid-search.md). Hashed vectors
// tell again which words two texts share, trained ones what the lexical leg cannot know.
const (
	hashedShare  = 0.11
	trainedShare = 0.39
)

func (h handler) search(ctx context.Context, r *api.Request) (*api.Answer, error) {
	query, err := r.SearchQuery(audit.Actions{}, h.Now())
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

// similar searches by a remediation. Its own signature, which is the nearest, comes on top of the limit.
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
	isOwn := func(f api.Found) bool { return f.SignatureID == example.SignatureID }
	if len(found) > limit && !slices.ContainsFunc(found, isOwn) {
		found = found[:limit]
	}
	return query.AnswerSimilar(found, how), nil
}

// rank answers the best signatures for the query by its mode, best first.
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

func (h handler) byMeaning(ctx context.Context, query *api.SearchQuery, m meaning) ([]api.Found, error) {
	nearest, err := m.store.Nearest(ctx, m.vector, query.Filter, query.Limit)
	found := make([]api.Found, len(nearest))
	for i, near := range nearest {
		similarity := 1 - near.Distance
		found[i] = api.Found{
			SignatureID: near.SignatureID, Text: near.Text,
			Semantic: &api.Leg{Rank: i + 1, Raw: similarity, Normalized: similarity, Weight: 1},
		}
	}
	return best(query, found), err
}

func (h handler) byWords(ctx context.Context, query *api.SearchQuery) ([]api.Found, error) {
	scorer, ids, err := h.lexical(ctx, query, max(depth, query.Limit))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	candidates, err := h.Store.Candidates(ctx, ids, nil)
	found := make([]api.Found, len(candidates))
	for i, candidate := range candidates {
		found[i] = scored(query, candidate, scorer, 1)
	}
	rank(found, lexicalLeg)
	return located(query, best(query, found), scorer), err
}

func (h handler) byBoth(ctx context.Context, query *api.SearchQuery, m meaning) ([]api.Found, error) {
	nearest, err := m.store.Nearest(ctx, m.vector, query.Filter, max(depth, query.Limit))
	if err != nil {
		return nil, err
	}
	scorer, ids, err := h.lexical(ctx, query, max(depth, query.Limit))
	if err != nil {
		return nil, err
	}
	for _, near := range nearest {
		ids = append(ids, near.SignatureID)
	}
	candidates, err := m.store.Candidates(ctx, distinct(ids), m.vector)
	share := trainedShare
	if m.model.Hashed() {
		share = hashedShare
	}
	found := make([]api.Found, len(candidates))
	for i, candidate := range candidates {
		found[i] = scored(query, candidate, scorer, 1-share)
		similarity := 1 - candidate.Distance
		found[i].Semantic = &api.Leg{Raw: similarity, Normalized: max(similarity, 0), Weight: share}
	}
	rank(found, lexicalLeg)
	rank(found, semanticLeg)
	return located(query, best(query, found), scorer), err
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
	return api.Found{SignatureID: candidate.SignatureID, Text: candidate.Text, Lexical: leg}
}

// located adds to the terms that matched where each text has them.
func located(query *api.SearchQuery, found []api.Found, scorer *lexical.Scorer) []api.Found {
	if !query.Explain {
		return found
	}
	for _, one := range found {
		spans := scorer.Spans(one.Text)
		for i, term := range one.Lexical.Terms {
			for _, span := range spans[term.Text] {
				one.Lexical.Terms[i].Spans = append(one.Lexical.Terms[i].Spans, api.LegSpan(span))
			}
		}
	}
	return found
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

// best adds the legs up and keeps what the query asked for, best first.
func best(query *api.SearchQuery, found []api.Found) []api.Found {
	for i := range found {
		found[i].Score = found[i].Lexical.Score() + found[i].Semantic.Score()
	}
	found = slices.DeleteFunc(found, func(f api.Found) bool { return f.Score < query.MinScore })
	slices.SortFunc(found, func(a, b api.Found) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), byID(a.SignatureID, b.SignatureID))
	})
	return found[:min(len(found), query.Limit)]
}

// complete adds to each signature what the filter leaves of its remediations.
func (h handler) complete(ctx context.Context, query *api.SearchQuery, ranked []api.Found) ([]api.Found, error) {
	if len(ranked) == 0 {
		return nil, nil
	}
	ids := make([]audit.ID, len(ranked))
	for i, one := range ranked {
		ids[i] = one.SignatureID
	}
	var except *string
	if query.Example != nil {
		except = &query.Example.RemediationID
	}
	occurrences, err := h.Store.Occurrences(ctx, ids, query.Filter, query.PerSignature, except)
	if err != nil {
		return nil, err
	}
	found := ranked[:0]
	for _, one := range ranked {
		// A signature whose last matching remediation was updated in between has no occurrences any more.
		if of := occurrences[one.SignatureID]; of != nil {
			found = append(found, completed(one, of))
		}
	}
	return found, nil
}

func completed(found api.Found, of *postgres.Occurrences) api.Found {
	found.Occurrences, found.FirstSeen, found.LastSeen = of.Total, of.FirstSeen, of.LastSeen
	found.Outcome, found.Newest = of.Outcome, of.Newest
	for _, action := range of.Actions {
		found.Actions = append(found.Actions, api.FoundAction{ActionType: action.ActionType, Outcome: action.Outcome})
	}
	return found
}
