package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestParameterNames checks that the names of an operation's parameters are unique, although OpenAPI
// would allow one in the path and one in the query: clients generated for Go, Kotlin and PHP put
// them into one scope.
func TestParameterNames(t *testing.T) {
	t.Parallel()
	contract := readContract(t)
	count := 0
	for path := range contract.childMapping("paths") {
		item := contract.childMapping("paths").childMapping(path)
		for method := range item {
			seen := map[any]bool{}
			for _, owner := range []node{item, item.childMapping(method)} {
				for _, parameter := range owner.childMappings("parameters") {
					name := contract.resolveReference(parameter)["name"]
					if seen[name] {
						t.Errorf("%s %s has %v twice", method, path, name)
					}
					seen[name] = true
					count++
				}
			}
		}
	}
	if count == 0 {
		t.Error("no parameters")
	}
}

// schemaKeywords are the keywords of JSON Schema 2020-12 and OpenAPI 3.1 that the contract uses. A
// name that is not among them is a misspelt keyword, or a part of a description without quotes.
var schemaKeywords = strings.Fields(`$ref type description enum const format default examples
	minLength maxLength pattern minimum maximum minItems maxItems uniqueItems minProperties
	items properties required additionalProperties allOf oneOf anyOf not`)

func TestSchemaKeywords(t *testing.T) {
	t.Parallel()
	contract := readContract(t)
	count := 0
	eachSchema(contract, nil, func(path []string, schema node) {
		count++
		for keyword, value := range schema {
			if !slices.Contains(schemaKeywords, keyword) || value == nil {
				t.Errorf("%s: unknown keyword or no value: %q", strings.Join(path, "."), keyword)
			}
		}
	})
	if count < len(contract.childMapping("components").childMapping("schemas")) {
		t.Errorf("%d schemas", count)
	}
}

// eachSchema calls visit for the schemas under a value of the document, at any depth. path is the
// way to the value from the root.
func eachSchema(value any, path []string, visit func(path []string, schema node)) {
	switch value := value.(type) {
	case node:
		if isSchema(path) {
			visit(path, value)
		}
		for name, child := range value {
			if name != "example" && name != "examples" {
				eachSchema(child, append(slices.Clone(path), name), visit)
			}
		}
	case []any:
		for _, child := range value {
			eachSchema(child, append(slices.Clone(path), "[]"), visit)
		}
	}
}

// isSchema reports whether the mapping at a path of the document is a schema.
func isSchema(path []string) bool {
	last := len(path) - 1
	if last < 1 {
		return false
	}
	switch path[last-1] {
	case "properties", "schemas":
		return true
	case "allOf", "oneOf", "anyOf":
		return path[last] == "[]"
	}
	return path[last] == "schema" || path[last] == "items"
}

func readContract(t *testing.T) node {
	t.Helper()
	document, err := os.ReadFile("../../" + source)
	if err != nil {
		t.Fatal(err)
	}
	var contract node
	if err := yaml.Unmarshal(document, &contract); err != nil {
		t.Fatal(err)
	}
	return contract
}

// TestOptionalFieldsAreNullable checks the one rule of null: every field of a request that is not
// required may be null, except the phase and the status of an update, which a remediation requires.
func TestOptionalFieldsAreNullable(t *testing.T) {
	t.Parallel()
	contract := readContract(t)
	schemas := contract.childMapping("components").childMapping("schemas")
	for _, name := range []string{"RemediationInput", "RemediationUpdate", "AIAnalysisInput", "WorkflowInput", "ExecutionInput", "SearchInput", "SearchFilters"} {
		schema := schemas.childMapping(name)
		required, _ := schema["required"].([]any)
		if name == "RemediationUpdate" {
			required, _ = schemas.childMapping("RemediationInput")["required"].([]any)
		}
		for field := range schema.childMapping("properties") {
			property := contract.resolveReference(schema.childMapping("properties").childMapping(field))
			if slices.Contains(required, any(field)) == allowsNull(property) {
				t.Errorf("%s.%s: required fields must not be null, others may", name, field)
			}
		}
	}
}

func allowsNull(schema node) bool {
	types, _ := schema["type"].([]any)
	return schema["type"] == "null" || slices.Contains(types, any("null")) || slices.ContainsFunc(schema.childMappings("oneOf"), allowsNull)
}

// TestBodiesHaveNoDefaults checks that fields of request bodies state their defaults in words:
// openapi-typescript requires a field that has a default.
func TestBodiesHaveNoDefaults(t *testing.T) {
	t.Parallel()
	contract := readContract(t)
	for name := range contract.childMapping("components").childMapping("schemas") {
		schema := contract.childMapping("components").childMapping("schemas").childMapping(name)
		for field := range schema.childMapping("properties") {
			if _, found := schema.childMapping("properties").childMapping(field)["default"]; found {
				t.Errorf("%s.%s has a default", name, field)
			}
		}
	}
}
