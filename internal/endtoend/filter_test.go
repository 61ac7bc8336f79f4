package endtoend_test

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// filterCase is a filter and the remediations that it must match.
type filterCase struct {
	params client.ListRemediationsParams
	match  func(client.Remediation) bool
}

// filterCases are every filter with one and with several values. all is everything stored.
func filterCases(all []client.Remediation) []filterCase {
	type params = client.ListRemediationsParams
	type stored = client.Remediation
	in := func(value string, list string) bool { return slices.Contains(strings.Split(list, ","), value) }
	one, other := all[100], all[200]
	since, until := start.Add(30*time.Minute), start.Add(90*time.Minute)
	return []filterCase{
		{params{}, func(stored) bool { return true }},
		{params{ID: fmt.Sprint(one.ID)}, func(r stored) bool { return r.ID == one.ID }},
		{params{ID: fmt.Sprintf("%d,%d,999999", one.ID, other.ID)}, func(r stored) bool { return r.ID == one.ID || r.ID == other.ID }},
		{params{RemediationID: "r-00007,r-00008,nobody"}, func(r stored) bool { return in(r.RemediationID, "r-00007,r-00008") }},
		{params{Name: "قرص ممتلئ"}, func(r stored) bool { return r.Name == "قرص ممتلئ" }},
		{params{Name: "磁盘已满,ดิสก์เต็ม,Disk 💾"}, func(r stored) bool { return in(r.Name, "磁盘已满,ดิสก์เต็ม,Disk 💾") }},
		{params{Name: "disk 💾"}, func(stored) bool { return false }},
		{params{Name: "Disk%"}, func(stored) bool { return false }},
		{params{Namespace: "متجر"}, func(r stored) bool { return r.Namespace == "متجر" }},
		{params{Namespace: "shop,支付"}, func(r stored) bool { return in(r.Namespace, "shop,支付") }},
		{params{Namespace: "' OR '1'='1"}, func(stored) bool { return false }},
		{params{Phase: "pending"}, func(r stored) bool { return r.Phase == "pending" }},
		{params{Phase: "completed,failed"}, func(r stored) bool { return in(string(r.Phase), "completed,failed") }},
		{params{Status: "success"}, func(r stored) bool { return r.Status == "success" }},
		{params{Status: "running,failure"}, func(r stored) bool { return in(string(r.Status), "running,failure") }},
		{params{Severity: "unknown"}, func(r stored) bool { return r.Severity == "unknown" }},
		{params{Severity: "critical,low,info"}, func(r stored) bool { return in(string(r.Severity), "critical,low") }},
		{params{Environment: "production"}, func(r stored) bool { return r.Environment == "production" }},
		{params{Environment: "production,test,staging"}, func(r stored) bool { return r.Environment != "" }},
		{params{ClusterName: "eu-1"}, func(r stored) bool { return r.ClusterName == "eu-1" }},
		{params{ClusterName: "eu-1,us-1"}, func(r stored) bool { return r.ClusterName != "" }},
		{params{ActionType: "scale_up"}, func(r stored) bool { return r.ActionType == "scale_up" }},
		{params{ActionType: "scale_up,restart_pod"}, func(stored) bool { return true }},
		{params{AlertFingerprint: "beef"}, func(r stored) bool { return r.AlertFingerprint == "beef" }},
		{params{AlertFingerprint: "beef,cafe"}, func(r stored) bool { return in(r.AlertFingerprint, "beef,cafe") }},
		{params{TargetResource: "pod/api"}, func(r stored) bool { return r.TargetResource == "pod/api" }},
		{params{TargetResource: "pod/api,node/n1"}, func(r stored) bool { return r.TargetResource != "" }},
		{params{SignatureID: one.SignatureID}, func(r stored) bool { return r.SignatureID == one.SignatureID }},
		{
			params{SignatureID: strings.ToUpper(one.SignatureID) + "," + other.SignatureID},
			func(r stored) bool { return in(r.SignatureID, one.SignatureID+","+other.SignatureID) },
		},
		{params{Since: since.Format(time.RFC3339Nano)}, func(r stored) bool { return !r.StartTime.Before(since) }},
		{params{Until: until.Format(time.RFC3339Nano)}, func(r stored) bool { return r.StartTime.Before(until) }},
		{
			params{Since: since.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano), Until: until.Format(time.RFC3339Nano)},
			func(r stored) bool { return !r.StartTime.Before(since) && r.StartTime.Before(until) },
		},
		{params{Since: "1s"}, func(stored) bool { return false }},
		{params{Since: "100000d", Until: "0s"}, func(stored) bool { return true }},
	}
}

