// Command contract generates two files from openapi.yaml: internal/api/contract.gen.go, the operations
// and the names of the request fields, and internal/health/openapi.json, the document that the
// service serves. It is run by make generate, in the root of the module.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"text/template"

	"go.yaml.in/yaml/v3"
)

const (
	source = "openapi.yaml"
	target = "internal/api/contract.gen.go"
	served = "internal/health/openapi.json"
)

//go:embed contract.tmpl
var codeTemplate string

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	document, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	code, err := generateCode(document)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if err := os.WriteFile(target, code, 0o644); err != nil {
		return err
	}
	text, err := encodeServed(document)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return os.WriteFile(served, text, 0o644)
}

// encodeServed returns an OpenAPI document as JSON, without its servers: by default, the server is
// the one that serves the document.
func encodeServed(document []byte) ([]byte, error) {
	var contract map[string]any
	if err := yaml.Unmarshal(document, &contract); err != nil {
		return nil, err
	}
	delete(contract, "servers")
	text, err := json.MarshalIndent(contract, "", "  ")
	return append(text, '\n'), err
}

// generateCode returns the Go code for an OpenAPI document.
func generateCode(document []byte) ([]byte, error) {
	var contract node
	if err := yaml.Unmarshal(document, &contract); err != nil {
		return nil, err
	}
	operations, err := contract.listOperations()
	if err != nil {
		return nil, err
	}
	var code bytes.Buffer
	err = template.Must(template.New("contract").Parse(codeTemplate)).Execute(&code, map[string]any{
		"Operations": operations,
		"Fields":     contract.requestFields(),
	})
	if err != nil {
		return nil, err
	}
	return format.Source(code.Bytes())
}
