package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedCodeIsCurrent checks that the committed code matches openapi.yaml.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../" + source)
	if err != nil {
		t.Fatal(err)
	}
	for name, generate := range map[string]func([]byte) ([]byte, error){target: generateCode, served: encodeServed} {
		got, err := generate(document)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("run make generate (-committed +generated):\n%s", diff)
		}
	}
}

// TestGenerate checks the sources of scopes and names, and that an operation without a scope is not
// public by accident.
func TestGenerate(t *testing.T) {
	t.Parallel()
	const document = `
paths:
  /a/{key}:
    parameters: [{name: key, in: path}]
    get: {operationId: getA, parameters: [{$ref: "#/components/parameters/page"}], SECURITY}
components:
  parameters: {page: {name: limit, in: query}}
`
	for security, want := range map[string]string{
		"security: []":                      `{id: "getA", method: "GET", path: "/a/{key}", scope: ""}`,
		"security: [{iam: []}, {jwt: [r]}]": `{id: "getA", method: "GET", path: "/a/{key}", scope: "r"}`,
		"security: [{jwt: []}]":             "get /a/{key}: security must name one scope for jwt",
		"summary: none":                     "get /a/{key}: security must name one scope for jwt",
	} {
		code, err := generateCode([]byte(strings.Replace(document, "SECURITY", security, 1)))
		if err != nil {
			code = []byte(err.Error())
		} else if !strings.Contains(string(code), "\t\"key\",\n\t\"limit\",\n") {
			t.Errorf("%s: no fields in\n%s", security, code)
		}
		if !strings.Contains(string(code), want) {
			t.Errorf("%s: %s, want %s", security, code, want)
		}
	}
}