// combinedCases combine several filters.
func combinedCases(one client.Remediation) []filterCase {
	type params = client.ListRemediationsParams
	type stored = client.Remediation
	in := func(value string, list string) bool { return slices.Contains(strings.Split(list, ","), value) }
	return []filterCase{
		{params{Namespace: "shop", Phase: "failed"}, func(r stored) bool { return r.Namespace == "shop" && r.Phase == "failed" }},
		{
			params{Namespace: "shop,متجر", Status: "success,failure", Severity: "critical,low", ActionType: "restart_pod"},
			func(r stored) bool {
				return in(r.Namespace, "shop,متجر") && in(string(r.Status), "success,failure") &&
					in(string(r.Severity), "critical,low") && r.ActionType == "restart_pod"
			},
		},
		{
			params{
				RemediationID: one.RemediationID, Name: one.Name, Namespace: one.Namespace, Phase: string(one.Phase), Status: string(one.Status),
				Severity: string(one.Severity), ActionType: one.ActionType, SignatureID: one.SignatureID, ID: fmt.Sprint(one.ID), Since: "100000d", Until: "1s",
			},
			func(r stored) bool { return r.ID == one.ID },
		},
		{params{Name: one.Name, SignatureID: one.SignatureID, ClusterName: "nowhere"}, func(stored) bool { return false }},
	}
}

// TestFilters compares every filter of list and of search with a loop over all records.
func TestFilters(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(400, numberedRecord))
	all := listAll(t, stack, client.ListRemediationsParams{})
	for field := range reflect.TypeFor[client.SearchFilters]().Fields() {
		set := func(c filterCase) bool { return reflect.ValueOf(c.params).FieldByName(field.Name).String() != "" }
		if !slices.ContainsFunc(filterCases(all), set) {
			t.Errorf("add cases of %s to filterCases, and values of it to numberedRecord", field.Name)
		}
	}
	for _, c := range append(filterCases(all), combinedCases(all[100])...) {
		t.Run(fmt.Sprintf("%+v", c.params), func(t *testing.T) {
			t.Parallel()
			var want []client.Remediation
			for _, remediation := range all {
				if c.match(remediation) {
					want = append(want, remediation)
				}
			}
			if diff := gocmp.Diff(want, listAll(t, stack, c.params)); diff != "" {
				t.Errorf("list:\n%s", diff)
			}
			searchesWithin(t, stack, c.params, want)
		})
	}
}

// listAll returns all pages of a list, and checks that the total is their number of records.
func listAll(t *testing.T, stack *endtoend.Stack, params client.ListRemediationsParams) []client.Remediation {
	t.Helper()
	params.Limit, params.IncludeTotal = 300, true
	first, err := stack.Client.ListRemediations(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	var all []client.Remediation
	for remediation, err := range stack.Client.AllRemediations(t.Context(), params) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, remediation)
	}
	if *first.Pagination.Total != int64(len(all)) {
		t.Errorf("total %d, and %d records", *first.Pagination.Total, len(all))
	}
	newestFirst := func(a, b client.Remediation) int {
		return cmp.Or(b.StartTime.Compare(a.StartTime), cmp.Compare(b.ID, a.ID))
	}
	if !slices.IsSortedFunc(all, newestFirst) {
		t.Error("not newest first")
	}
	return all
}

// searchesWithin compares what search finds and counts under a filter with the
// remediations that the filter must match.
func searchesWithin(t *testing.T, stack *endtoend.Stack, params client.ListRemediationsParams, left []client.Remediation) {
	t.Helper()
	byIncident := map[string][]client.Remediation{}
	for _, remediation := range left {
		id := incidentOf(remediation)
		byIncident[id] = append(byIncident[id], remediation)
	}
	found := searchIncidents(t, stack, client.SearchInput{Query: "disk is full", Limit: new(100), PerSignature: new(2), Filters: asFilters(params)})
	if want := min(100, len(byIncident)); len(found) != want {
		t.Errorf("found %d incidents, want %d", len(found), want)
	}
	for _, result := range found {
		within := byIncident[result.IncidentID]
		delete(byIncident, result.IncidentID) // so that a second result of it is an error
		checkRemediations(t, result, within)
	}
}

