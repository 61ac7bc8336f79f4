package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
)

// threePages returns 5 records of the given kind on pages of 2 by cursor.
func threePages(record string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var from int
		_, _ = fmt.Sscanf(r.URL.Query().Get("cursor"), "after-%d", &from)
		page := `{"data":[`
		for i := from; i < min(from+2, 5); i++ {
			page += strings.TrimPrefix(fmt.Sprintf(","+record, i), strings.Repeat(",", 1-min(i-from, 1)))
		}
		page += `],"pagination":{"limit":2,"has_more":false}}`
		if from+2 < 5 {
			page = strings.Replace(page, `"has_more":false`, fmt.Sprintf(`"has_more":true,"next_cursor":"after-%d"`, from+2), 1)
		}
		respondOK(page)(w, r)
	}
}

func requestTargets(s *server) []string {
	var targets []string
	for _, r := range s.requests() {
		targets = append(targets, r.target)
	}
	return targets
}

func TestAllRemediations(t *testing.T) {
	t.Parallel()
	s := serve(t, threePages(`{"id":%d}`))
	all := s.client(t).AllRemediations(t.Context(), client.ListRemediationsParams{
		Namespace: "n", Limit: 2, IncludeTotal: true,
	})
	for range 2 { // An iterator can be ranged over again, from the start.
		var ids []int64
		for remediation, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, remediation.ID)
		}
		if diff := cmp.Diff([]int64{0, 1, 2, 3, 4}, ids); diff != "" {
			t.Error(diff)
		}
	}
	once := []string{
		"/v1/remediations?include_total=true&limit=2&namespace=n",
		"/v1/remediations?cursor=after-2&limit=2&namespace=n",
		"/v1/remediations?cursor=after-4&limit=2&namespace=n",
	}
	if diff := cmp.Diff(append(once, once...), requestTargets(s)); diff != "" {
		t.Error(diff)
	}
}

func TestAllRemediationsByOffset(t *testing.T) {
	t.Parallel()
	page := `{"data":[{"id":1},{"id":2}],"pagination":{"limit":2,"has_more":%t,"offset":%d}}`
	s := serve(t, respondOK(fmt.Sprintf(page, true, 7)), respondOK(fmt.Sprintf(page, false, 9)))
	records := 0
	for _, err := range s.client(t).AllRemediations(t.Context(), client.ListRemediationsParams{Limit: 2, Offset: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if diff := cmp.Diff([]string{"/v1/remediations?limit=2&offset=7", "/v1/remediations?limit=2&offset=9"}, requestTargets(s)); diff != "" {
		t.Error(diff)
	}
	if records != 4 {
		t.Errorf("%d records of 4", records)
	}
}

func TestStoppingReadsNoFurtherPage(t *testing.T) {
	t.Parallel()
	s := serve(t, threePages(`{"event_id":"%d"}`))
	var got []string
	for entry, err := range s.client(t).AllHistory(t.Context(), "r-1", client.GetHistoryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry.EventID)
		if len(got) == 3 {
			break
		}
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, got); diff != "" {
		t.Error(diff)
	}
	if got := len(s.requests()); got != 2 {
		t.Errorf("%d pages read for 3 entries, want 2", got)
	}
}

func TestIterationEndsWithTheError(t *testing.T) {
	t.Parallel()
	more := `{"data":[{"id":1}],"pagination":{"limit":1,"has_more":true%s}}`
	tests := []struct {
		name            string
		handlers        []http.HandlerFunc
		items, requests int
		want            string
	}{
		{"refused", []http.HandlerFunc{respondOK(fmt.Sprintf(more, `,"next_cursor":"a"`)), respondProblem(400, `{"type":"t"}`)}, 1, 2, "400"},
		{"more without a cursor", []http.HandlerFunc{respondOK(fmt.Sprintf(more, ``))}, 1, 1, "no next position"},
		{"the same offset again", []http.HandlerFunc{respondOK(`{"data":[],"pagination":{"has_more":true,"offset":0}}`)}, 0, 1, "no next position"},
		{"the same cursor again", []http.HandlerFunc{respondOK(fmt.Sprintf(more, `,"next_cursor":"a"`))}, 2, 2, "no next position"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handlers...)
			var items int
			var failures []error
			for _, err := range s.client(t).AllIncidentEvents(t.Context(), client.ListIncidentEventsParams{}) {
				if err != nil {
					failures = append(failures, err)
				} else {
					items++
				}
			}
			if items != test.items || len(failures) != 1 || !strings.Contains(failures[0].Error(), test.want) {
				t.Errorf("%d items and errors %v", items, failures)
			}
			if got := len(s.requests()); got != test.requests {
				t.Errorf("%d requests, want %d", got, test.requests)
			}
		})
	}
}
