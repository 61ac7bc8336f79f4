package endtoend_test

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// remediationWithError is a remediation with a signature of its own, made from the error.
func remediationWithError(id, message string) client.RemediationInput {
	record := minimalRecord(id)
	record.ErrorMessage = &message
	return record
}

// TestSearchOrder searches with the words of each incident: that one is first, scores
// fall, and explain gives the same scores.
func TestSearchOrder(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	messages := []string{
		"disk is full on volume data", "certificate of the ingress has expired", "out of memory while sorting",
		"connection to the database was refused",
		"image cannot be pulled from the registry", "磁盘已满", "قرص ممتلئ", "ดิสก์เต็ม",
	}
	for i, message := range messages {
		createRecord(t, stack, remediationWithError(fmt.Sprint(i), message))
	}
	for i, message := range messages {
		found := searchIncidents(t, stack, client.SearchInput{Query: message, Mode: new(client.SearchModeSemantic), Explain: new(true)})
		if len(found) != len(messages) {
			t.Errorf("%s: found %d, want all %d", message, len(found), len(messages))
		}
		if found[0].Remediations[0].RemediationID != fmt.Sprint(i) {
			t.Errorf("%s: first is %s", message, found[0].Text)
		}
		for rank, result := range found {
			retriever := result.Explain.Semantic
			if *retriever.Rank != rank+1 || retriever.Score != result.Score || result.Score < -1 || result.Score > 1 {
				t.Errorf("%s: explained as %+v at %d with score %v", message, retriever, rank, result.Score)
			}
		}
		if !slices.IsSortedFunc(found, func(a, b client.SearchResult) int { return cmp.Compare(b.Score, a.Score) }) {
			t.Errorf("%s: not best first", message)
		}
	}
}

// TestSearchShowsEveryField checks that each field of a remediation in the results is the stored one.
func TestSearchShowsEveryField(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createRecord(t, stack, fullRecord("r"))
	stored, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	found := searchIncidents(t, stack, client.SearchInput{Query: "磁盘已满"})
	for field, got := range reflect.ValueOf(found[0].Remediations[0]).Fields() {
		want := reflect.ValueOf(stored.Remediation).FieldByName(field.Name)
		if diff := gocmp.Diff(want.Interface(), got.Interface()); diff != "" || got.IsZero() {
			t.Errorf("%s: %s", field.Name, diff)
		}
	}
}

// TestSearchLimits checks limit, per_signature and min_score.
func TestSearchLimits(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(60, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprintf("r-%02d", i), fmt.Sprintf("trouble with %c%c%c", 'a'+i%15, 'f'+i%15, 'k'+i%15))
		record.StartTime = start.Add(time.Duration(i) * time.Minute)
		return record
	}))
	all := searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk", Limit: new(100), PerSignature: new(100)})
	if len(all) != 15 {
		t.Fatalf("found %d, want 15", len(all))
	}
	if n := len(searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk"})); n != 10 {
		t.Errorf("found %d without a limit, want 10", n)
	}
	for _, limit := range []int{1, 7, 15} {
		found := searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk", Limit: &limit, PerSignature: new(100)})
		if diff := gocmp.Diff(all[:limit], found); diff != "" {
			t.Errorf("limit %d:\n%s", limit, diff)
		}
	}
	for _, shown := range []int{0, 1, 3, 4, 100} {
		for _, result := range searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk", PerSignature: &shown}) {
			if len(result.Remediations) != min(shown, 4) || result.Occurrences != 4 {
				t.Errorf("per_signature %d shows %d of %d", shown, len(result.Remediations), result.Occurrences)
			}
		}
	}
	for cut, result := range all {
		found := searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk", Limit: new(100), MinScore: new(result.Score)})
		if len(found) < cut+1 || found[len(found)-1].Score < result.Score {
			t.Errorf("min_score %v: %d results", result.Score, len(found))
		}
	}
	if found := searchIncidents(t, stack, client.SearchInput{Query: "trouble with afk", MinScore: new(1.0)}); len(found) > 1 {
		t.Errorf("%d results of score 1", len(found))
	}
}

