package endtoend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// journaled is the decoded canonical JSON of an entry.
type journaled struct {
	Actor      string `json:"actor"`
	EventID    string `json:"event_id"`
	RecordedAt string `json:"recorded_at"`
	Content    struct {
		Kind          string            `json:"kind"`
		RemediationID string            `json:"remediation_id"`
		Record        map[string]any    `json:"record"`
		ExactNumbers  map[string]string `json:"exact_numbers"`
	} `json:"content"`
}

// TestHistory audits the journal of a remediation and its children: it recomputes the leaf hashes, compares the
// canonical JSON with that of another implementation of RFC 8785, and compares the content with what was sent.
func TestHistory(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	receipts := []client.Receipt{createRecord(t, stack, fullRecord("r")).Receipt}
	createRecord(t, stack, fullRecord("other"))
	analysis, err1 := stack.Client.CreateAIAnalysis(t.Context(), "r", fullAnalysis("a"))
	workflow, err2 := stack.Client.CreateWorkflow(t.Context(), "r", fullWorkflow("w"))
	execution, err3 := stack.Client.CreateExecution(t.Context(), "r", fullExecution("e"))
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	receipts = append(receipts, analysis.Receipt, workflow.Receipt, execution.Receipt)
	update := client.RemediationUpdate{Phase: new(client.PhaseFailed), ErrorMessage: client.Null[string](), Metadata: client.Metadata(`{"x":1}`)}
	if _, err := stack.Client.UpdateRemediation(t.Context(), "r", update); err != nil {
		t.Fatal(err)
	}
	history, err := stack.Client.History(t.Context(), "r", client.GetHistoryParams{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []client.EntryKind
	for i, entry := range history.Data {
		kinds = append(kinds, entry.Kind)
		decoded := canonical(t, entry)
		if decoded.Content.RemediationID != "r" {
			t.Errorf("entry %d has the remediation %s", i, decoded.Content.RemediationID)
		}
		if i < len(receipts) && (entry.EventID != receipts[i].EventID || entry.LeafHash != receipts[i].LeafHash || !entry.RecordedAt.Equal(receipts[i].CreatedAt)) {
			t.Errorf("entry %d is %+v, its receipt was %+v", i, entry, receipts[i])
		}
	}
	if diff := gocmp.Diff([]client.EntryKind{"remediation", "ai_analysis", "workflow", "execution", "update"}, kinds); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSortedFunc(history.Data, func(a, b client.HistoryEntry) int { return a.RecordedAt.Compare(b.RecordedAt) }) {
		t.Error("not oldest first")
	}
	last := canonical(t, history.Data[4]).Content
	if diff := gocmp.Diff(map[string]any{"phase": "failed", "error_message": nil, "metadata": map[string]any{"x": 1.0}}, last.Record); diff != "" {
		t.Errorf("the journaled update (-sent +got):\n%s", diff)
	}
	if first := canonical(t, history.Data[0]).Content; first.ExactNumbers["/metadata/big"] != "1700000000123456789" || first.Record["name"] != fullRecord("r").Name {
		t.Errorf("the first entry has the content %+v", first)
	}
}

// canonical checks one entry.
func canonical(t *testing.T, entry client.HistoryEntry) journaled {
	t.Helper()
	sum := sha256.Sum256(append([]byte{0}, entry.Canonical...))
	if got := hex.EncodeToString(sum[:]); got != entry.LeafHash {
		t.Errorf("leaf hash %s, recomputed %s", entry.LeafHash, got)
	}
	if err := entry.Verify(); err != nil {
		t.Error(err)
	}
	again, err := jcs.Transform([]byte(entry.Canonical))
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(again), entry.Canonical); diff != "" {
		t.Errorf("not RFC 8785 (-canonical +kept):\n%s", diff)
	}
	var decoded journaled
	if err := json.Unmarshal([]byte(entry.Canonical), &decoded); err != nil {
		t.Fatal(err)
	}
	recorded := entry.RecordedAt.Format("2006-01-02T15:04:05.000000Z")
	if decoded.Actor != entry.Actor || decoded.EventID != entry.EventID || decoded.RecordedAt != recorded || decoded.Content.Kind != string(entry.Kind) {
		t.Errorf("the canonical text has %+v, the entry %+v", decoded, entry)
	}
	return decoded
}

// TestHistoryPages reads a long journal, page by page and by the iterator, and sees every entry once and in order.
func TestHistoryPages(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, minimalRecord("r"))
	want := []string{"remediation"}
	for i := range 60 {
		id := fmt.Sprintf("a%02d", i)
		if _, err := stack.Client.CreateAIAnalysis(t.Context(), "r", minimalAnalysis(id)); err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	// A page ends early when its entries are large.
	large := client.RemediationUpdate{WorkflowYAML: client.Set(strings.Repeat("x", 256<<10))}
	if _, err := stack.Client.UpdateRemediation(t.Context(), "r", large); err != nil {
		t.Fatal(err)
	}
	want = append(want, "update")
	for _, limit := range []int{1, 7, 61, 62, 1000} {
		var got []string
		for entry, err := range stack.Client.AllHistory(t.Context(), "r", client.GetHistoryParams{Limit: limit}) {
			if err != nil {
				t.Fatal(err)
			}
			name := string(entry.Kind)
			if id, ok := canonical(t, entry).Content.Record["analysis_id"].(string); ok {
				name = id
			}
			got = append(got, name)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("in pages of %d:\n%s", limit, diff)
		}
	}
}
