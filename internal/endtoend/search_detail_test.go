package endtoend_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// largeID is an id of 100 bytes.
func largeID(i int) string { return fmt.Sprintf("r-%03d-%s", i, strings.Repeat("x", 94)) }

// createLargeIncidents creates five incidents with long texts, ids and workflows, each of which was
// fixed by one of eight actions.
func createLargeIncidents(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	createAll(t, stack, manyRecords(5*24, func(i int) client.RemediationInput {
		incident, action := i%5, i/5%8
		message := "disk is full on the node " + numberAsLetters(incident) + ": " + strings.Repeat("容器 cannot write <to> \"/var/log\" & waits\n", 200)
		record := remediationWithError(largeID(i), message)
		record.ActionType, record.Status = "clean_up_the_node_and_"+numberAsLetters(action), client.StatusSuccess
		if i%7 == 0 {
			record.Status = client.StatusFailure
		}
		record.StartTime = start.Add(time.Duration(i) * time.Minute).Add(123456 * time.Microsecond)
		record.WorkflowYAML = new("run: " + strings.Repeat("x", 30<<10))
		return record
	}))
}

// TestSearchDetail checks what each detail returns of the same incidents, and that the short form of
// five is at most 4 kB, however long what is stored is.
func TestSearchDetail(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createLargeIncidents(t, stack)
	for name, request := range map[string]func(detail string) bad{
		"search": func(detail string) bad {
			return bad{method: "POST", path: "/v1/search", body: `{"query":"disk is full on the node","limit":5` + detail + `}`}
		},
		"similar": func(detail string) bad {
			return bad{method: "GET", path: "/v1/remediations/" + largeID(0) + "/similar", query: "limit=5" + detail}
		},
	} {
		parameter := map[string]string{"search": `,"detail":"%s"`, "similar": "&detail=%s"}[name]
		read := func(detail string) ([]client.SearchResult, int) {
			_, body := request(detail).send(t, stack)
			return decodeResults(t, body), len(body)
		}
		normal, _ := read("")
		full, _ := read(fmt.Sprintf(parameter, "full"))
		short, size := read(fmt.Sprintf(parameter, "short"))
		if size > 4_000 || len(short) != 5 {
			t.Errorf("%s: the short form of %d incidents has %d bytes", name, len(short), size)
		}
		t.Logf("%s: %d bytes for five", name, size)
		for i := range normal {
			checkDetails(t, normal[i], full[i], short[i])
		}
	}
}

// decodeResults returns all incidents of a response, its recurrence first.
func decodeResults(t *testing.T, body []byte) []client.SearchResult {
	t.Helper()
	var results client.SimilarResults
	if err := json.Unmarshal(body, &results); err != nil {
		t.Fatal(err)
	}
	if results.Recurrence != nil {
		return append([]client.SearchResult{*results.Recurrence}, results.Data...)
	}
	return results.Data
}

// checkDetails compares the details of one incident.
func checkDetails(t *testing.T, normal, full, short client.SearchResult) {
	t.Helper()
	if full.LastSuccess.WorkflowYAML == nil || len(*full.LastSuccess.WorkflowYAML) != 30<<10+5 || normal.LastSuccess.WorkflowYAML != nil {
		t.Error("the workflow is not in the full form alone")
	}
	full.LastSuccess.WorkflowYAML = nil
	if diff := gocmp.Diff(normal, full); diff != "" {
		t.Errorf("the full form differs by more than the workflow (-normal +full):\n%s", diff)
	}
	if short.SignatureIds != nil || short.Remediations != nil || !short.FirstSeen.IsZero() || len(short.Actions) != 1 {
		t.Errorf("the short form is %+v", short)
	}
	if start, cut := strings.CutSuffix(short.Text, "…"); !cut || !strings.HasPrefix(strings.Join(strings.Fields(normal.Text), " "), start) {
		t.Errorf("the short text is %q", short.Text)
	}
	want := normal
	want.Text, want.SignatureIds, want.Remediations, want.FirstSeen, want.Actions = short.Text, nil, nil, time.Time{}, want.Actions[:1]
	if diff := gocmp.Diff(want, short, cmpopts.EquateApprox(0, 5e-5)); diff != "" {
		t.Errorf("the short form differs from the normal one (-normal +short):\n%s", diff)
	}
}
