package search

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/embedding"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres"
)

// The number of signatures that a search takes from each of its retrievers first. It does not
// depend on the limit, so neither does the order of the results. A semantic search needs no more
// than it returns; in the others every candidate is scored by all retrievers.
const (
	firstCandidates = 100
	firstNearest    = 20
)

// rankMatches returns the best match of each incident, best first, and a Result that describes how
// they were found.
func (f *finder) rankMatches(ctx context.Context) (Result, []Match, error) {
	if f.query.Mode == Lexical || f.degraded != nil {
		matches, err := f.retrieveLexical(ctx)
		return Result{}, matches, err
	}
	v, err := f.embedQueryText(ctx)
	switch {
	case err != nil && f.query.Mode == Hybrid && ctx.Err() == nil && !isRetryable(err):
		f.degraded = err
		matches, err := f.retrieveLexical(ctx)
		return Result{}, matches, err
	case err != nil:
		return Result{}, nil, err
	}
	rank := f.retrieveHybrid
	if f.query.Mode == Semantic {
		rank = f.retrieveSemantic
	}
	matches, err := rank(ctx, v)
	if errors.Is(err, postgres.ErrModelUnknown) {
		// The model was dropped, and another one is active now.
		err = errReplaced
	}
	return Result{Model: v.model.String()}, matches, err
}

// queryVector is a query's vector, the model that made it, and the store that searches the model's
// vectors.
type queryVector struct {
	vector []float32
	model  embedding.Model
	store  *postgres.Store
}

// embedQueryText embeds the query's text. An example's vector is read from the store, unless it is
// pending.
func (f *finder) embedQueryText(ctx context.Context) (queryVector, error) {
	embedder, err := f.models.Active(ctx, f.store.ActiveModel)
	if err != nil {
		return queryVector{}, fmt.Errorf("%w: %w", audit.ErrUnavailable, err)
	}
	v := queryVector{model: embedder.Model(), store: f.store.WithModel(embedder.Model().String())}
	if f.query.Example != nil {
		v.vector, err = v.store.Vector(ctx, f.query.Example.SignatureID)
		if !errors.Is(err, audit.ErrNotFound) {
			return v, err
		}
	}
	v.vector, err = embedder.Query(ctx, f.query.Text)
	switch {
	case errors.Is(err, embedding.ErrRefused):
		return v, audit.ValidationErrors{{
			Field: "query", Code: audit.CodeUnsupported, Detail: "is refused by the embedding model",
		}}
	case err != nil:
		return v, fmt.Errorf("embed the query: %w: %w", audit.ErrUnavailable, err)
	}
	return v, nil
}

func (f *finder) retrieveSemantic(ctx context.Context, v queryVector) ([]Match, error) {
	meaning := similarityOf(v.model)
	return f.widenRetrieval(firstNearest, func(limit int) ([]Match, bool, error) {
		nearest, err := v.store.Nearest(ctx, v.vector, f.query.Filter, limit)
		matches := make([]Match, len(nearest))
		for i, near := range nearest {
			cosine := 1 - near.Distance
			matches[i] = Match{
				SignatureID: near.SignatureID, IncidentID: near.IncidentID, Text: near.Text,
				Semantic: &Contribution{Rank: i + 1, Raw: cosine, Normalized: meaning.normalize(cosine), Weight: 1},
			}
		}
		return matches, len(nearest) < limit, err
	})
}

func (f *finder) retrieveLexical(ctx context.Context) ([]Match, error) {
	return f.widenRetrieval(firstCandidates, func(limit int) ([]Match, bool, error) {
		scorer, statistics, err := f.store.Weigh(ctx, lexical.Parse(f.query.Text))
		if err != nil {
			return nil, false, err
		}
		ids, err := f.store.Lexical(ctx, scorer, statistics, f.query.Filter, limit)
		if err != nil || len(ids) == 0 {
			return nil, true, err
		}
		candidates, err := readCandidates(ctx, f.store, ids, nil, scorer)
		matches := make([]Match, len(candidates))
		for i, candidate := range candidates {
			matches[i] = f.newLexicalMatch(candidate, scorer)
			matches[i].Lexical.Weight = 1
		}
		rankMatchesBy(matches, lexicalContribution)
		return matches, len(ids) < limit, err
	})
}

