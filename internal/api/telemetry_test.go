package api

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// TestOperationsAreTheContracts holds the catalogue's operation ids, and the closed set of the metrics' dimension, to openapi.yaml.
func TestOperationsAreTheContracts(t *testing.T) {
	t.Parallel()
	var contract struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	readYAML(t, "openapi.yaml", &contract)
	var ids []string
	for path, item := range contract.Paths {
		for method, node := range item {
			var documented struct {
				OperationID string `yaml:"operationId"`
			}
			if method == "parameters" {
				continue
			}
			if err := node.Decode(&documented); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, documented.OperationID)
			if got := operation(strings.ToUpper(method) + " " + path); got != documented.OperationID {
				t.Errorf("%s %s is %q, in openapi.yaml %s", method, path, got, documented.OperationID)
			}
		}
	}
	want := append(ids, "consumeQueue", "maintain", "migrate")
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(telemetry.Operations.ClosedSet("operation")))); diff != "" {
		t.Errorf("operations (-openapi.yaml +telemetry):\n%s", diff)
	}
}

// TestFieldsAreTheContracts holds the closed set of the metrics' dimension to what requests may hold by openapi.yaml.
func TestFieldsAreTheContracts(t *testing.T) {
	t.Parallel()
	var contract node
	readYAML(t, "openapi.yaml", &contract)
	names := map[string]bool{telemetry.WholeRequest: true}
	for _, item := range contract.at("paths") {
		for _, operation := range item.(node) {
			described, ok := operation.(node)
			if !ok { // the parameters of all operations on the path
				described = node{"parameters": operation}
			}
			parameters, _ := described["parameters"].([]any)
			for _, parameter := range parameters {
				names[contract.resolve(parameter.(node))["name"].(string)] = true
			}
			if body, ok := described["requestBody"].(node); ok {
				for _, media := range contract.resolve(body).at("content") {
					contract.properties(media.(node).at("schema"), names)
				}
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(names)), slices.Sorted(slices.Values(telemetry.ValidationFailures.ClosedSet("field")))); diff != "" {
		t.Errorf("fields (-openapi.yaml +telemetry):\n%s", diff)
	}
}

// node is a mapping of a YAML document.
type node map[string]any

func (n node) at(name string) node {
	child, _ := n[name].(node)
	return child
}

// resolve follows a reference within the document.
func (n node) resolve(of node) node {
	reference, ok := of["$ref"].(string)
	if !ok {
		return of
	}
	found := n
	for name := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
		found = found.at(name)
	}
	return n.resolve(found)
}

// properties adds the names of a schema's properties at every depth.
func (n node) properties(schema node, names map[string]bool) {
	schema = n.resolve(schema)
	for name, property := range schema.at("properties") {
		names[name] = true
		n.properties(property.(node), names)
	}
	n.parts(schema, names)
}

// parts adds those of what a schema is put together from, and of the items of a list.
func (n node) parts(schema node, names map[string]bool) {
	for _, word := range []string{"allOf", "oneOf", "anyOf"} {
		parts, _ := schema[word].([]any)
		for _, part := range parts {
			n.properties(part.(node), names)
		}
	}
	if items := schema.at("items"); items != nil {
		n.properties(items, names)
	}
}

// TestActionsAreTheDomains holds the closed set of the metrics' dimension to the domain's actions.
func TestActionsAreTheDomains(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../audit/sanitize.go")
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, match := range regexp.MustCompile(`Action\w+ +Action = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		actions = append(actions, match[1])
	}
	slices.Sort(actions)
	if diff := cmp.Diff(actions, slices.Sorted(slices.Values(telemetry.Sanitizations.ClosedSet("action")))); diff != "" {
		t.Errorf("actions (-audit +telemetry):\n%s", diff)
	}
}

// TestFaultField shows which field a fault's path counts for.
func TestFaultField(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": telemetry.WholeRequest, "name": "name", "records": "records", "records[3]": "records", "records[3].name": "name",
		"records[12].metadata.a[0].b": "metadata", `metadata["a b"]`: "metadata", "filters.since": "since", "filters": "filters",
		`["made up"]`: "", "limit": "limit", "Name": "", "records[3": "records",
	} {
		if got := faultField(path); got != want {
			t.Errorf("%s is of %q, want %q", path, got, want)
		}
	}
}