// TestSearchIsNotStarvedByFilters searches for fifteen matching signatures that are far
// away, behind two thousand near ones.
func TestSearchIsNotStarvedByFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(2000, func(i int) client.RemediationInput {
		return remediationWithError(fmt.Sprintf("near-%d", i), fmt.Sprintf("disk is full %s %s", numberAsLetters(i), numberAsLetters(i*7)))
	}))
	createAll(t, stack, manyRecords(15, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprintf("far-%d", i), fmt.Sprintf("certificate has expired %s", numberAsLetters(i)))
		record.Namespace = "rare"
		return record
	}))
	for _, limit := range []int{1, 10, 15, 100} {
		found := searchIncidents(t, stack, client.SearchInput{Query: "disk is full", Limit: &limit, Filters: &client.SearchFilters{Namespace: new("rare")}})
		if len(found) != min(limit, 15) {
			t.Errorf("limit %d: found %d, want %d", limit, len(found), min(limit, 15))
		}
	}
	if found := searchIncidents(t, stack, client.SearchInput{Query: "disk is full", Limit: new(100)}); len(found) != 100 {
		t.Errorf("found %d without a filter, want 100", len(found))
	}
}

// numberAsLetters writes a number as letters, because signatures leave out digits.
func numberAsLetters(n int) string {
	text := ""
	for range 4 {
		text += string(rune('a' + n%26))
		n /= 26
	}
	return text
}

// TestSearchOutcomes checks the success rates of an incident's actions: the best action is the one with the
// highest lower bound, not one that succeeded once.
func TestSearchOutcomes(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	var list []client.RemediationInput
	add := func(action string, status client.Status, times int) {
		for range times {
			record := remediationWithError(fmt.Sprintf("r-%03d", len(list)), "pods are pending")
			record.ActionType, record.Status = action, status
			list = append(list, record)
		}
	}
	add("restart_pod", client.StatusSuccess, 1)
	add("add_node", client.StatusSuccess, 48)
	add("add_node", client.StatusFailure, 2)
	add("delete_pod", client.StatusFailure, 3)
	add("notify", client.StatusRunning, 4)
	createAll(t, stack, list)
	found := searchIncidents(t, stack, client.SearchInput{Query: "pods are pending", PerSignature: new(0)})
	if len(found) != 1 || len(found[0].SignatureIds) != 4 {
		t.Fatalf("found %+v, want one incident of 4 signatures", found)
	}
	var order []string
	for _, action := range found[0].Actions {
		order = append(order, fmt.Sprintf("%s %d/%d", action.ActionType, action.Success, action.Success+action.Failure))
	}
	if diff := gocmp.Diff([]string{"add_node 48/50", "restart_pod 1/1", "delete_pod 0/3", "notify 0/0"}, order); diff != "" {
		t.Error(diff)
	}
	listed, err := stack.Client.ListRemediations(t.Context(), client.ListRemediationsParams{SignatureID: strings.Join(found[0].SignatureIds, ","), Limit: 100})
	if err != nil || int64(len(listed.Data)) != found[0].Occurrences {
		t.Errorf("a list of its signatures has %+v %v", listed, err)
	}
	// The Wilson score interval of 49 of 54 at 95 %, computed independently.
	rate := found[0].SuccessRate
	if found[0].Occurrences != 58 || rate.Success != 49 || rate.Failure != 5 {
		t.Errorf("%d occurrences, %+v", found[0].Occurrences, rate)
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"rate": {*rate.Rate, 0.907407}, "low": {*rate.Low, 0.800901}, "high": {*rate.High, 0.959799},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s is %v, want %v", name, c.got, c.want)
		}
	}
	if last := found[0].Actions[3]; last.Rate != nil || last.Low != nil || last.High != nil {
		t.Errorf("a rate without ended remediations: %+v", last)
	}
}

