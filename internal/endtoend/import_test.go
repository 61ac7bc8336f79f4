package endtoend_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
)

// sampleRecords is the number of sample records that come with the product.
const sampleRecords = 60

// TestImport imports the sample records: each is stored once, a recurring incident costs one vector, and every
// field is returned as it was sent.
func TestImport(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	samples := readLines(t, local.Samples)
	if len(samples) != sampleRecords {
		t.Fatalf("%d samples, want %d", len(samples), sampleRecords)
	}
	for i, result := range importAll(t, stack, samples, 25) {
		if result.Status != http.StatusCreated || result.Embedding != client.EmbeddingStateStored {
			t.Errorf("sample %d: %d, embedding %q, %v", i, result.Status, result.Embedding, result.Err())
		}
	}
	incidents := countIncidents(t, samples)
	got := map[string]int{}
	for name, sql := range map[string]string{
		"remediations":       "SELECT count(*) FROM remediation_audit",
		"journal entries":    "SELECT count(*) FROM audit_event",
		"entries of records": "SELECT count(*) FROM audit_event AS e JOIN remediation_audit AS r USING (event_id, remediation_id)",
		"signatures":         "SELECT count(*) FROM signature",
		"vectors":            "SELECT count(*) FROM embedding",
		"embedded":           "SELECT count(DISTINCT s.id) FROM signature AS s JOIN embedding AS e ON e.signature_id = s.id",
	} {
		got[name] = queryValue[int](t, stack.Database.ReaderURL(), sql)
	}
	want := map[string]int{
		"remediations": sampleRecords, "journal entries": sampleRecords, "entries of records": sampleRecords,
		"signatures": incidents, "vectors": incidents, "embedded": incidents,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for _, sample := range samples {
		readsBack(t, stack, sample)
	}
}

// TestImportAgain imports the same records again in other batches, the last first: every response is that of
// the first import, and no row of any table changes.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	samples := readLines(t, local.Samples)
	first := importAll(t, stack, samples, 25)
	before := tableContents(t, stack)
	slices.Reverse(samples)
	again := importAll(t, stack, samples, 7)
	slices.Reverse(again)
	for i, result := range again {
		if !result.Replayed() {
			t.Errorf("sample %d: %d %v", i, result.Status, result.Err())
		}
		// The index in the batch and the status are this request's; everything else is from the first response.
		again[i].Index, again[i].Status = first[i].Index, first[i].Status
	}
	if diff := gocmp.Diff(first, again); diff != "" {
		t.Errorf("responses (-first +again):\n%s", diff)
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Errorf("the database changed (-before +after):\n%s", diff)
	}
}

// readLines reads one JSON value per line.
func readLines(t *testing.T, text []byte) []json.RawMessage {
	t.Helper()
	var lines []json.RawMessage
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// countIncidents counts the incidents of the samples without normalizing texts: records of one incident have
// the same alert, action and workflow, and differ only in pods, nodes, addresses and figures.
func countIncidents(t *testing.T, samples []json.RawMessage) int {
	t.Helper()
	type kind struct {
		name, action any
		planned      bool
	}
	distinct := map[kind]bool{}
	for _, sample := range samples {
		members := jsonMembers(t, sample)
		distinct[kind{members["name"], members["action_type"], members["workflow_yaml"] != nil}] = true
	}
	return len(distinct)
}

// importAll sends records unchanged, size per request, and returns the outcome of each.
func importAll(t *testing.T, stack *endtoend.Stack, records []json.RawMessage, batch int) []client.BatchResult {
	t.Helper()
	var all []client.BatchResult
	for part := range slices.Chunk(records, batch) {
		results, err := stack.Client.CreateRemediationsJSON(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, results...)
	}
	return all
}

// readsBack compares the JSON that the service returns with what was sent: every field that was sent, and
// otherwise only those that the service adds.
func readsBack(t *testing.T, stack *endtoend.Stack, sent json.RawMessage) {
	t.Helper()
	want := jsonMembers(t, sent)
	id, _ := want["remediation_id"].(string)
	got := jsonMembers(t, fetchBody(t, stack, "/v1/remediations/"+url.PathEscape(id)))
	for _, added := range []string{
		"id", "actor", "created_at", "updated_at", "signature_id", "duration_ms", "ai_analyses", "workflows", "executions",
	} {
		if _, ok := got[added]; !ok {
			t.Errorf("%s has no %s", id, added)
		}
		delete(got, added)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-sent +got), members %v:\n%s", id, slices.Sorted(maps.Keys(got)), diff)
	}
}

// jsonMembers returns the members of a JSON object, with numbers as written.
func jsonMembers(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return object
}

// fetchBody returns the body of a response unchanged.
func fetchBody(t *testing.T, stack *endtoend.Stack, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return body
}
