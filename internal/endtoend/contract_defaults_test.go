package endtoend_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestDefaultsAreAccepted sends every read the defaults that the contract documents, as generated
// clients do, and with them the cursor of the next page.
func TestDefaultsAreAccepted(t *testing.T) {
	t.Parallel()
	contract, err := endtoend.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	stack := endtoend.New(t, endtoend.Options{})
	storeSeed(t, stack)
	paths := map[string]string{
		"GET /v1/remediations": "/v1/remediations", "GET /v1/remediations/{remediation_id}/history": "/v1/remediations/begun/history",
		"GET /v1/incident-events": "/v1/incident-events", "GET /v1/remediations/{example_id}/similar": "/v1/remediations/a/similar",
		"GET /v1/stats/success-rate": "/v1/stats/success-rate?group_by=name",
	}
	for operation, defaults := range contract.Defaults() {
		path, known := paths[operation]
		if !known {
			t.Errorf("add a path of %s", operation)
			continue
		}
		cursor := getWith(t, stack, path, defaults).NextCursor
		if defaults.Set("limit", "1"); cursor == "" {
			cursor = getWith(t, stack, path, defaults).NextCursor
		}
		if cursor == "" {
			continue // not paged
		}
		defaults.Set("cursor", cursor)
		getWith(t, stack, path, defaults)
		if operation == "GET /v1/remediations" {
			defaults.Set("offset", "0") // once the default
			if page := getWith(t, stack, path, defaults); page.Offset != nil || page.NextCursor == cursor {
				t.Errorf("%+v", page)
			}
		}
		delete(paths, operation)
	}
}

// getWith returns the pagination of a response, the zero value if it has none.
func getWith(t *testing.T, stack *endtoend.Stack, path string, parameters url.Values) client.Pagination {
	t.Helper()
	target, err := url.Parse(stack.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	query := target.Query()
	for name, values := range parameters {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var page struct{ Pagination client.Pagination }
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %v", target, response.StatusCode, err)
	}
	return page.Pagination
}
