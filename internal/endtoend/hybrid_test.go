package endtoend_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// overlappingIncidents are error messages that share some of their words.
func overlappingIncidents() []string {
	return []string{
		"container was OOMKilled while sorting", "PVC is almost full", "pod is in CrashLoopBackOff", "certificate of the ingress has expired",
		"pod cannot be scheduled, no node has memory left", "connection to the database was refused", "disk of the node is full",
		"database is locked by a migration", "image of the pod cannot be pulled", "node is not ready",
	}
}

// TestHybridFindsOtherWords searches with words other than the stored ones:
// abbreviations, compounds, inflected forms.
func TestHybridFindsOtherWords(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range overlappingIncidents() {
		createRecord(t, stack, remediationWithError(fmt.Sprint(i), trouble))
	}
	for query, want := range map[string]string{
		"out of memory kill": "0", "persistent volume claim filling": "1", "crash looping, back off": "2", "expired certificates": "3",
		"databases refusing connections": "5",
	} {
		for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical} {
			found := searchIncidents(t, stack, client.SearchInput{Query: query, Mode: &mode})
			if len(found) == 0 || found[0].Remediations[0].RemediationID != want {
				t.Errorf("%s %q: %+v", mode, query, found)
			}
		}
	}
}

// explaining maps the filter names that an explanation must list to the filters, which match every incident.
func explaining() map[string]client.SearchFilters {
	return map[string]client.SearchFilters{
		"":          {},
		"namespace": {Namespace: new("shop,other")},
		"name phase severity environment since until": {
			Name: new("KubePodCrashLooping"), Phase: new("pending,failed"), Severity: new("unknown"), Environment: new("test"),
			Since: new("2020-01-01T00:00:00Z"), Until: new("9999-01-01T00:00:00Z"),
		},
	}
}

// TestHybridExplains sums the explanation of every result in every mode, including search by example: the terms
// add up to the raw lexical score, the retrievers to the score. The explanation names the model and the
// filters, and each retriever's ranks are those of that retriever alone.
func TestHybridExplains(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range overlappingIncidents() {
		record := remediationWithError(fmt.Sprint(i), trouble)
		record.Environment = new(client.EnvironmentTest)
		createRecord(t, stack, record)
	}
	for filters, filter := range explaining() {
		alone := map[client.Retriever]map[string]int{}
		for _, mode := range []client.SearchMode{client.SearchModeLexical, client.SearchModeSemantic, client.SearchModeHybrid} {
			found, err := stack.Client.Search(t.Context(), client.SearchInput{
				Query: "database of the pod is full", Mode: &mode, Explain: new(true), Filters: &filter,
			})
			if err != nil {
				t.Fatal(err)
			}
			checkExplanations(t, found.Search, found.Data, strings.Fields(filters))
			checkRetrieverRanks(t, alone, mode, found.Data)
			similar, err := stack.Client.Similar(t.Context(), "0", client.FindSimilarParams{
				Mode: mode, Explain: true, Namespace: valueOrEmpty(filter.Namespace), Name: valueOrEmpty(filter.Name), Phase: valueOrEmpty(filter.Phase),
				Severity: valueOrEmpty(filter.Severity), Environment: valueOrEmpty(filter.Environment), Since: valueOrEmpty(filter.Since), Until: valueOrEmpty(filter.Until),
			})
			if err != nil {
				t.Fatal(err)
			}
			checkExplanations(t, similar.Search, similar.Data, strings.Fields(filters))
		}
	}
}

