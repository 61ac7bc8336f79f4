package telemetry

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Limits of the embedded metric format (CloudWatch user guide, "Specification: Embedded metric format").
const (
	maxMetrics = 100 // definitions in a document
	maxNumbers = 100 // members of a numeric array
)

// property is a member of a line that is no dimension: it can be searched for in the logs and makes no metric of its own.
type property struct{ name, value string }

// document is one line: entries whose metrics are all different and whose dimensions agree.
type document struct {
	entries    []entry
	dimensions []property
}

// documents lays entries out on as few lines as the format allows: one, unless a metric has several series or more values than fit.
func documents(entries []entry) []document {
	var lines []document
	for _, e := range entries {
		for numbers := range slices.Chunk(e.numbers, maxNumbers) {
			part := entry{series: e.series, numbers: numbers}
			at := slices.IndexFunc(lines, func(d document) bool { return d.takes(part) })
			if at < 0 {
				at = len(lines)
				lines = append(lines, document{})
			}
			lines[at].add(part)
		}
	}
	return lines
}

// takes reports whether the entry's metric and dimensions stand on the line already with other values: members of the root are there once.
func (d *document) takes(e entry) bool {
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

func (d *document) add(e entry) {
	d.entries = append(d.entries, e)
	for i, of := range definitions[e.metric].dimensions {
		if wanted := (property{of.name, e.values[i]}); !slices.Contains(d.dimensions, wanted) {
			d.dimensions = append(d.dimensions, wanted)
		}
	}
}

// appendTo writes the document and a line feed. Properties that are dimensions of the line are not written twice.
func (d *document) appendTo(out []byte, at time.Time, properties []property) []byte {
	out = append(out, `{"_aws":{"Timestamp":`...)
	out = strconv.AppendInt(out, at.UnixMilli(), 10)
	out = append(out, `,"CloudWatchMetrics":[`...)
	out = d.appendDirectives(out)
	out = append(out, "]}"...)
	for _, e := range d.entries {
		out = appendName(out, definitions[e.metric].name)
		out = appendNumbers(out, e.numbers)
	}
	for _, p := range d.dimensions {
		out = appendWord(appendName(out, p.name), p.value)
	}
	for _, p := range properties {
		if p.value != "" && !slices.ContainsFunc(d.dimensions, func(of property) bool { return of.name == p.name }) {
			out = appendText(appendName(out, p.name), p.value)
		}
	}
	return append(out, "}\n"...)
}

// appendDirectives writes a MetricDirective for each set of dimensions, with the metrics that have it.
func (d *document) appendDirectives(out []byte) []byte {
	written := make([]bool, len(d.entries))
	for i, first := range d.entries {
		if written[i] {
			continue
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"Namespace":"`+Namespace+`","Dimensions":[[`...)
		for j, of := range definitions[first.metric].dimensions {
			if j > 0 {
				out = append(out, ',')
			}
			out = appendWord(out, of.name)
		}
		out = append(out, `]],"Metrics":[`...)
		for j := i; j < len(d.entries); j++ {
			if definition := definitions[d.entries[j].metric]; !written[j] && sameDimensions(definition, definitions[first.metric]) {
				written[j] = true
				if j > i {
					out = append(out, ',')
				}
				out = append(out, `{"Name":"`+definition.name+`","Unit":"`+definition.unit+`"}`...)
			}
		}
		out = append(out, "]}"...)
	}
	return out
}

func sameDimensions(a, b definition) bool {
	return slices.EqualFunc(a.dimensions, b.dimensions, func(a, b dimension) bool { return a.name == b.name })
}

func appendName(out []byte, name string) []byte {
	return append(appendWord(append(out, ','), name), ':')
}

// appendWord quotes a text of this package's own: names and closed sets hold nothing that JSON escapes.
func appendWord(out []byte, word string) []byte {
	return append(append(append(out, '"'), word...), '"')
}

func appendText(out []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a text is always JSON
		return append(out, `""`...)
	}
	return append(out, quoted...)
}

// appendNumbers writes one number by itself and several as an array.
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
