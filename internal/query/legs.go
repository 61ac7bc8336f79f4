package query

import (
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

// What the semantic leg counts beside the lexical leg, which has the rest (docs/decisions/011-hybrid-search.md). Hashed vectors
// tell again which words two texts share, trained ones what the lexical leg cannot know.
const (
	hashedShare  = 0.11
	trainedShare = 0.39
)

// feedbackShare is what being like the best of the candidates counts in a hybrid score, whichever the model; the legs have the rest.
const feedbackShare = 0.25

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
		return m, audit.ValidationErrors{{Field: "query", Code: audit.CodeUnsupported, Detail: "is refused by the embedding model"}}
	case err != nil:
		return m, fmt.Errorf("embed the query: %w: %w", audit.ErrUnavailable, err)
	}
	return m, nil
}

// share is what the semantic leg counts beside the lexical one.
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
		candidates, err := candidates(ctx, h.Store, ids, nil)
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
		legs, err := m.store.Retrieve(ctx, m.vector, lexical.Parse(query.Text), query.Filter, limit)
		if err != nil {
			return nil, false, err
		}
		ids, all := legs.Lexical, len(legs.Nearest) < limit && len(legs.Lexical) < limit
		for _, near := range legs.Nearest {
			ids = append(ids, near.SignatureID)
		}
		candidates, err := candidates(ctx, m.store, distinct(ids), m.vector)
		found := make([]api.Found, len(candidates))
		for i, candidate := range candidates {
			found[i] = scored(query, candidate, legs.Scorer, 1-m.share())
			similarity := 1 - candidate.Distance
			found[i].Semantic = &api.Leg{Raw: similarity, Normalized: max(similarity, 0), Weight: m.share()}
		}
		if err == nil {
			err = m.feedBack(ctx, found)
		}
		rank(found, lexicalLeg)
		rank(found, semanticLeg)
		rank(found, feedbackLeg)
		return found, all, err
	})
}

// feedBack adds to candidates how much they are like the best of them, by their vectors: pseudo-relevance feedback (Manning, Raghavan and
// Schütze, "Introduction to Information Retrieval", 2008, section 9.1.6). Where none has a vector there is none.
func (m meaning) feedBack(ctx context.Context, found []api.Found) error {
	measured := slices.DeleteFunc(slices.Clone(found), func(f api.Found) bool { return f.Semantic.Raw <= unmeasured })
	if len(measured) == 0 {
		return nil
	}
	ids := make([]audit.ID, len(measured))
	for i, one := range measured {
		ids[i] = one.SignatureID
	}
	distances, err := m.store.Alike(ctx, bestOfEach(measured)[0].SignatureID, ids)
	if err != nil {
		return err
	}
	if len(distances) < len(ids) {
		return errMoved
	}
	for i := range found {
		one := &found[i]
		similarity := float64(unmeasured)
		if distance, ok := distances[one.SignatureID]; ok {
			similarity = 1 - distance
		}
		one.Lexical.Weight *= 1 - feedbackShare
		one.Semantic.Weight *= 1 - feedbackShare
		one.Feedback = &api.Leg{Raw: similarity, Normalized: max(similarity, 0), Weight: feedbackShare}
	}
	return nil
}

// unmeasured is the similarity of a signature that has no vector.
const unmeasured = -1

func candidates(ctx context.Context, store *postgres.Store, ids []audit.ID, vector []float32) ([]postgres.Candidate, error) {
	found, err := store.Candidates(ctx, ids, vector)
	if err == nil && len(found) < len(ids) {
		err = errMoved
	}
	return found, err
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
