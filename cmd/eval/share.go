package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/datastorage-service/datastorage/client"
)

// The shares of the semantic leg in a hybrid score that are tried: 0, 0.01 and so on to 1.
const shareSteps = 100

// candidates are how many incidents of an answer are ranked anew, the most that the API gives. They are the best by the share that the
// service has: one that only a very different share would bring to the top may be missing, so that the ends of a curve tell less than
// the modes lexical and semantic do.
const candidates = 100

// candidate is an incident that a hybrid search found.
type candidate struct {
	signature string
	// lexical and semantic are what the legs found it worth, from 0 to 1; of the score they have together the part legs, and feedback is the
	// other part. That is what it is worth to be like the best by the share that the service has.
	lexical, semantic, legs, feedback float64
	// remediations are its newest first.
	remediations []string
}

// reweighing is how well the hybrid search of one set with one model would rank with other shares of the semantic leg.
type reweighing struct {
	set, model string
	// shipped is the share that the service has, and the nDCG@10 with it.
	shipped point
	// curve is the nDCG@10 with each share.
	curve []float64
}

// point is a share and the nDCG@10 that it reaches.
type point struct{ share, ndcg float64 }

// reweigh asks the set's queries once, and ranks what was found with each share.
func (s *service) reweigh(ctx context.Context, of set) (reweighing, error) {
	r := reweighing{set: of.name, model: s.model, curve: make([]float64, shareSteps+1)}
	for _, q := range of.queries {
		found, share, err := s.explained(ctx, q.Text)
		if err != nil {
			return r, fmt.Errorf("query %s: %w", q.ID, err)
		}
		// An answer without a result has no share; it gains nothing with any.
		if len(found) == 0 {
			continue
		}
		r.shipped.share = share
		r.shipped.ndcg += score(ranked(found, share), q.gains).ndcg / float64(len(of.queries))
		for i := range r.curve {
			r.curve[i] += score(ranked(found, shareAt(i)), q.gains).ndcg / float64(len(of.queries))
		}
	}
	return r, nil
}

// explained answers what a hybrid search found, and the share of the semantic leg beside the lexical one.
func (s *service) explained(ctx context.Context, text string) (found []candidate, share float64, err error) {
	groups, each := candidates, depth
	answer, err := s.api.Search(ctx, client.SearchInput{
		Query: text, Mode: new(client.SearchModeHybrid), Limit: &groups, PerSignature: &each, Explain: new(true),
	})
	if err != nil {
		return nil, 0, err
	}
	for _, result := range answer.Data {
		if result.Explain == nil || result.Explain.Lexical == nil || result.Explain.Semantic == nil {
			return nil, 0, errors.New("a result explains no more than one leg")
		}
		lexical, semantic, feedback := result.Explain.Lexical, result.Explain.Semantic, result.Explain.Feedback
		c := candidate{
			signature: result.SignatureID, lexical: lexical.Normalized, semantic: semantic.Normalized, legs: lexical.Weight + semantic.Weight,
		}
		if feedback != nil {
			c.feedback = feedback.Score
		}
		for _, remediation := range result.Remediations {
			c.remediations = append(c.remediations, remediation.RemediationID)
		}
		found, share = append(found, c), semantic.Weight/c.legs
	}
	return found, share, nil
}

func shareAt(step int) float64 { return float64(step) / shareSteps }

// ranked are the first remediations of the candidates with a share, in the service's order: of equal scores the lesser signature first.
func ranked(found []candidate, share float64) []string {
	order := slices.Clone(found)
	value := func(c candidate) float64 { return c.legs*((1-share)*c.lexical+share*c.semantic) + c.feedback }
	slices.SortFunc(order, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(value(b), value(a)), cmp.Compare(a.signature, b.signature))
	})
	var first []string
	for _, c := range order[:min(depth, len(order))] {
		first = append(first, c.remediations...)
	}
	return first
}

// best is the share that is best for the sets together, each counting the same; the least of several.
func best(sets []reweighing) int {
	best, bestSum := 0, -1.0
	for i := range shareSteps + 1 {
		var sum float64
		for _, r := range sets {
			sum += r.curve[i]
		}
		if sum > bestSum {
			best, bestSum = i, sum
		}
	}
	return best
}

// leftOut is what a set reaches with the share that is best for the other sets of its model; false if there are none.
func leftOut(r reweighing, all []reweighing) (point, bool) {
	var others []reweighing
	for _, other := range all {
		if other.model == r.model && other.set != r.set {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return point{}, false
	}
	chosen := best(others)
	return point{shareAt(chosen), r.curve[chosen]}, true
}

func printReweighings(out io.Writer, all []reweighing) error {
	if len(all) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "share of the meaning, nDCG@10\tmodel\tas shipped\tbest on the other sets\tbest with hindsight") // Flush tells
	for _, r := range all {
		others := "-"
		if p, ok := leftOut(r, all); ok {
			others = p.String()
		}
		hindsight := best([]reweighing{r})
		_, _ = fmt.Fprintf(table, "%s\t%s\t%v\t%s\t%v\n", r.set, r.model, r.shipped, others, point{shareAt(hindsight), r.curve[hindsight]})
	}
	return table.Flush()
}

func (p point) String() string { return fmt.Sprintf("%.2f %.3f", p.share, p.ndcg) }
