package endtoend_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestSimilar separates recurrences of the same incident from other incidents, in every
// mode, and leaves out the example itself.
func TestSimilar(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, trouble := range overlappingIncidents() {
		createRecord(t, stack, remediationWithError(fmt.Sprint("other-", i), trouble))
	}
	for i := range 4 {
		record := remediationWithError(fmt.Sprint("same-", i), "volume of the database is full, "+fmt.Sprint(10+i)+" bytes left")
		record.StartTime = start.Add(time.Duration(i) * time.Hour)
		record.Status, record.Phase = client.StatusSuccess, client.PhaseCompleted
		createRecord(t, stack, record)
	}
	for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic} {
		found, err := stack.Client.Similar(t.Context(), "same-3", client.FindSimilarParams{Mode: mode, Limit: 2, PerSignature: 5, Explain: true})
		if err != nil {
			t.Fatal(err)
		}
		same := found.Recurrence
		if same == nil || same.Occurrences != 3 || same.SuccessRate.Success != 3 || !same.LastSeen.Equal(start.Add(2*time.Hour)) ||
			!slices.Equal(summaryIDs(same.Remediations), []string{"same-2", "same-1", "same-0"}) {
			t.Errorf("%s: the same incident %+v", mode, same)
		}
		if len(found.Data) != 2 || found.Data[0].Score < found.Data[1].Score || found.Search.Mode != mode {
			t.Errorf("%s: others %+v", mode, found.Data)
		}
		for _, other := range found.Data {
			if other.SignatureID == same.SignatureID || other.Explain == nil {
				t.Errorf("%s: other %+v", mode, other)
			}
		}
	}
}

func summaryIDs(remediations []client.RemediationSummary) []string {
	var all []string
	for _, r := range remediations {
		all = append(all, r.RemediationID)
	}
	return all
}

// TestSimilarUnderFilters counts what the filters match; an incident that happened once has no recurrence.
func TestSimilarUnderFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i := range 30 {
		record := remediationWithError(fmt.Sprint("r-", i), "trouble with "+numberAsLetters(i/3))
		record.Namespace = []string{"a", "b", "c"}[i%3]
		createRecord(t, stack, record)
	}
	similar := func(id string, params client.FindSimilarParams) *client.SimilarResults {
		t.Helper()
		found, err := stack.Client.Similar(t.Context(), id, params)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := similar("r-0", client.FindSimilarParams{Limit: 100}); found.Recurrence.Occurrences != 2 || len(found.Data) != 9 {
		t.Errorf("without a filter: %+v", found)
	}
	if found := similar("r-0", client.FindSimilarParams{Namespace: "a", Limit: 4}); found.Recurrence != nil || len(found.Data) != 4 {
		t.Errorf("in its own namespace: %+v", found)
	}
	found := similar("r-0", client.FindSimilarParams{Namespace: "b", Limit: 4})
	if found.Recurrence.Occurrences != 1 || len(found.Data) != 4 || found.Data[0].Occurrences != 1 {
		t.Errorf("in another namespace: %+v", found)
	}
	if found := similar("r-0", client.FindSimilarParams{Namespace: "nowhere"}); found.Recurrence != nil || len(found.Data) != 0 {
		t.Errorf("nowhere: %+v", found)
	}
	if _, err := stack.Client.Similar(t.Context(), "nobody", client.FindSimilarParams{}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("similar to an unknown remediation: %v", err)
	}
}

// TestSimilarWhileTheProviderIsDown uses the stored vector, and the lexical retriever where there is none.
func TestSimilarWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	// Patient, so that on a busy machine the provider does not time out before the test breaks it.
	stack := endtoend.New(t, endtoend.Options{Env: provider.env()})
	createRecord(t, stack, remediationWithError("a", "disk is full"))
	createRecord(t, stack, remediationWithError("b", "disk is nearly full"))
	wantVectors(t, stack, 2)
	provider.failWith(providerFailures()["refuses the key"])
	found, err := stack.Client.Similar(t.Context(), "a", client.FindSimilarParams{Mode: client.SearchModeSemantic})
	if err != nil || len(found.Data) != 1 || len(found.Search.Degraded) != 0 {
		t.Errorf("with a stored vector: %+v %v", found, err)
	}
	createRecord(t, stack, remediationWithError("c", "disk is full again"))
	if found, err = stack.Client.Similar(t.Context(), "c", client.FindSimilarParams{}); err != nil || len(found.Data) != 2 || len(found.Search.Degraded) != 1 {
		t.Errorf("without a vector: %+v %v", found, err)
	}
	if _, err = stack.Client.Similar(t.Context(), "c", client.FindSimilarParams{Mode: client.SearchModeSemantic}); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("semantic search: %v", err)
	}
}
