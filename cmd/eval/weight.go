package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/search"
)

// weightSteps is the number of steps from 0 to 1 in which weights of the semantic retriever are
// tried: 0, 0.01 and so on.
const weightSteps = 100

// maxCandidates is the number of incidents of each response that are ranked again, the most that
// the API returns. They are the best by the service's own weight: an incident that only a very
// different weight would rank high may be missing. For the ends of a curve, the modes lexical and
// semantic are the better measure.
const maxCandidates = 100

// candidate is an incident found by a hybrid search.
type candidate struct {
	match search.Match
	// remediations are the incident's, newest first.
	remediations []string
}

// weighting measures the results of hybrid search with other weights of the semantic retriever, for
// one set and model.
type weighting struct {
	set, model string
	// shipped is the service's weight and its nDCG@10.
	shipped point
	// curve has the nDCG@10 of each weight.
	curve []float64
}

// point is a weight and the nDCG@10 that it reaches.
type point struct{ weight, ndcg float64 }

// measureWeights searches for the set's queries once, and ranks the results with each weight.
func (s *service) measureWeights(ctx context.Context, of set) (weighting, error) {
	w := weighting{set: of.name, model: s.model, curve: make([]float64, weightSteps+1)}
	for _, q := range of.queries {
		found, weight, err := s.searchExplained(ctx, q.Text)
		if err != nil {
			return w, fmt.Errorf("query %s: %w", q.ID, err)
		}
		// A response without results gains nothing at any weight.
		if len(found) == 0 {
			continue
		}
		w.shipped.weight = weight
		w.shipped.ndcg += scoreRanking(rankWeighted(found, weight), q.gains).ndcg / float64(len(of.queries))
		for i := range w.curve {
			w.curve[i] += scoreRanking(rankWeighted(found, weightOfStep(i)), q.gains).ndcg / float64(len(of.queries))
		}
	}
	return w, nil
}

// searchExplained returns the candidates of a hybrid search, and the weight of its semantic
// retriever relative to the lexical one.
func (s *service) searchExplained(ctx context.Context, text string) (found []candidate, weight float64, err error) {
	groups, each := maxCandidates, depth
	response, err := s.api.Search(ctx, client.SearchInput{
		Query: text, Mode: new(client.SearchModeHybrid), Limit: &groups, PerSignature: &each, Explain: new(true),
	})
	if err != nil {
		return nil, 0, err
	}
	for _, result := range response.Data {
		c, err := newCandidate(result)
		if err != nil {
			return nil, 0, err
		}
		found = append(found, c)
		weight = c.match.Semantic.Weight / (c.match.Lexical.Weight + c.match.Semantic.Weight)
	}
	return found, weight, nil
}

// newCandidate takes a match from an explained result.
func newCandidate(result client.SearchResult) (candidate, error) {
	if result.Explain == nil || result.Explain.Lexical == nil || result.Explain.Semantic == nil {
		return candidate{}, errors.New("a result does not explain both retrievers")
	}
	signature, signatureErr := audit.ParseID(result.SignatureID)
	incident, incidentErr := audit.ParseID(result.IncidentID)
	if err := errors.Join(signatureErr, incidentErr); err != nil {
		return candidate{}, err
	}
	c := candidate{match: search.Match{
		SignatureID: signature, IncidentID: incident,
		Lexical: newContribution(result.Explain.Lexical), Semantic: newContribution(result.Explain.Semantic),
		Feedback: newContribution(result.Explain.Feedback),
	}}
	for _, remediation := range result.Remediations {
		c.remediations = append(c.remediations, remediation.RemediationID)
	}
	return c, nil
}

func newContribution(explained *client.Contribution) *search.Contribution {
	if explained == nil {
		return nil
	}
	return &search.Contribution{Normalized: explained.Normalized, Weight: explained.Weight}
}

func weightOfStep(step int) float64 { return float64(step) / weightSteps }

// rankWeighted returns the remediations of the first candidates, ranked as the service would with
// another weight of the semantic retriever.
func rankWeighted(found []candidate, weight float64) []string {
	matches := make([]search.Match, len(found))
	remediations := make(map[audit.ID][]string, len(found))
	for i, c := range found {
		c.match.SetWeights(weight)
		matches[i], remediations[c.match.SignatureID] = c.match, c.remediations
	}
	ranked := search.Fuse(matches)
	var first []string
	for _, match := range ranked[:min(depth, len(ranked))] {
		first = append(first, remediations[match.SignatureID]...)
	}
	return first
}

// bestWeightStep returns the step with the best mean over the sets; ties go to the lowest.
func bestWeightStep(sets []weighting) int {
	best, bestSum := 0, -1.0
	for i := range weightSteps + 1 {
		var sum float64
		for _, w := range sets {
			sum += w.curve[i]
		}
		if sum > bestSum {
			best, bestSum = i, sum
		}
	}
	return best
}

// bestWeightOfOthers returns the point that a set reaches with the weight that is best for the
// other sets of its model, or false if there are none.
func bestWeightOfOthers(w weighting, all []weighting) (point, bool) {
	var others []weighting
	for _, other := range all {
		if other.model == w.model && other.set != w.set {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return point{}, false
	}
	chosen := bestWeightStep(others)
	return point{weightOfStep(chosen), w.curve[chosen]}, true
}

func printWeightings(out io.Writer, all []weighting) error {
	if len(all) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	// Flush reports errors.
	_, _ = fmt.Fprintln(table, "semantic weight, nDCG@10\tmodel\tas shipped\tbest on the other sets\tbest with hindsight")
	for _, w := range all {
		others := "-"
		if p, ok := bestWeightOfOthers(w, all); ok {
			others = p.String()
		}
		hindsight := bestWeightStep([]weighting{w})
		_, _ = fmt.Fprintf(table, "%s\t%s\t%v\t%s\t%v\n", w.set, w.model, w.shipped, others,
			point{weightOfStep(hindsight), w.curve[hindsight]})
	}
	return table.Flush()
}

func (p point) String() string { return fmt.Sprintf("%.2f %.3f", p.weight, p.ndcg) }
