package endtoend_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// secret is sent in bad requests; the service must never repeat it.
const secret = "hunter2-is-my-Passw0rd"

// fieldError is a field of the response's errors and its code.
type fieldError struct{ Field, Code string }

func fieldErrors(pairs ...string) []fieldError {
	var list []fieldError
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, fieldError{Field: pair[0], Code: pair[1]})
	}
	return list
}

// bad is a request that is refused.
type bad struct {
	name, method string
	// path is decoded; query is sent unchanged.
	path, query string
	body        string
	contentType string // default: application/json if there is a body
	status      int
	kind        string // the last part of the problem's type
	allow       string
	errors      []fieldError
}

func (b bad) send(t *testing.T, stack *endtoend.Stack) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), b.method, stack.URL, strings.NewReader(b.body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL = &url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: b.path, RawQuery: b.query}
	if b.contentType != "none" && (b.body != "" || b.contentType != "") {
		request.Header.Set("Content-Type", cmp.Or(b.contentType, "application/json"))
	}
	response, err := stack.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// TestBadInput sends every kind of invalid request. Every response is the documented problem and names exactly
// the errors of the request; the database is unchanged.
func TestBadInput(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	storeSeed(t, stack)
	for _, name := range filterNames() {
		if !slices.ContainsFunc(wrongFilters(), func(w wrong) bool { return w.field == name }) {
			t.Errorf("add invalid values of %s to wrongFilters", name)
		}
	}
	table := slices.Concat(
		badBodies(), badRecords(), badTimes(), badTexts(), badUpdates(), badAnalyses(), badWorkflows(), badExecutions(), badBatches(),
		badSearches(), badSearchValues(), badFilters(), badPages(), badStatistics(), badSimilar(), badConsistency(), badParameters(), badCursors(t, stack), badPaths(), badMethods(),
	)
	before := tableContents(t, stack)
	t.Run("requests", func(t *testing.T) {
		names := map[string]bool{}
		for _, row := range table {
			if names[row.title()] {
				t.Errorf("%s is in the table twice", row.title())
			}
			names[row.title()] = true
			t.Run(row.title(), func(t *testing.T) {
				t.Parallel()
				checkRefused(t, stack, row)
			})
		}
	})
	if diff := gocmp.Diff(before, tableContents(t, stack)); diff != "" {
		t.Errorf("the database changed (-before +after):\n%s", diff)
	}
	t.Logf("%d bad requests", len(table))
}

func (b bad) title() string {
	return strings.ToValidUTF8(fmt.Sprintf("%s %.40s?%.120s %s", b.method, b.path, b.query, b.name), "?")
}

func checkRefused(t *testing.T, stack *endtoend.Stack, row bad) {
	t.Helper()
	response, body := row.send(t, stack)
	if response.StatusCode != row.status {
		t.Fatalf("status %d, want %d: %s", response.StatusCode, row.status, body)
	}
	var problem client.Problem
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"Content-Type": "application/problem+json", "X-Content-Type-Options": "nosniff", "Allow": row.allow}
	for name, want := range headers {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if problem.Title == "" || problem.Detail == "" {
		t.Errorf("title %q, detail %q", problem.Title, problem.Detail)
	}
	got := client.Problem{Type: problem.Type, Status: problem.Status, Instance: problem.Instance, RequestID: problem.RequestID}
	want := client.Problem{
		Type: "urn:datastorage:problem:" + row.kind, Status: row.status,
		Instance: strings.ToValidUTF8(row.path, "\uFFFD"), RequestID: response.Header.Get("Apigw-Requestid"),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	namesFieldErrors(t, row.errors, problem.Errors)
	leaksNothing(t, string(body))
}

func namesFieldErrors(t *testing.T, want []fieldError, named []client.FieldError) {
	t.Helper()
	order := func(a, b fieldError) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Code, b.Code))
	}
	var got []fieldError
	for _, one := range named {
		if one.Detail == "" {
			t.Errorf("%s has no detail", one.Field)
		}
		got = append(got, fieldError{one.Field, one.Code})
	}
	if diff := gocmp.Diff(slices.SortedFunc(slices.Values(want), order), slices.SortedFunc(slices.Values(got), order)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// leaksNothing checks that a response contains no secrets or internals of the service.
func leaksNothing(t *testing.T, body string) {
	t.Helper()
	for _, inside := range []string{
		secret, "SQLSTATE", "pgx", "pgconn", "postgres:", "remediation_audit", "audit_event", "INSERT ", "SELECT ", "goroutine", ".go:",
		"panic", "runtime error", "unmarshal", "127.0.0.1",
	} {
		if strings.Contains(body, inside) {
			t.Errorf("%q in the response %s", inside, body)
		}
	}
}

// storeSeed stores what bad requests could change: a running remediation, a completed one, and
// enough others for several pages.
func storeSeed(t *testing.T, stack *endtoend.Stack) {
	t.Helper()
	begun := minimalRecord("begun")
	begun.Phase, begun.Status = client.PhaseProcessing, client.StatusRunning
	createRecord(t, stack, begun)
	ended := minimalRecord("ended")
	ended.Phase, ended.Status = client.PhaseCompleted, client.StatusSuccess
	createRecord(t, stack, ended)
	for _, id := range []string{"a", "b", "c"} {
		createRecord(t, stack, minimalRecord(id))
		if _, err := stack.Client.CreateAIAnalysis(t.Context(), "begun", minimalAnalysis(id)); err != nil {
			t.Fatal(err)
		}
	}
}
