package endtoend_test

import (
	"encoding/json"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// batchOutcome is a batch's result for one record.
type batchOutcome struct {
	Status int
	ID     string
	Errors []fieldError
}

// mixedRecord is a record of a batch with its expected outcome.
type mixedRecord struct {
	json string
	want batchOutcome
}

// validAmongInvalid returns valid records among every kind of invalid one. known is stored already.
func validAmongInvalid(t *testing.T) []mixedRecord {
	t.Helper()
	return []mixedRecord{
		{withMembers(recordMembers(), "remediation_id", `"one"`), batchOutcome{201, "one", nil}},
		{
			withMembers(recordMembers(), "remediation_id", `"two"`, "name", "1", "surplus", "1"),
			batchOutcome{400, "two", fieldErrors("records[1].name", "type", "records[1].surplus", "unknown_field")},
		},
		{quoteRecord(t, minimalRecord("known")), batchOutcome{200, "known", nil}},
		{withMembers(recordMembers(), "remediation_id", `"known"`), batchOutcome{409, "known", nil}},
		{"null", batchOutcome{400, "", fieldErrors("records[4]", "type")}},
		{`"text"`, batchOutcome{400, "", fieldErrors("records[5]", "type")}},
		{withMembers(recordMembers(), "remediation_id", `"one"`), batchOutcome{200, "one", nil}},
		{withMembers(recordMembers(), "remediation_id", `"one"`, "namespace", `"other"`), batchOutcome{409, "one", nil}},
		{
			withMembers(recordMembers(), "remediation_id", `"<"`, "metadata", `{"a":[]}`),
			batchOutcome{400, "<", fieldErrors("records[8].remediation_id", "characters")},
		},
		{"{}", batchOutcome{400, "", fieldErrors(
			"records[9].remediation_id", "required", "records[9].name", "required", "records[9].namespace", "required",
			"records[9].action_type", "required",
			"records[9].phase", "required", "records[9].status", "required", "records[9].start_time", "required")}},
		{withMembers(recordMembers(), "remediation_id", `"last"`), batchOutcome{201, "last", nil}},
	}
}

// TestBatch mixes valid records with every kind of invalid one: the valid records are
// stored, and each of the others gets its problem.
func TestBatch(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, minimalRecord("known"))
	var want []batchOutcome
	var raw []json.RawMessage
	for _, one := range validAmongInvalid(t) {
		raw = append(raw, json.RawMessage(one.json))
		want = append(want, one.want)
	}
	body := struct {
		Records []json.RawMessage `json:"records"`
	}{raw}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	response, content := postBody(t, stack, "/v1/remediations/batch", string(text))
	var results client.BatchResults
	if err := json.Unmarshal([]byte(content), &results); err != nil || response.StatusCode != 200 {
		t.Fatalf("%d %s", response.StatusCode, content)
	}
	leaksNothing(t, content)
	var got []batchOutcome
	for i, result := range results.Results {
		if result.Index != i {
			t.Errorf("result %d has index %d", i, result.Index)
		}
		got = append(got, outcomeOfResult(t, result))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := countJournal(stack); n != 3 {
		t.Errorf("%d journal entries, want those of known, one and last", n)
	}
	first, again := results.Results[0], results.Results[6]
	if first.ID != again.ID || first.EventID != again.EventID || first.LeafHash != again.LeafHash {
		t.Errorf("the same twice in a batch: %+v and %+v", first, again)
	}
}

func quoteRecord(t *testing.T, record client.RemediationInput) string {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// outcomeOfResult returns the outcome of a result, and checks that it has either all parts of a receipt or a problem.
func outcomeOfResult(t *testing.T, result client.BatchResult) batchOutcome {
	t.Helper()
	stored := result.ID > 0 && result.EventID != "" && len(result.LeafHash) == 64 && result.Embedding != ""
	if failed := result.Err(); stored == (failed != nil) {
		t.Errorf("%+v is neither stored nor refused, or both", result)
	}
	one := batchOutcome{Status: result.Status, ID: result.RemediationID}
	if result.Problem == nil {
		return one
	}
	if result.Problem.Status != result.Status || result.Problem.Type == "" || result.Problem.Title == "" {
		t.Errorf("problem %+v", result.Problem)
	}
	for _, named := range result.Problem.Errors {
		one.Errors = append(one.Errors, fieldError{named.Field, named.Code})
	}
	return one
}

// TestLargeBatch stores 500 records in one request, twice.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	list := manyRecords(client.MaxBatch, numberedRecord)
	createAll(t, stack, list)
	before := tableContents(t, stack)
	results, err := stack.Client.CreateRemediations(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		if !result.Replayed() {
			t.Errorf("record %d: %d %v", result.Index, result.Status, result.Err())
		}
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Error(diff)
	}
}

// TestBatchOfOnlyBadRecords checks that nothing is stored and that each record gets its problem.
func TestBatchOfOnlyBadRecords(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	before := tableContents(t, stack)
	response, content := postBody(t, stack, "/v1/remediations/batch", `{"records":[`+withMembers(recordMembers(), "phase", `"done"`)+`,{}]}`)
	var results client.BatchResults
	if err := json.Unmarshal([]byte(content), &results); err != nil || response.StatusCode != 200 || len(results.Results) != 2 {
		t.Fatalf("%d %s", response.StatusCode, content)
	}
	for _, result := range results.Results {
		if result.Status != 400 {
			t.Errorf("record %d: %d", result.Index, result.Status)
		}
	}
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Error(diff)
	}
}