// TestFeedback compares the feedback scores of a search with a semantic search by example, where the example is
// the result with the best sum of both retrievers.
func TestFeedback(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range overlappingIncidents() {
		createRecord(t, stack, remediationWithError(fmt.Sprint(i), trouble))
	}
	found := searchIncidents(t, stack, client.SearchInput{Query: "database of the pod is full", Explain: new(true)})
	best := slices.MaxFunc(found, func(a, b client.SearchResult) int {
		return cmp.Compare(a.Explain.Lexical.Score+a.Explain.Semantic.Score, b.Explain.Lexical.Score+b.Explain.Semantic.Score)
	})
	similar, err := stack.Client.Similar(t.Context(), best.Remediations[0].RemediationID, client.FindSimilarParams{
		Mode: client.SearchModeSemantic, Explain: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{best.SignatureID: 1}
	for _, result := range similar.Data {
		want[result.SignatureID] = result.Explain.Semantic.Raw
	}
	for _, result := range found {
		// Vectors are stored with half precision, which has eleven bits.
		if got := result.Explain.Feedback.Raw; math.Abs(got-want[result.SignatureID]) > 2e-3 {
			t.Errorf("%s: feedback %v, similarity by example %v", result.Text, got, want[result.SignatureID])
		}
	}
	if len(found) < 8 || len(want) < len(found) {
		t.Errorf("%d found, %d by example", len(found), len(want))
	}
}

func valueOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestDegradedSearchExplains sends a hybrid search while the provider is down: the lexical retriever has the
// full weight, and the explanation says so.
func TestDegradedSearchExplains(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	for i, trouble := range overlappingIncidents() {
		createRecord(t, stack, remediationWithError(fmt.Sprint(i), trouble))
	}
	provider.failWith(providerFailures()["refuses the key"])
	found, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "database is full", Explain: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	want := client.SearchInfo{Mode: client.SearchModeHybrid, Degraded: []client.Retriever{client.RetrieverSemantic}}
	if diff := gocmp.Diff(want, found.Search); diff != "" {
		t.Errorf("search (-want +got):\n%s", diff)
	}
	checkExplanations(t, found.Search, found.Data, nil)
	byWords := searchIncidents(t, stack, client.SearchInput{Query: "database is full", Mode: new(client.SearchModeLexical), Explain: new(true)})
	if diff := gocmp.Diff(byWords, found.Data); diff != "" {
		t.Errorf("lexical and degraded results (-lexical +degraded):\n%s", diff)
	}
}

// checkRetrieverRanks compares the ranks that a hybrid search explains with those of each retriever alone.
func checkRetrieverRanks(t *testing.T, alone map[client.Retriever]map[string]int, mode client.SearchMode, found []client.SearchResult) {
	t.Helper()
	if mode != client.SearchModeHybrid {
		ranks := map[string]int{}
		for i, result := range found {
			ranks[result.SignatureID] = i + 1
		}
		alone[client.Retriever(mode)] = ranks
	}
	for _, result := range found {
		for retriever, explained := range map[client.Retriever]*client.Contribution{
			client.RetrieverLexical: result.Explain.Lexical, client.RetrieverSemantic: result.Explain.Semantic,
		} {
			got := 0
			if explained != nil && explained.Rank != nil {
				got = *explained.Rank
			}
			if want := alone[retriever][result.SignatureID]; explained != nil && got != want {
				t.Errorf("%s: rank %d of the %s retriever, %d when it is alone: %s", mode, got, retriever, want, result.Text)
			}
		}
	}
}

func checkExplanations(t *testing.T, how client.SearchInfo, found []client.SearchResult, filters []string) {
	t.Helper()
	if len(found) < 3 {
		t.Errorf("%s: only %d found", how.Mode, len(found))
	}
	if !slices.IsSortedFunc(found, func(a, b client.SearchResult) int { return cmp.Compare(b.Score, a.Score) }) {
		t.Errorf("%s: not best first", how.Mode)
	}
	for _, result := range found {
		explain := result.Explain
		if (explain.Lexical != nil) != (how.Mode != client.SearchModeSemantic) || (explain.Semantic != nil) != (how.Model != "") ||
			(how.Model == "") != (how.Mode == client.SearchModeLexical || len(how.Degraded) > 0) ||
			(explain.Feedback != nil) != (how.Mode == client.SearchModeHybrid && how.Model != "") {
			t.Errorf("%+v explains the retrievers %+v", how, explain)
		}
		scoresAddUp(t, how, result)
		checkTermScores(t, result)
		if diff := gocmp.Diff(filters, explain.Filters, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("filters (-want +got):\n%s", diff)
		}
	}
}

func scoresAddUp(t *testing.T, how client.SearchInfo, result client.SearchResult) {
	t.Helper()
	var sum, weights float64
	for _, retriever := range []*client.Contribution{result.Explain.Lexical, result.Explain.Semantic, result.Explain.Feedback} {
		if retriever == nil {
			continue
		}
		sum += retriever.Score
		weights += retriever.Weight
		model := ""
		if retriever != result.Explain.Lexical {
			model = how.Model
		}
		if !almostEqual(retriever.Score, retriever.Weight*retriever.Normalized) || (retriever.Rank != nil) != (retriever.Normalized > 0) || valueOrEmpty(retriever.Model) != model {
			t.Errorf("%+v: retriever %+v", how, retriever)
		}
	}
	if !almostEqual(sum, result.Score) || !almostEqual(weights, 1) {
		t.Errorf("%+v: the retrievers add up to %v with weights of %v, the score is %v", how, sum, weights, result.Score)
	}
}

// checkTermScores checks that the terms add up to the raw score, and that their spans point to them in the text.
func checkTermScores(t *testing.T, result client.SearchResult) {
	t.Helper()
	retriever := result.Explain.Lexical
	if retriever == nil {
		return
	}
	var raw float64
	for _, term := range retriever.Terms {
		raw += term.Score
		for _, span := range term.Spans {
			first, _, _ := strings.Cut(term.Term, " ")
			if got := strings.ToLower(string([]rune(result.Text)[span.Start:span.End])); !strings.HasPrefix(got, first[:2]) {
				t.Errorf("the span of %q has %q in %q", term.Term, got, result.Text)
			}
		}
		if len(term.Spans) == 0 {
			t.Errorf("%q has no span in %q", term.Term, result.Text)
		}
	}
	if !almostEqual(raw, retriever.Raw) {
		t.Errorf("the terms %+v add up to %v, not %v", retriever.Terms, raw, retriever.Raw)
	}
}

func almostEqual(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestHybridIsNotStarvedByFilters searches with filters that match few of many
// signatures, none of them near: all that match are returned.
func TestHybridIsNotStarvedByFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(400, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprint("r-", i), "trouble with "+numberAsLetters(i))
		record.Namespace = "crowd"
		if i%50 == 0 {
			record.Namespace = "rare"
		}
		return record
	}))
	for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic} {
		for namespace, want := range map[string]int{"rare": 8, "crowd": 10, "none": 0} {
			found := searchIncidents(t, stack, client.SearchInput{
				Query: "trouble with " + numberAsLetters(3), Mode: &mode, Filters: &client.SearchFilters{Namespace: &namespace},
			})
			if len(found) != want {
				t.Errorf("%s in %s: found %d, want %d", mode, namespace, len(found), want)
			}
		}
	}
}
