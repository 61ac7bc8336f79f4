package endtoend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestIncidentEvents checks each field of the view: a pod's name only where the target is
// a pod, and exactly the vector of the signature.
func TestIncidentEvents(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	record := fullRecord("r")
	record.TargetResource = new("Pod/shop/api-1")
	written := createRecord(t, stack, record)
	node := minimalRecord("node")
	node.TargetResource = new("node/n1")
	createRecord(t, stack, node)
	page, err := stack.Client.IncidentEvents(t.Context(), client.ListIncidentEventsParams{Namespace: record.Namespace})
	if err != nil || len(page.Data) != 1 {
		t.Fatal(page, err)
	}
	want := client.IncidentEvent{
		ID: written.ID, RemediationID: "r", AlertName: record.Name, Namespace: record.Namespace, PodName: "shop/api-1", WorkflowStatus: record.Status,
		WorkflowYAML: record.WorkflowYAML, ErrorMessage: record.ErrorMessage, CreatedAt: written.CreatedAt, UpdatedAt: written.CreatedAt,
	}
	if diff := gocmp.Diff(want, page.Data[0], cmpopts.IgnoreFields(client.IncidentEvent{}, "EmbeddingVector")); diff != "" {
		t.Error(diff)
	}
	stored := queryValue[[]float32](t, stack.Database.ReaderURL(), `SELECT e.vector::vector::real[] FROM embedding AS e
		JOIN remediation_audit AS r USING (signature_id) WHERE r.remediation_id = 'r'`)
	if !slices.Equal(stored, page.Data[0].EmbeddingVector) || len(stored) == 0 {
		t.Errorf("a vector of %d numbers, want the stored one of %d", len(page.Data[0].EmbeddingVector), len(stored))
	}
	// A reader that uses only SQL gets the vector as text.
	text := queryValue[string](t, stack.Database.ReaderURL(), "SELECT embedding_vector::text FROM incident_events WHERE remediation_id = 'r'")
	var read []float32
	if err := json.Unmarshal([]byte(text), &read); err != nil || !slices.Equal(read, stored) {
		t.Errorf("%v: the text %.60s… is not the stored vector", err, text)
	}
	all, err := stack.Client.IncidentEvents(t.Context(), client.ListIncidentEventsParams{})
	if err != nil || len(all.Data) != 2 || all.Data[0].RemediationID != "node" || all.Data[0].PodName != "" {
		t.Errorf("newest first: %+v %v", all, err)
	}
}

// eventCase is a filter of the view and what it must match.
type eventCase struct {
	params client.ListIncidentEventsParams
	match  func(client.IncidentEvent) bool
}

// eventCases are every filter with one and with several values, and combinations.
func eventCases(middle time.Time) []eventCase {
	type event = client.IncidentEvent
	type params = client.ListIncidentEventsParams
	in := func(value string, list string) bool { return slices.Contains(strings.Split(list, ","), value) }
	return []eventCase{
		{params{AlertName: "قرص ممتلئ"}, func(e event) bool { return e.AlertName == "قرص ممتلئ" }},
		{params{AlertName: "Disk 💾,磁盘已满"}, func(e event) bool { return in(e.AlertName, "Disk 💾,磁盘已满") }},
		{params{Namespace: "shop"}, func(e event) bool { return e.Namespace == "shop" }},
		{
			params{WorkflowStatus: "success,failure"},
			func(e event) bool { return in(string(e.WorkflowStatus), "success,failure") },
		},
		{
			params{Since: middle.Format(time.RFC3339Nano)},
			func(e event) bool { return !e.CreatedAt.Before(middle) },
		},
		{
			params{Until: middle.Format(time.RFC3339Nano)},
			func(e event) bool { return e.CreatedAt.Before(middle) },
		},
		{params{Since: "1h", Until: "30m"}, func(event) bool { return false }},
		{
			params{Namespace: "shop,支付", WorkflowStatus: "running", AlertName: "KubePodCrashLooping", Since: "1h"},
			func(e event) bool {
				return in(e.Namespace, "shop,支付") && e.WorkflowStatus == "running" && e.AlertName == "KubePodCrashLooping"
			},
		},
	}
}

// TestIncidentEventFilters compares each filter of the view with a loop over all records, and reads all its pages.
func TestIncidentEventFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{Env: map[string]string{"DATASTORAGE_EMBEDDING_DIMENSIONS": "64"}})
	createAll(t, stack, manyRecords(100, numberedRecord))
	middle := time.Now()
	createAll(t, stack, manyRecords(200, func(i int) client.RemediationInput { return numberedRecord(100 + i) }))
	var all []client.IncidentEvent
	for event, err := range stack.Client.AllIncidentEvents(t.Context(), client.ListIncidentEventsParams{Limit: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, event)
	}
	if len(all) != 300 {
		t.Fatalf("%d events, want 300", len(all))
	}
	for _, c := range eventCases(middle) {
		t.Run(fmt.Sprintf("%+v", c.params), func(t *testing.T) {
			t.Parallel()
			var want, got []string
			for _, event := range all {
				if c.match(event) {
					want = append(want, event.RemediationID)
				}
			}
			c.params.Limit = 23
			for event, err := range stack.Client.AllIncidentEvents(t.Context(), c.params) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, event.RemediationID)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
