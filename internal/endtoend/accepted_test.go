package endtoend_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestAcceptedTimes stores every form of a time that RFC 3339 allows.
func TestAcceptedTimes(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for sent, want := range map[string]string{
		"2026-01-02T03:04:05Z":                 "2026-01-02T03:04:05Z",
		"2026-01-02t03:04:05z":                 "2026-01-02T03:04:05Z",
		"2026-01-02t03:04:05.1234567891+23:59": "2026-01-01T03:05:05.123456Z",
		"2026-01-02T03:04:05-00:00":            "2026-01-02T03:04:05Z",
		"2016-12-31T23:59:60Z":                 "2017-01-01T00:00:00Z",
		"2016-12-31T15:59:60.5-08:00":          "2017-01-01T00:00:00.5Z",
		"2015-07-01t02:59:60+03:00":            "2015-07-01T00:00:00Z",
		"1970-01-01T00:00:00Z":                 "1970-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":          "9999-12-31T23:59:59.999999Z",
	} {
		record := withMembers(recordMembers(), "remediation_id", jsonString(sent), "start_time", jsonString(sent))
		postAccepted(t, stack, http.MethodPost, "/v1/remediations", record)
		got, err := stack.Client.GetRemediation(t.Context(), sent)
		if err != nil {
			t.Fatal(err)
		}
		if stored := got.StartTime.Format(time.RFC3339Nano); stored != want {
			t.Errorf("%s is stored as %s, want %s", sent, stored, want)
		}
		page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{RemediationID: sent, Since: sent})
		if err != nil || len(page.Data) != 1 {
			t.Errorf("since %s: %v, %v", sent, page, err)
		}
	}
}