// incidentOf is the key by which search groups remediations.
func incidentOf(remediation client.Remediation) string {
	record := audit.Remediation{Name: remediation.Name, TargetResource: &remediation.TargetResource, ErrorMessage: remediation.ErrorMessage}
	return record.Signature().IncidentID.String()
}

// checkRemediations compares a result with the remediations of its incident, newest first.
func checkRemediations(t *testing.T, result client.SearchResult, within []client.Remediation) {
	t.Helper()
	if result.Occurrences != int64(len(within)) || len(within) == 0 {
		t.Errorf("%s: %d occurrences, want %d", result.SignatureID, result.Occurrences, len(within))
		return
	}
	var outcome client.Rate
	for _, remediation := range within {
		switch remediation.Status {
		case client.StatusSuccess:
			outcome.Success++
		case client.StatusFailure:
			outcome.Failure++
		}
	}
	if result.SuccessRate.Success != outcome.Success || result.SuccessRate.Failure != outcome.Failure {
		t.Errorf("%s: success rate %+v, want %+v", result.SignatureID, result.SuccessRate, outcome)
	}
	if !result.LastSeen.Equal(within[0].StartTime) || !result.FirstSeen.Equal(within[len(within)-1].StartTime) {
		t.Errorf("%s: seen from %v to %v", result.SignatureID, result.FirstSeen, result.LastSeen)
	}
	var shown, newest []string
	for _, remediation := range result.Remediations {
		shown = append(shown, remediation.RemediationID)
	}
	for _, remediation := range within[:min(2, len(within))] {
		newest = append(newest, remediation.RemediationID)
	}
	if diff := gocmp.Diff(newest, shown); diff != "" {
		t.Errorf("%s shows:\n%s", result.SignatureID, diff)
	}
	signatures := map[string]bool{}
	for _, remediation := range within {
		signatures[remediation.SignatureID] = true
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(signatures)), slices.Sorted(slices.Values(result.SignatureIds))); diff != "" ||
		!slices.Contains(result.SignatureIds, result.SignatureID) {
		t.Errorf("%s has the signatures:\n%s", result.SignatureID, diff)
	}
}

// asFilters converts a list's filters to those of a search.
func asFilters(p client.ListRemediationsParams) *client.SearchFilters {
	var filters client.SearchFilters
	for field, filter := range reflect.ValueOf(&filters).Elem().Fields() {
		if value := reflect.ValueOf(p).FieldByName(field.Name).String(); value != "" {
			filter.Set(reflect.ValueOf(&value))
		}
	}
	return &filters
}

// filterNames are the filters that list, search, similar and the statistics share.
func filterNames() []string {
	var names []string
	for field := range reflect.TypeFor[client.SearchFilters]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// TestSpansBackFromNow checks that 24h and 7d are half-open ranges that end now.
func TestSpansBackFromNow(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	now := time.Now()
	for id, ago := range map[string]time.Duration{"minutes": time.Minute, "hours": 5 * time.Hour, "days": 3 * 24 * time.Hour, "weeks": 20 * 24 * time.Hour, "tomorrow": -24 * time.Hour} {
		record := minimalRecord(id)
		record.StartTime = now.Add(-ago)
		createRecord(t, stack, record)
	}
	for params, want := range map[[2]string][]string{
		{"2h", ""}: {"tomorrow", "minutes"}, {"24h", ""}: {"tomorrow", "minutes", "hours"},
		{"7d", ""}: {"tomorrow", "minutes", "hours", "days"},
		{"3w", ""}: {"tomorrow", "minutes", "hours", "days", "weeks"}, {"7d", "24h"}: {"days"}, {"", "600s"}: {"hours", "days", "weeks"},
		{"400m", "0s"}: {"minutes", "hours"},
	} {
		var got []string
		for _, remediation := range listAll(t, stack, client.ListRemediationsParams{Since: params[0], Until: params[1]}) {
			got = append(got, remediation.RemediationID)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("since %s until %s:\n%s", params[0], params[1], diff)
		}
	}
}
