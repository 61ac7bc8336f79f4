package endtoend_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestPagingDuringWrites reads three thousand remediations by cursor in both directions while others are
// inserted before, between and after them: those that existed at the start are seen once each and in order.
func TestPagingDuringWrites(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	list := manyRecords(3000, numberedRecord)
	createAll(t, stack, list)
	for _, sort := range []client.Sort{client.SortOldestFirst, client.SortNewestFirst} {
		t.Run("sort "+string(sort), func(t *testing.T) {
			t.Parallel()
			want := remediationIDs(list)
			if sort == client.SortNewestFirst {
				slices.Reverse(want)
			}
			stop := make(chan struct{})
			var writing sync.WaitGroup
			writing.Go(func() { writeAround(t, stack, string(sort), stop) })
			var got []string
			for remediation, err := range stack.Client.AllRemediations(t.Context(), client.ListRemediationsParams{Sort: sort, Limit: 250}) {
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(remediation.RemediationID, "r-") {
					got = append(got, remediation.RemediationID)
				}
			}
			close(stop)
			writing.Wait()
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func remediationIDs(list []client.RemediationInput) []string {
	all := make([]string, len(list))
	for i, record := range list {
		all[i] = record.RemediationID
	}
	return all
}

// writeAround writes remediations with start times all over the range of the list, and beyond, until it is stopped.
func writeAround(t *testing.T, stack *endtoend.Stack, prefix string, stop chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		record := minimalRecord(fmt.Sprintf("writer%s-%d", prefix, i))
		record.StartTime = start.Add(time.Duration(i*7919%2000-200) * time.Minute)
		if _, err := stack.Client.CreateRemediation(t.Context(), record); err != nil {
			t.Errorf("write while paging: %v", err)
			return
		}
	}
}

// TestPagingByOffset reads all pages by the iterator, and checks the position that each page reports.
func TestPagingByOffset(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	list := manyRecords(1100, numberedRecord)
	createAll(t, stack, list)
	want := remediationIDs(list)
	slices.Reverse(want)
	var got []string
	for remediation, err := range stack.Client.AllRemediations(t.Context(), client.ListRemediationsParams{Offset: 50, Limit: 300}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, remediation.RemediationID)
	}
	if diff := gocmp.Diff(want[50:], got); diff != "" {
		t.Error(diff)
	}
	for offset, data := range map[int]int{1000: 100, 1099: 1, 1100: 0, 5000: 0} {
		page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{Offset: offset, Limit: 300, IncludeTotal: true})
		if err != nil {
			t.Fatal(err)
		}
		wanted := client.Pagination{Limit: 300, Offset: &offset, Total: new(int64(1100))}
		if diff := gocmp.Diff(wanted, page.Pagination); diff != "" || len(page.Data) != data {
			t.Errorf("at %d: %d records, want %d; pagination:\n%s", offset, len(page.Data), data, diff)
		}
	}
}

// TestLinks reads all pages with only the Link header, by cursor and by offset, with filters that need escaping.
func TestLinks(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	list := manyRecords(120, numberedRecord)
	createAll(t, stack, list)
	createRecord(t, stack, minimalRecord("again"))
	for i := range 30 {
		if _, err := stack.Client.UpdateRemediation(t.Context(), "again", newMessage(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{
		"/v1/remediations?limit=17&include_total=true":                                        121,
		"/v1/remediations?limit=17&offset=0":                                                  121,
		"/v1/remediations?limit=121":                                                          121,
		"/v1/remediations?limit=7&sort=%2Bstart_time&namespace=%D9%85%D8%AA%D8%AC%D8%B1":      40,
		"/v1/remediations?limit=7&offset=10&name=" + "Disk+%F0%9F%92%BE" + "&sort=start_time": 14,
		"/v1/incident-events?limit=50&namespace=shop,%E6%94%AF%E4%BB%98":                      81,
		"/v1/remediations/again/history?limit=4":                                              31,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			seen := map[float64]bool{}
			count := 0
			for next := path; next != ""; {
				var page struct {
					Data       []map[string]any
					Pagination client.Pagination
				}
				next = followPage(t, stack, next, &page)
				if page.Pagination.HasMore != (next != "") {
					t.Errorf("has_more is %v, and the next page %q", page.Pagination.HasMore, next)
				}
				count += len(page.Data)
				checkNextOffset(t, page.Pagination, len(page.Data))
				for _, row := range page.Data {
					if id, ok := row["id"].(float64); ok {
						seen[id] = true
					}
				}
			}
			if count != want || len(seen) != 0 && len(seen) != want {
				t.Errorf("%d rows, %d of them different, want %d", count, len(seen), want)
			}
		})
	}
}

// checkNextOffset checks that a page by offset with more after it has the offset of the next one.
func checkNextOffset(t *testing.T, page client.Pagination, rows int) {
	t.Helper()
	switch {
	case page.Offset == nil || !page.HasMore:
		if page.NextOffset != nil {
			t.Errorf("next_offset is %d on the last page or on one by cursor", *page.NextOffset)
		}
	case page.NextOffset == nil || *page.NextOffset != *page.Offset+rows:
		t.Errorf("next_offset is %v after %d rows from %d", page.NextOffset, rows, *page.Offset)
	}
}

// followPage gets a page and returns the path of the next one, or an empty string for the last.
func followPage(t *testing.T, stack *endtoend.Stack, path string, page any) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, page); err != nil {
		t.Fatal(err)
	}
	link := response.Header.Get("Link")
	if link == "" {
		return ""
	}
	next, relation, _ := strings.Cut(link, ">; ")
	if relation != `rel="next"` || !strings.HasPrefix(next, "</v1/") {
		t.Fatalf("Link: %s", link)
	}
	return strings.TrimPrefix(next, "<")
}

// TestEmptyAndExactPages checks a list without records, and one that exactly fills its page.
func TestEmptyAndExactPages(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	empty, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{IncludeTotal: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &client.RemediationList{Data: []client.Remediation{}, Pagination: client.Pagination{Limit: 100, Total: new(int64(0))}}
	if diff := gocmp.Diff(want, empty); diff != "" {
		t.Error(diff)
	}
	createAll(t, stack, manyRecords(3, numberedRecord))
	for limit, more := range map[int]bool{2: true, 3: false, 4: false} {
		page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		if page.Pagination.HasMore != more || (page.Pagination.NextCursor != "") != more || len(page.Data) != min(limit, 3) {
			t.Errorf("limit %d: %d records, %+v", limit, len(page.Data), page.Pagination)
		}
	}
}

// TestLargeRecordsEndPagesEarly stores more than fits into one response and reads all of it.
func TestLargeRecordsEndPagesEarly(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	// Escaped, each string is six times its stored length.
	for i := range 8 {
		record := numberedRecord(i)
		record.WorkflowYAML = new(strings.Repeat("<", 256<<10))
		createRecord(t, stack, record)
	}
	page, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if !page.Pagination.HasMore || len(page.Data) == 0 || len(page.Data) >= 8 {
		t.Errorf("%d records, %+v", len(page.Data), page.Pagination)
	}
	seen := 0
	for _, err := range stack.Client.AllRemediations(t.Context(), client.ListRemediationsParams{Limit: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
	}
	byOffset := getWith(t, stack, "/v1/remediations", url.Values{"limit": {"1000"}, "offset": {"0"}})
	checkNextOffset(t, byOffset, len(page.Data))
	if seen != 8 {
		t.Errorf("%d records on all pages, want 8", seen)
	}
}
