package endtoend_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// troubles are incidents that share words with each other in several ways.
func troubles() []string {
	return []string{
		"container was OOMKilled while sorting", "PVC is almost full", "pod is in CrashLoopBackOff", "certificate of the ingress has expired",
		"pod cannot be scheduled, no node has memory left", "connection to the database was refused", "disk of the node is full",
		"database is locked by a migration", "image of the pod cannot be pulled", "node is not ready",
	}
}

// TestHybridFindsOtherWords asks in other words than those that were stored: abbreviations, compounds, other forms of a word.
func TestHybridFindsOtherWords(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range troubles() {
		create(t, stack, incident(fmt.Sprint(i), trouble))
	}
	for query, want := range map[string]string{
		"out of memory kill": "0", "persistent volume claim filling": "1", "crash looping, back off": "2", "expired certificates": "3",
		"databases refusing connections": "5",
	} {
		for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical} {
			found := search(t, stack, client.SearchInput{Query: query, Mode: &mode})
			if len(found) == 0 || found[0].Remediations[0].RemediationID != want {
				t.Errorf("%s %q: %+v", mode, query, found)
			}
		}
	}
}

// TestHybridExplains adds the parts up, for every result of every mode: terms to the raw score of the words, legs to the score.
func TestHybridExplains(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range troubles() {
		create(t, stack, incident(fmt.Sprint(i), trouble))
	}
	for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic} {
		found := search(t, stack, client.SearchInput{
			Query: "database of the pod is full", Mode: &mode, Explain: pointer(true), Filters: &client.SearchFilters{Namespace: pointer("shop")},
		})
		if len(found) < 3 {
			t.Errorf("%s: only %d found", mode, len(found))
		}
		ordered := slices.IsSortedFunc(found, func(a, b client.SearchResult) int { return cmp.Compare(b.Score, a.Score) })
		if !ordered {
			t.Errorf("%s: not best first", mode)
		}
		for _, result := range found {
			explainsItself(t, mode, result)
		}
	}
}

func explainsItself(t *testing.T, mode client.SearchMode, result client.SearchResult) {
	t.Helper()
	explain := result.Explain
	if (explain.Lexical != nil) != (mode != client.SearchModeSemantic) || (explain.Semantic != nil) != (mode != client.SearchModeLexical) {
		t.Errorf("%s explains the legs %+v", mode, explain)
	}
	var sum, weights float64
	for _, leg := range []*client.ExplainLeg{explain.Lexical, explain.Semantic} {
		if leg == nil {
			continue
		}
		sum += leg.Score
		weights += leg.Weight
		if !near(leg.Score, leg.Weight*leg.Normalized) || leg.Rank == nil && leg.Normalized > 0 {
			t.Errorf("%s: leg %+v", mode, leg)
		}
	}
	if !near(sum, result.Score) || !near(weights, 1) {
		t.Errorf("%s: the legs add up to %v with weights of %v, the score is %v", mode, sum, weights, result.Score)
	}
	if leg := explain.Lexical; leg != nil {
		var raw float64
		for _, term := range leg.Terms {
			raw += term.Score
		}
		if !near(raw, leg.Raw) {
			t.Errorf("%s: the terms %+v add up to %v, not %v", mode, leg.Terms, raw, leg.Raw)
		}
	}
	if diff := gocmp.Diff([]string{"namespace"}, explain.Filters); diff != "" {
		t.Error(diff)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestHybridIsNotStarvedByFilters asks under filters that leave few of many signatures, none of them near: as many come as match.
func TestHybridIsNotStarvedByFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, many(400, func(i int) client.RemediationInput {
		record := incident(fmt.Sprint("r-", i), "trouble with "+letters(i))
		record.Namespace = "crowd"
		if i%50 == 0 {
			record.Namespace = "rare"
		}
		return record
	}))
	for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic} {
		for namespace, want := range map[string]int{"rare": 8, "crowd": 10, "none": 0} {
			found := search(t, stack, client.SearchInput{
				Query: "trouble with " + letters(3), Mode: &mode, Filters: &client.SearchFilters{Namespace: &namespace},
			})
			if len(found) != want {
				t.Errorf("%s in %s: found %d, want %d", mode, namespace, len(found), want)
			}
		}
	}
}