func (f *finder) retrieveHybrid(ctx context.Context, v queryVector) ([]Match, error) {
	meaning := similarityOf(v.model)
	return f.widenRetrieval(firstCandidates, func(limit int) ([]Match, bool, error) {
		found, err := v.store.Retrieve(ctx, v.vector, lexical.Parse(f.query.Text), f.query.Filter, limit)
		if err != nil {
			return nil, false, err
		}
		candidates, err := readCandidates(ctx, v.store, unionCandidateIDs(found), v.vector, found.Scorer)
		if err != nil {
			return nil, false, err
		}
		matches := make([]Match, len(candidates))
		for i, candidate := range candidates {
			matches[i] = f.newLexicalMatch(candidate, found.Scorer)
			matches[i].Semantic = meaning.contribution(candidate)
		}
		coverage := vectorCoverage(matches)
		for i := range matches {
			matches[i].SetWeights(coverage * meaning.weight)
		}
		err = v.addFeedback(ctx, matches, coverage)
		rankMatchesBy(matches, lexicalContribution)
		rankMatchesBy(matches, semanticContribution)
		rankMatchesBy(matches, feedbackContribution)
		return matches, len(found.Nearest) < limit && len(found.Lexical) < limit, err
	})
}

// widenRetrieval retrieves signatures, first as many as given, then four times as many and so on,
// until they belong to query.Limit incidents or all are found: an incident has one signature for
// each action taken. Incidents that only a wider retrieval finds follow those before, whose order
// it does not change.
func (f *finder) widenRetrieval(
	first int, retrieve func(limit int) (matches []Match, all bool, err error),
) ([]Match, error) {
	var incidents []Match
	for limit := first; ; limit *= 4 {
		matches, all, err := retrieve(limit)
		if err != nil {
			return nil, err
		}
		incidents = appendIncidents(incidents, Fuse(matches))
		if all || len(incidents) >= f.query.Limit {
			return f.selectTopMatches(incidents), nil
		}
	}
}

// selectTopMatches applies the limit and the minimum score, and locates the matched terms.
func (f *finder) selectTopMatches(matches []Match) []Match {
	matches = slices.DeleteFunc(matches, func(m Match) bool { return m.Score < f.query.MinScore })
	matches = matches[:min(len(matches), f.query.Limit)]
	for _, match := range matches {
		locateMatchedTerms(match)
	}
	return matches
}

// unionCandidateIDs returns the signatures that either retriever found, in the order of their IDs.
func unionCandidateIDs(found postgres.Retrieved) []audit.ID {
	ids := slices.Clone(found.Lexical)
	for _, near := range found.Nearest {
		ids = append(ids, near.SignatureID)
	}
	slices.SortFunc(ids, compareSignatureIDs)
	return slices.Compact(ids)
}

// readCandidates reads the data by which the retrievers score signatures. If a signature is
// missing, it returns errReplaced.
func readCandidates(
	ctx context.Context, store *postgres.Store, ids []audit.ID, vector []float32, scorer *lexical.Scorer,
) ([]postgres.Candidate, error) {
	candidates, err := store.Candidates(ctx, ids, vector, scorer)
	if err == nil && len(candidates) < len(ids) {
		err = errReplaced
	}
	return candidates, err
}

// newLexicalMatch returns a candidate with its lexical contribution, which has no weight yet.
func (f *finder) newLexicalMatch(candidate postgres.Candidate, scorer *lexical.Scorer) Match {
	score, raw := scorer.Score(candidate.Document)
	contribution := &Contribution{Raw: raw, Normalized: score}
	if f.query.Explain {
		for _, part := range scorer.Parts(candidate.Document) {
			contribution.Terms = append(contribution.Terms, Term{Part: part})
		}
	}
	return Match{
		SignatureID: candidate.SignatureID, IncidentID: candidate.IncidentID, Text: candidate.Text,
		Lexical: contribution,
	}
}

// noVector is the distance of a candidate without a vector.
const noVector = 2

// contribution returns the semantic contribution of a candidate, which has no weight yet, or nil if
// the candidate has no vector.
func (s similarity) contribution(candidate postgres.Candidate) *Contribution {
	if candidate.Distance >= noVector {
		return nil
	}
	cosine := 1 - candidate.Distance
	return &Contribution{Raw: cosine, Normalized: max(s.normalize(cosine), 0)}
}

// addFeedback adds the vector similarity of each match to the best match: pseudo-relevance feedback
// (Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 9.1.6). If
// no match has a vector, it adds nothing.
func (v queryVector) addFeedback(ctx context.Context, matches []Match, coverage float64) error {
	embedded := slices.DeleteFunc(slices.Clone(matches), func(m Match) bool { return m.Semantic == nil })
	if len(embedded) == 0 {
		return nil
	}
	ids := make([]audit.ID, len(embedded))
	for i, match := range embedded {
		ids[i] = match.SignatureID
	}
	best := Fuse(embedded)[0]
	distances, err := v.store.Alike(ctx, best.SignatureID, ids)
	if err != nil {
		return err
	}
	if len(distances) < len(ids) {
		return errReplaced
	}
	cosines := make(map[audit.ID]float64, len(distances))
	for id, distance := range distances {
		cosines[id] = 1 - distance
	}
	similarityOf(v.model).setFeedback(matches, cosines, best.Score, coverage)
	return nil
}