// TestSearchReturnsTheNewestSuccess checks that the workflow is that of the newest success that
// the filters match, even if later attempts failed.
func TestSearchReturnsTheNewestSuccess(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for i, tried := range []struct {
		action, workflow, namespace string
		status                      client.Status
	}{
		{"add_node", "run: first", "shop", client.StatusSuccess},
		{"add_node", "run: second", "shop", client.StatusSuccess},
		{"resize", "run: third", "payments", client.StatusSuccess},
		{"restart_pod", "run: fourth", "shop", client.StatusFailure},
	} {
		record := remediationWithError(fmt.Sprint("r-", i), "pods are pending")
		record.ActionType, record.WorkflowYAML, record.Namespace, record.Status = tried.action, &tried.workflow, tried.namespace, tried.status
		record.StartTime = start.Add(time.Duration(i) * time.Hour)
		createRecord(t, stack, record)
	}
	for filter, want := range map[string]*client.LastSuccess{
		"":         {RemediationID: "r-2", ActionType: "resize", StartTime: start.Add(2 * time.Hour), WorkflowYAML: new("run: third")},
		"shop":     {RemediationID: "r-1", ActionType: "add_node", StartTime: start.Add(time.Hour), WorkflowYAML: new("run: second")},
		"payments": {RemediationID: "r-2", ActionType: "resize", StartTime: start.Add(2 * time.Hour), WorkflowYAML: new("run: third")},
	} {
		input := client.SearchInput{Query: "pods are pending", Detail: new(client.SearchDetailFull)}
		if filter != "" {
			input.Filters = &client.SearchFilters{Namespace: &filter}
		}
		found := searchIncidents(t, stack, input)
		if len(found) != 1 {
			t.Fatalf("found %+v, want one incident", found)
		}
		if diff := gocmp.Diff(want, found[0].LastSuccess); diff != "" {
			t.Errorf("in %q (-want +got):\n%s", filter, diff)
		}
	}
	input := client.SearchInput{Query: "pods are pending", Filters: &client.SearchFilters{Status: new("failure")}}
	if found := searchIncidents(t, stack, input); len(found) != 1 || found[0].LastSuccess != nil {
		t.Errorf("filtered by failures: %+v", found)
	}
}

// TestSearchOfManyWorkflows has one incident near the query with a workflow of its own for every remediation,
// and eleven other incidents behind it: they are all found, and long workflows do not make the response longer
// than a function may return.
func TestSearchOfManyWorkflows(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(500, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprint("same-", i), "disk is full")
		record.WorkflowYAML, record.Status = new("run: clean up "+numberAsLetters(i)), client.StatusSuccess
		return record
	}))
	createAll(t, stack, manyRecords(11, func(i int) client.RemediationInput {
		record := remediationWithError(fmt.Sprint("other-", i), "disk of the node has failed, "+numberAsLetters(i))
		record.WorkflowYAML, record.Status = new("# "+numberAsLetters(i)+strings.Repeat("x", 250<<10)), client.StatusSuccess
		return record
	}))
	for _, mode := range []client.SearchMode{client.SearchModeHybrid, client.SearchModeLexical, client.SearchModeSemantic} {
		found := searchIncidents(t, stack, client.SearchInput{Query: "disk is full", Mode: &mode, Limit: new(12), Detail: new(client.SearchDetailFull)})
		if len(found) != 12 || found[0].Occurrences != 500 || len(found[0].SignatureIds) != 100 {
			t.Fatalf("%s: found %d, the first %+v", mode, len(found), found[0])
		}
		withWorkflow := 0
		for _, result := range found {
			if result.LastSuccess != nil && result.LastSuccess.WorkflowYAML != nil {
				withWorkflow++
			}
		}
		if withWorkflow != 9 {
			t.Errorf("%s: %d workflows, want the short one and eight of 250 KiB", mode, withWorkflow)
		}
	}
}

// TestSearchFindsAtOnce checks that a search sees a write at once, and reports the model it used.
func TestSearchFindsAtOnce(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	if found := searchIncidents(t, stack, client.SearchInput{Query: "anything"}); len(found) != 0 {
		t.Errorf("found %+v in an empty database", found)
	}
	createRecord(t, stack, remediationWithError("r", "disk is full"))
	results, err := stack.Client.Search(t.Context(), client.SearchInput{Query: "DISK is full!", Mode: new(client.SearchModeSemantic)})
	if err != nil {
		t.Fatal(err)
	}
	want := client.SearchInfo{Mode: client.SearchModeSemantic, Model: queryValue[string](t, stack.Database.ReaderURL(), "SELECT name FROM embedding_model WHERE active")}
	if diff := gocmp.Diff(want, results.Search); diff != "" || len(results.Data) != 1 {
		t.Errorf("%d results:\n%s", len(results.Data), diff)
	}
}
