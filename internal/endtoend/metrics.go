package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/jsonschema/v6"

	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// MetricLine is one line of metrics, read.
type MetricLine map[string]any

// ReadMetrics reads lines of metrics and holds each to the format: the published schema, and what the specification demands beyond it.
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
		obeys(tb, line, text)
		all = append(all, line)
	}
	return all
}

func loadSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(Root(tb), "internal", "telemetry", "testdata", "emf.schema.json"))
	if err != nil {
		tb.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7) // it names none; its ids are of that time
	if err := compiler.AddResource("emf.schema.json", document); err != nil {
		tb.Fatal(err)
	}
	schema, err := compiler.Compile("emf.schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

// obeys checks the rules of the specification that its schema does not have.
func obeys(tb testing.TB, line MetricLine, text string) {
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

// Figures reads what CloudWatch would: each series with its values, as "name{dimension=value}".
func Figures(all []MetricLine) map[string][]float64 {
	read := map[string][]float64{}
	for _, line := range all {
		for _, directive := range directives(line) {
			var of []string
			for _, key := range directive["Dimensions"].([]any)[0].([]any) {
				of = append(of, fmt.Sprintf("%s=%s", key, line[key.(string)]))
			}
			for _, metric := range directive["Metrics"].([]any) {
				name := metric.(map[string]any)["Name"].(string)
				series := name + "{" + strings.Join(of, ",") + "}"
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

// ClosedSets checks that the series have values out of the closed sets.
func ClosedSets(tb testing.TB, read map[string][]float64) {
	tb.Helper()
	sets := local.ClosedSets()
	for series := range read {
		name, of, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, m := range telemetry.Metrics() {
			if m.Name() != name {
				continue
			}
			for _, dimension := range m.Dimensions() {
				_, value, _ := strings.Cut(of, dimension+"=")
				value, _, _ = strings.Cut(value, ",")
				if value != telemetry.Other && !slices.Contains(sets.Of(m, dimension), value) {
					tb.Errorf("%s has %s %q", name, dimension, value)
				}
			}
		}
	}
}
