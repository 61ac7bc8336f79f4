package endtoend_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// remediationAt is a remediation of a crash loop, or another error, at a location.
func remediationAt(id, message, namespace, cluster, target string) client.RemediationInput {
	record := remediationWithError(id, message)
	record.Namespace, record.ClusterName, record.TargetResource = namespace, &cluster, &target
	return record
}

// TestSearchByLocation checks that words of the names of target, namespace and cluster find an
// incident after a maintenance run, in modes lexical and hybrid, that the explanation says so, and that
// no other signature is made for them.
func TestSearchByLocation(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, []client.RemediationInput{
		remediationAt("crash-1", "container is in CrashLoopBackOff", "web", "eu-west-1", "pod/frontend-6b7c9d8f5-zxw2k"),
		remediationAt("crash-2", "container is in CrashLoopBackOff", "payments-prod", "us-east-2", "pod/checkout-5d8f9c7b6d-x2k4j"),
		remediationAt("other-1", "certificate has expired", "ingress", "eu-west-1", "Deployment/gateway"),
		remediationAt("other-2", "volume cannot be attached", "search", "ap-south-1", "statefulset/elastic-0"),
	})
	runMaintenance(t, stack)
	for query, want := range map[string]struct {
		first     string
		locations []string
	}{
		"checkout payments-prod crashloop": {"crash-2", []string{"checkout", "payments", "prod"}},
		"elastic":                          {"other-2", []string{"elastic"}},
		"what happened to the Gateway?":    {"other-1", []string{"gateway"}},
		"cluster ap-south-1":               {"other-2", []string{"ap", "south"}},
		"FRONTEND":                         {"crash-2", []string{"frontend"}},
	} {
		for _, mode := range []client.SearchMode{client.SearchModeLexical, client.SearchModeHybrid} {
			found := searchIncidents(t, stack, client.SearchInput{Query: query, Mode: &mode, Explain: new(true)})
			if len(found) == 0 || !slices.ContainsFunc(found[0].Remediations, func(r client.RemediationSummary) bool { return r.RemediationID == want.first }) {
				t.Errorf("%s, %s: the first of %d is not %s", query, mode, len(found), want.first)
				continue
			}
			checkLocations(t, fmt.Sprint(query, ", ", mode), found[0], want.locations)
		}
	}
	for query, mode := range map[string]client.SearchMode{"x2k4j": client.SearchModeLexical, "deployment of nothing": client.SearchModeLexical} {
		for _, result := range searchIncidents(t, stack, client.SearchInput{Query: query, Mode: &mode, Explain: new(true)}) {
			checkLocations(t, query, result, nil)
		}
	}
	if n := queryValue[int64](t, stack.Database.ReaderURL(), "SELECT count(*) FROM signature"); n != 3 {
		t.Errorf("%d signatures, want one for each error", n)
	}
}

// checkLocations compares the terms that an explanation says are in the names of locations, which have
// no span and a score.
func checkLocations(t *testing.T, name string, result client.SearchResult, want []string) {
	t.Helper()
	var got []string
	for _, term := range result.Explain.Lexical.Terms {
		if term.Location {
			got = append(got, term.Term)
			if len(term.Spans) > 0 || term.Score <= 0 {
				t.Errorf("%s: %+v", name, term)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: found by the locations %v, want %v", name, got, want)
	}
}
