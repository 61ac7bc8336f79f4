package telemetry

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Limits of the embedded metric format (CloudWatch user guide, "Specification: Embedded metric
// format").
const (
	maxMetrics = 100 // metric definitions in a document
	maxNumbers = 100 // elements of a numeric array
)

// property is a member of a line. Unless it is a dimension, CloudWatch Logs can search for it but
// does not make a metric of it.
type property struct{ name, value string }

// document is one line. Its entries have different metrics, and the same value in each dimension
// that they share.
type document struct {
	entries    []entry
	dimensions []property
}

// packIntoDocuments puts entries into as few lines as the format allows: one, unless a metric has
// several series or more than maxNumbers values.
func packIntoDocuments(entries []entry) []document {
	var lines []document
	for _, e := range entries {
		for numbers := range slices.Chunk(e.numbers, maxNumbers) {
			part := entry{series: e.series, numbers: numbers}
			at := slices.IndexFunc(lines, func(d document) bool { return d.hasRoomFor(part) })
			if at < 0 {
				at = len(lines)
				lines = append(lines, document{})
			}
			lines[at].addEntry(part)
		}
	}
	return lines
}

// hasRoomFor reports whether the document can take the entry. Metrics and dimensions are members of
// the line's root, so each may have one value only.
func (d *document) hasRoomFor(e entry) bool {
	if len(d.entries) == maxMetrics {
		return false
	}
	for _, other := range d.entries {
		if other.metric == e.metric {
			return false
		}
	}
	for i, wanted := range definitions[e.metric].dimensions {
		for _, have := range d.dimensions {
			if have.name == wanted.name && have.value != e.values[i] {
				return false
			}
		}
	}
	return true
}

func (d *document) addEntry(e entry) {
	d.entries = append(d.entries, e)
	for i, dimension := range definitions[e.metric].dimensions {
		if wanted := (property{dimension.name, e.values[i]}); !slices.Contains(d.dimensions, wanted) {
			d.dimensions = append(d.dimensions, wanted)
		}
	}
}

// appendDocument appends the document and a line feed. A property that is a dimension of the line
// is written once.
func (d *document) appendDocument(out []byte, at time.Time, properties []property) []byte {
	out = append(out, `{"_aws":{"Timestamp":`...)
	out = strconv.AppendInt(out, at.UnixMilli(), 10)
	out = append(out, `,"CloudWatchMetrics":[`...)
	out = d.appendDirectives(out)
	out = append(out, "]}"...)
	for _, e := range d.entries {
		out = appendMemberName(out, definitions[e.metric].name)
		out = appendNumbers(out, e.numbers)
	}
	for _, p := range d.dimensions {
		out = appendIdentifier(appendMemberName(out, p.name), p.value)
	}
	for _, p := range properties {
		isDimension := slices.ContainsFunc(d.dimensions, func(d property) bool { return d.name == p.name })
		if p.value != "" && !isDimension {
			out = appendString(appendMemberName(out, p.name), p.value)
		}
	}
	return append(out, "}\n"...)
}

// appendDirectives appends a MetricDirective for each set of dimensions, with its metrics.
func (d *document) appendDirectives(out []byte) []byte {
	var directives [][]definition
	for _, e := range d.entries {
		metric := definitions[e.metric]
		i := slices.IndexFunc(directives, func(other []definition) bool { return sameDimensions(other[0], metric) })
		if i < 0 {
			i = len(directives)
			directives = append(directives, nil)
		}
		directives[i] = append(directives[i], metric)
	}
	for i, metrics := range directives {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendDirective(out, metrics)
	}
	return out
}

// appendDirective appends the MetricDirective of metrics that have the same dimensions.
func appendDirective(out []byte, metrics []definition) []byte {
	out = append(out, `{"Namespace":"`+Namespace+`","Dimensions":[[`...)
	for i, dimension := range metrics[0].dimensions {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendIdentifier(out, dimension.name)
	}
	out = append(out, `]],"Metrics":[`...)
	for i, metric := range metrics {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"Name":"`+metric.name+`","Unit":"`+metric.unit+`"}`...)
	}
	return append(out, "]}"...)
}

func sameDimensions(a, b definition) bool {
	return slices.EqualFunc(a.dimensions, b.dimensions, func(a, b dimension) bool { return a.name == b.name })
}

func appendMemberName(out []byte, name string) []byte {
	return append(appendIdentifier(append(out, ','), name), ':')
}

// appendIdentifier quotes a name or a value of a closed set, which never needs escaping.
func appendIdentifier(out []byte, word string) []byte {
	return append(append(append(out, '"'), word...), '"')
}

func appendString(out []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // not reached: every string can be encoded
		return append(out, `""`...)
	}
	return append(out, quoted...)
}

// appendNumbers appends a single number as a number, several as an array.
func appendNumbers(out []byte, numbers []float64) []byte {
	if len(numbers) == 1 {
		return strconv.AppendFloat(out, numbers[0], 'g', -1, 64)
	}
	out = append(out, '[')
	for i, n := range numbers {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, n, 'g', -1, 64)
	}
	return append(out, ']')
}
