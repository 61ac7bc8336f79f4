package api

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// routes lists the catalogue as API Gateway names routes.
func routes() []string {
	var all []string
	for path, methods := range catalogue() {
		for method := range methods {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestCatalogueIsTheContract holds the catalogue to openapi.yaml.
func TestCatalogueIsTheContract(t *testing.T) {
	t.Parallel()
	var contract struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	readYAML(t, "openapi.yaml", &contract)
	var documented []string
	for path, item := range contract.Paths {
		for method := range item {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(documented, routes()); diff != "" {
		t.Errorf("openapi.yaml and the catalogue (-documented +known):\n%s", diff)
	}
}

// TestCatalogueIsRouted holds the catalogue to the routes that template.yaml deploys. Beside them there is the default route, so that what
// is in no catalogue is answered by the service, too.
func TestCatalogueIsRouted(t *testing.T) {
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
	readYAML(t, "template.yaml", &template)
	deployed := map[string]int{}
	for _, resource := range template.Resources {
		for _, event := range resource.Properties.Events {
			if event.Type == "HttpApi" {
				deployed[event.Properties.Method+" "+event.Properties.Path]++
			}
		}
	}
	for route, times := range deployed {
		if times != 1 {
			t.Errorf("%s is routed %d times", route, times)
		}
	}
	if diff := cmp.Diff(append([]string{"ANY $default"}, routes()...), slices.Sorted(maps.Keys(deployed))); diff != "" {
		t.Errorf("template.yaml and the catalogue (-known +deployed):\n%s", diff)
	}
}
