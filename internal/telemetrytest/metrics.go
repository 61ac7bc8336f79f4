// Package telemetrytest reads telemetry output as CloudWatch and X-Ray would, and checks
// it against their specifications.
package telemetrytest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/jsonschema/v6"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

//go:embed testdata/emf.schema.json
var schemaText []byte

// MetricLine is one decoded line of metrics.
type MetricLine map[string]any

// ReadMetrics decodes lines of metrics. It checks each against the published schema of the format, and against
// the rules of the specification that are missing from the schema.
func ReadMetrics(tb testing.TB, written string) []MetricLine {
	tb.Helper()
	schema := loadSchema(tb)
	var all []MetricLine
	for text := range strings.Lines(written) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			tb.Fatalf("%v: %s", err, text)
		}
		if err := schema.Validate(document); err != nil {
			tb.Errorf("%v: %s", err, text)
		}
		var line MetricLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			tb.Fatal(err)
		}
		checkLine(tb, line, text)
		all = append(all, line)
	}
	return all
}

func loadSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7) // The schema does not name its draft; its ids are those of draft 7.
	if err := compiler.AddResource("emf.schema.json", document); err != nil {
		tb.Fatal(err)
	}
	schema, err := compiler.Compile("emf.schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

// checkLine checks the rules of the specification that are missing from its schema.
func checkLine(tb testing.TB, line MetricLine, text string) {
	tb.Helper()
	if len(text) > 1<<20 {
		tb.Errorf("a line of %d bytes", len(text))
	}
	named := map[string]bool{}
	for _, directive := range directives(line) {
		if got := directive["Namespace"]; got != telemetry.Namespace {
			tb.Errorf("namespace %v", got)
		}
		for _, key := range directive["Dimensions"].([]any)[0].([]any) {
			if value, ok := line[key.(string)].(string); !ok || value == "" || len(value) > 1024 {
				tb.Errorf("dimension %v is %v: %s", key, line[key.(string)], text)
			}
		}
		for _, metric := range directive["Metrics"].([]any) {
			name := metric.(map[string]any)["Name"].(string)
			if named[name] {
				tb.Errorf("%s is defined twice: %s", name, text)
			}
			named[name] = true
			switch value := line[name].(type) {
			case float64:
			case []any:
				if len(value) > 100 || len(value) == 0 {
					tb.Errorf("%s has %d values", name, len(value))
				}
			default:
				tb.Errorf("%s is %v: %s", name, value, text)
			}
		}
	}
	if len(named) > 100 || len(named) == 0 {
		tb.Errorf("%d metrics on a line", len(named))
	}
}

func directives(line MetricLine) []map[string]any {
	var all []map[string]any
	for _, directive := range line["_aws"].(map[string]any)["CloudWatchMetrics"].([]any) {
		all = append(all, directive.(map[string]any))
	}
	return all
}

// Series returns the values of each series that CloudWatch would derive from the lines, by "name{dimension=value}".
func Series(all []MetricLine) map[string][]float64 {
	read := map[string][]float64{}
	for _, line := range all {
		for _, directive := range directives(line) {
			var dimensions []string
			for _, key := range directive["Dimensions"].([]any)[0].([]any) {
				dimensions = append(dimensions, fmt.Sprintf("%s=%s", key, line[key.(string)]))
			}
			for _, metric := range directive["Metrics"].([]any) {
				name := metric.(map[string]any)["Name"].(string)
				series := name + "{" + strings.Join(dimensions, ",") + "}"
				switch value := line[name].(type) {
				case float64:
					read[series] = append(read[series], value)
				case []any:
					for _, one := range value {
						read[series] = append(read[series], one.(float64))
					}
				}
			}
		}
	}
	return read
}

// CheckClosedSets checks that every value of a dimension is in its closed set.
func CheckClosedSets(tb testing.TB, sets telemetry.ClosedSets, read map[string][]float64) {
	tb.Helper()
	for series := range read {
		name, dimensions, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, m := range telemetry.Metrics() {
			if m.Name() != name {
				continue
			}
			for _, dimension := range m.Dimensions() {
				_, value, _ := strings.Cut(dimensions, dimension+"=")
				value, _, _ = strings.Cut(value, ",")
				if value != telemetry.Other && !slices.Contains(sets.Values(m, dimension), value) {
					tb.Errorf("%s has %s %q", name, dimension, value)
				}
			}
		}
	}
}
