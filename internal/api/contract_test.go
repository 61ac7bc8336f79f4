package api

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/gateway"
)

// TestOperationsAreDeployed checks that template.yaml has a route for each operation of
// openapi.yaml, and the default route for unknown paths.
func TestOperationsAreDeployed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	deployed, err := gateway.RoutesOf(text)
	if err != nil {
		t.Fatal(err)
	}
	deployments := map[string]int{}
	for key, functions := range deployed {
		deployments[key] = len(functions)
	}
	want := map[string]int{"$default": 1}
	for _, o := range operations {
		want[o.routeKey()] = 1
	}
	if diff := cmp.Diff(want, deployments); diff != "" {
		t.Errorf("routes and how often they are deployed (-openapi.yaml +template.yaml):\n%s", diff)
	}
}

// TestAllowedMethods checks the methods of known and unknown paths.
func TestAllowedMethods(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"/health":                       {"GET"},
		"/v1/remediations":              {"GET", "POST"},
		"/v1/remediations/batch":        {"POST"},
		"/v1/remediations/r-1":          {"GET", "PATCH"},
		"/v1/remediations/r-1/history":  {"GET"},
		"/v1/remediations/":             nil,
		"/v1/remediations//history":     nil,
		"/v1/remediations/r-1/history/": nil,
		"/":                             nil,
		"":                              nil,
	} {
		if got := allowedMethods(path); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", path, got, want)
		}
	}
}