// TestNullIsAbsent sends null for every optional field: a create and a search are as without the
// field, an update clears it.
func TestNullIsAbsent(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	optional := []string{
		"cluster_name", "environment", "severity", "alert_fingerprint", "target_resource", "end_time", "duration_ms", "error_message",
		"workflow_yaml", "metadata",
	}
	record := withMembers(recordMembers(), "error_message", "")
	for _, name := range optional {
		record = strings.TrimSuffix(record, "}") + `,` + jsonString(name) + `:null}`
	}
	postAccepted(t, stack, http.MethodPost, "/v1/remediations", record)
	absent := withMembers(recordMembers(), "error_message", "")
	if status := postAccepted(t, stack, http.MethodPost, "/v1/remediations", absent); status != http.StatusOK {
		t.Errorf("without the fields: status %d, want that of a replay", status)
	}
	full := withMembers(recordMembers(), "remediation_id", `"full"`, "end_time", `"2026-01-02T03:04:06Z"`, "workflow_yaml", `"x"`, "metadata", `{"a":1}`)
	postAccepted(t, stack, http.MethodPost, "/v1/remediations", full)
	postAccepted(t, stack, http.MethodPatch, "/v1/remediations/full", `{"end_time":null,"error_message":null,"workflow_yaml":null,"metadata":null}`)
	got, err := stack.Client.GetRemediation(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	if got.EndTime != nil || got.ErrorMessage != nil || got.WorkflowYAML != nil || string(got.Metadata) != "{}" {
		t.Errorf("after null: %+v", got.Remediation)
	}
	filters := `"name":null`
	for _, name := range filterNames() {
		filters += "," + jsonString(name) + ":null"
	}
	filters = strings.TrimPrefix(filters, `"name":null,`)
	for _, body := range []string{
		`{"query":"x","mode":null,"filters":null,"limit":null,"per_signature":null,"min_score":null,"detail":null,"explain":null}`,
		`{"query":"x","filters":{` + filters + `}}`,
	} {
		postAccepted(t, stack, http.MethodPost, "/v1/search", body)
	}
}

// TestValuesWithCommas filters by values that contain commas, in a list by repeated parameters and in
// a search by a JSON list.
func TestValuesWithCommas(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for id, name := range map[string]string{"a": "up, then down", "b": "up", "c": " then down", "d": "p99 > 1s, <x>"} {
		postAccepted(t, stack, http.MethodPost, "/v1/remediations", withMembers(recordMembers(), "remediation_id", jsonString(id), "name", jsonString(name)))
	}
	for _, c := range []struct {
		names []string
		want  []string
	}{
		{[]string{"up, then down"}, []string{"b", "c"}},
		{[]string{"up, then down", "up, then down"}, []string{"a"}},
		{[]string{"up, then down", "up"}, []string{"a", "b"}},
		{[]string{"p99 > 1s, <x>", "up"}, []string{"b", "d"}},
	} {
		list := getIDs(t, stack, "/v1/remediations?"+url.Values{"name": c.names}.Encode())
		events := getIDs(t, stack, "/v1/incident-events?"+url.Values{"alert_name": c.names}.Encode())
		if !slices.Equal(list, c.want) || !slices.Equal(events, c.want) {
			t.Errorf("%q: list %v, events %v, want %v", c.names, list, events, c.want)
		}
	}
	for body, want := range map[string][]string{
		`["up, then down"]`: {"a"}, `"up, then down"`: {"b", "c"}, `["up","p99 > 1s, <x>"]`: {"b", "d"},
	} {
		var found client.SearchResults
		decodePosted(t, stack, "/v1/search", `{"query":"restart_pod","per_signature":9,"filters":{"name":`+body+`}}`, &found)
		var got []string
		for _, incident := range found.Data {
			for _, remediation := range incident.Remediations {
				got = append(got, remediation.RemediationID)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("search %s: %v, want %v", body, got, want)
		}
	}
}

// TestTimesOfHistory checks that an entry's time has one spelling.
func TestTimesOfHistory(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	storeSeed(t, stack)
	var history struct {
		Data []struct {
			RecordedAt string `json:"recorded_at"`
			Canonical  string
		}
	}
	decodeGot(t, stack, "/v1/remediations/begun/history", &history)
	for _, entry := range history.Data {
		if !strings.Contains(entry.Canonical, `:"`+entry.RecordedAt+`"`) || len(entry.RecordedAt) != len("2006-01-02T15:04:05.000000Z") {
			t.Errorf("recorded_at %s is not in %s", entry.RecordedAt, entry.Canonical)
		}
	}
	if len(history.Data) == 0 {
		t.Error("no entries")
	}
}

// postAccepted sends a body and returns the status of the response, which must be 2xx.
func postAccepted(t *testing.T, stack *endtoend.Stack, method, path, body string) int {
	t.Helper()
	response, text := bad{method: method, path: path, body: body}.send(t, stack)
	if response.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d: %s", path, body, response.StatusCode, text)
	}
	return response.StatusCode
}

func decodePosted(t *testing.T, stack *endtoend.Stack, path, body string, out any) {
	t.Helper()
	response, text := bad{method: http.MethodPost, path: path, body: body}.send(t, stack)
	if err := json.Unmarshal(text, out); err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s: status %d: %s (%v)", body, response.StatusCode, text, err)
	}
}

func decodeGot(t *testing.T, stack *endtoend.Stack, target string, out any) {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	response, text := bad{method: http.MethodGet, path: path, query: query}.send(t, stack)
	if err := json.Unmarshal(text, out); err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s: status %d: %s (%v)", target, response.StatusCode, text, err)
	}
}

// getIDs returns the remediation ids of a page, sorted.
func getIDs(t *testing.T, stack *endtoend.Stack, target string) []string {
	t.Helper()
	var page struct {
		Data []struct {
			RemediationID string `json:"remediation_id"`
		}
	}
	decodeGot(t, stack, target, &page)
	var ids []string
	for _, row := range page.Data {
		ids = append(ids, row.RemediationID)
	}
	slices.Sort(ids)
	return ids
}
