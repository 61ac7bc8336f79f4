package telemetry

import "math"

// maxDimensions is the largest number of dimensions of a metric in definitions; CloudWatch's limit
// is 30.
const maxDimensions = 2

// series is a metric with the values of its dimensions, which CloudWatch stores as one metric.
type series struct {
	metric Metric
	values [maxDimensions]string
}

// newClosedSeries returns the series of a metric; values has the order of its dimensions. A value
// that is missing or outside its closed set becomes Other.
func newClosedSeries(sets ClosedSets, m Metric, values []string) series {
	s := series{metric: m}
	for i, d := range definitions[m].dimensions {
		s.values[i] = Other
		if i < len(values) {
			s.values[i] = sets.valueOrOther(d, values[i])
		}
	}
	return s
}

type entry struct {
	series
	numbers []float64 // the sum of a counter, else each value
}

// typicalSeries is the number of series that a write reports.
const typicalSeries = 8

// collector collects values by series, in the order of their first appearance. It searches
// linearly, as the closed sets are small.
type collector struct {
	entries []entry
}

// maxMagnitude is the largest magnitude that CloudWatch accepts (API reference, MetricDatum, Value).
var maxMagnitude = math.Pow(2, 360)

// addValue adds a value to its series. It drops what CloudWatch refuses (NaN, infinities, numbers
// out of range), because CloudWatch would refuse the whole line.
func (c *collector) addValue(s series, value float64) {
	if math.IsNaN(value) || math.Abs(value) > maxMagnitude {
		return
	}
	e := c.findOrAddEntry(s)
	if definitions[s.metric].counter && len(e.numbers) > 0 {
		e.numbers[0] += value
		return
	}
	e.numbers = append(e.numbers, value)
}

func (c *collector) findOrAddEntry(s series) *entry {
	for i := range c.entries {
		if c.entries[i].series == s {
			return &c.entries[i]
		}
	}
	if c.entries == nil {
		c.entries = make([]entry, 0, typicalSeries)
	}
	c.entries = append(c.entries, entry{series: s})
	return &c.entries[len(c.entries)-1]
}

// counterTotal returns the value of a counter without dimensions.
func (c *collector) counterTotal(m Metric) float64 {
	for _, e := range c.entries {
		if e.metric == m {
			return e.numbers[0]
		}
	}
	return 0
}

// takeEntries returns the entries and empties the collector.
func (c *collector) takeEntries() []entry {
	entries := c.entries
	c.entries = nil
	return entries
}
