package api

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// Limits of the statistics.
const (
	maxSamples = 1_000_000_000
	maxBuckets = 1000
)

// RateQuery is a parsed GET /v1/stats/success-rate.
type RateQuery struct {
	Filter    audit.Filter
	Dimension audit.Dimension
	// MinSamples is how many remediations of a key must have ended.
	MinSamples int
	Limit      int
}

// RateQuery reads the parameters of the success rates.
func (r *Request) RateQuery(now time.Time) (*RateQuery, error) {
	var faults audit.ValidationErrors
	p := queryParameters(r.event.RawQueryString, &faults)
	query := &RateQuery{
		Dimension:  requiredWord(p, "group_by", audit.Dimensions()),
		MinSamples: p.number("min_samples", 0, maxSamples, 0),
		Filter:     p.filter(now),
		Limit:      p.number("limit", 1, MaxPage, defaultPage),
	}
	p.consistency()
	p.finish()
	return query, faults.Err()
}

// requiredWord reads one word of a set.
func requiredWord[T ~string](p *parameters, name string, set []T) T {
	word, ok := p.get(name)
	switch _, given := p.values[name]; {
	case !given:
		p.fault(name, audit.CodeRequired, "must be given")
	case ok && !slices.Contains(set, T(word)):
		p.fault(name, audit.CodeEnum, fmt.Sprintf("must be one of %v", set))
	}
	return T(word)
}

// Respond writes the rates, best first, of which there may be more.
func (q *RateQuery) Respond(rates []audit.SuccessRate, hasMore bool) *Response {
	return NewAnswer(http.StatusOK, client.SuccessRates{
		Data: mapped(rates, wireSuccessRate),
		Stats: client.SuccessRateInfo{
			GroupBy: client.Dimension(q.Dimension), MinSamples: q.MinSamples, Limit: q.Limit, HasMore: hasMore,
		},
	})
}

func wireSuccessRate(s audit.SuccessRate) client.SuccessRate {
	rate := wireRate(s.Outcome)
	return client.SuccessRate{
		Key: s.Key, Total: s.Total, Success: rate.Success, Failure: rate.Failure, Rate: rate.Rate, Low: rate.Low, High: rate.High,
	}
}

// TrendQuery is a parsed GET /v1/stats/trend.
type TrendQuery struct {
	// Filter has both Since and Until.
	Filter audit.Filter
	// Starts are where the buckets begin, in order, the first not after Filter.Since.
	Starts []time.Time

	end      time.Time
	interval audit.Interval
	zone     *time.Location
}

// TrendQuery reads the parameters of a trend.
func (r *Request) TrendQuery(now time.Time) (*TrendQuery, error) {
	var faults audit.ValidationErrors
	p := queryParameters(r.event.RawQueryString, &faults)
	query := &TrendQuery{interval: requiredWord(p, "interval", audit.Intervals()), zone: p.zone("time_zone"), Filter: p.filter(now)}
	p.consistency()
	p.finish()
	if len(faults) == 0 {
		query.divide(p, now)
	}
	return query, faults.Err()
}

// zone reads the name of a time zone, UTC when it is absent.
func (p *parameters) zone(name string) *time.Location {
	value, ok := p.get(name)
	if !ok {
		return time.UTC
	}
	// "Local" would be the server's own.
	zone, err := time.LoadLocation(value)
	if err != nil || zone == time.Local {
		p.fault(name, audit.CodeEnum, "must be a name of the IANA time zone database, such as Europe/Berlin")
		return time.UTC
	}
	return zone
}

// span is how much of the past a trend shows by default.
func span(i audit.Interval) time.Duration {
	const day = 24 * time.Hour
	switch i {
	case audit.Hour:
		return 2 * day
	case audit.Day:
		return 30 * day
	default:
		return 26 * 7 * day
	}
}

// divide completes the range of time and divides it into buckets.
func (q *TrendQuery) divide(p *parameters, now time.Time) {
	f := &q.Filter
	if f.Until == nil {
		until := audit.Microseconds(now)
		f.Until = &until
	}
	if f.Since == nil {
		since := f.Until.Add(-span(q.interval))
		f.Since = &since
	}
	if !f.Since.Before(*f.Until) {
		p.fault("since", audit.CodeOrder, "must be before now where until is absent")
		return
	}
	q.Starts, q.end = q.interval.Starts(*f.Since, *f.Until, q.zone, maxBuckets)
	if q.end.Before(*f.Until) {
		p.fault("since", audit.CodeRange, fmt.Sprintf("must leave no more than %d buckets of this interval before until", maxBuckets))
	}
}

// Respond writes the counts of each bucket.
func (q *TrendQuery) Respond(counts []audit.StatusCounts) *Response {
	ends := append(slices.Clone(q.Starts[1:]), q.end)
	trend := client.Trend{
		Data: make([]client.TrendBucket, len(counts)),
		Stats: client.TrendInfo{
			Interval: client.Interval(q.interval), TimeZone: q.zone.String(), Since: q.Filter.Since.UTC(), Until: q.Filter.Until.UTC(),
		},
	}
	for i, n := range counts {
		trend.Data[i] = client.TrendBucket{
			Start: writable(q.Starts[i]), End: writable(ends[i]),
			Total:   n.Pending + n.Running + n.Success + n.Failure,
			Pending: n.Pending, Running: n.Running, Success: n.Success, Failure: n.Failure,
		}
	}
	return NewAnswer(http.StatusOK, trend)
}

// writable is t in UTC where RFC 3339 cannot write its offset: Liberia's had seconds until 1972.
func writable(t time.Time) time.Time {
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.UTC()
	}
	return t
}
