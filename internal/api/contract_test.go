package api

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestOperationsAreDeployed checks that template.yaml has a route for each operation of
// openapi.yaml, and the default route for unknown paths.
func TestOperationsAreDeployed(t *testing.T) {
	t.Parallel()
	var template struct {
		Resources map[string]struct {
			Properties struct {
				Events map[string]struct {
					Type       string `yaml:"Type"`
					Properties struct {
						Method string `yaml:"Method"`
						Path   string `yaml:"Path"`
					} `yaml:"Properties"`
				} `yaml:"Events"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	deployed := map[string]int{}
	for _, resource := range template.Resources {
		for _, event := range resource.Properties.Events {
			if event.Type == "HttpApi" {
				deployed[event.Properties.Method+" "+event.Properties.Path]++
			}
		}
	}
	want := map[string]int{"ANY $default": 1}
	for _, o := range operations {
		want[o.routeKey()] = 1
	}
	if diff := cmp.Diff(want, deployed); diff != "" {
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
