package telemetry

import "math"

// maxDimensions is the most that a metric of this service has; CloudWatch takes 30.
const maxDimensions = 2

// series is a metric with the values of its dimensions: what CloudWatch calls one metric.
type series struct {
	metric Metric
	values [maxDimensions]string
}

// newSeries closes the values, given in the order of the metric's dimensions.
func newSeries(sets ClosedSets, m Metric, values []string) series {
	s := series{metric: m}
	for i, d := range definitions[m].dimensions {
		s.values[i] = Other
		if i < len(values) {
			s.values[i] = sets.closed(d, values[i])
		}
	}
	return s
}

// entry is what was reported of a series: the sum of a counter, else each value.
type entry struct {
	series
	numbers []float64
}

// typicalSeries is what a write reports.
const typicalSeries = 8

// collector gathers what is reported, in the order in which series appear. There are few of them: the closed sets are small.
type collector struct {
	entries []entry
}

// largest is the largest magnitude that CloudWatch takes (API reference, MetricDatum, Value).
var largest = math.Pow(2, 360)

// add takes a value. What CloudWatch does not take (NaN, infinities, numbers out of its range) is left out, for it would cost the whole
// line.
func (c *collector) add(of series, value float64) {
	if math.IsNaN(value) || math.Abs(value) > largest {
		return
	}
	e := c.entry(of)
	if definitions[of.metric].counter && len(e.numbers) > 0 {
		e.numbers[0] += value
		return
	}
	e.numbers = append(e.numbers, value)
}

func (c *collector) entry(of series) *entry {
	for i := range c.entries {
		if c.entries[i].series == of {
			return &c.entries[i]
		}
	}
	if c.entries == nil {
		c.entries = make([]entry, 0, typicalSeries)
	}
	c.entries = append(c.entries, entry{series: of})
	return &c.entries[len(c.entries)-1]
}

// sum adds up a counter without dimensions.
func (c *collector) sum(m Metric) float64 {
	for _, e := range c.entries {
		if e.metric == m {
			return e.numbers[0]
		}
	}
	return 0
}

// take empties the collector.
func (c *collector) take() []entry {
	entries := c.entries
	c.entries = nil
	return entries
}
