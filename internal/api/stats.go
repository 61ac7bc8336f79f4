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
	// MinSamples is the smallest number of ended remediations of a key.
	MinSamples int
	Limit      int
}

// RateQuery reads the parameters of GET /v1/stats/success-rate.
func (r *Request) RateQuery(now time.Time) (*RateQuery, error) {
	var errs audit.ValidationErrors
	p := r.queryParameters(&errs)
	query := &RateQuery{
		Dimension:  readRequiredEnum(p, "group_by", audit.Dimensions()),
		MinSamples: p.readInteger("min_samples", 0, maxSamples, 0),
		Filter:     p.readFilter(now),
		Limit:      p.readInteger("limit", 1, MaxPage, defaultPage),
	}
	p.checkConsistency()
	p.reportUnread()
	return query, errs.Err()
}

// Respond returns the rates, best first. hasMore reports whether there are more than Limit.
func (q *RateQuery) Respond(rates []audit.SuccessRate, hasMore bool) *Response {
	return NewResponse(http.StatusOK, client.SuccessRates{
		Data: convertSlice(rates, wireSuccessRate),
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
	// Starts are the starts of the buckets, in order. The first is not after Filter.Since.
	Starts []time.Time

	end      time.Time
	interval audit.Interval
	zone     *time.Location
}

// TrendQuery reads the parameters of GET /v1/stats/trend.
func (r *Request) TrendQuery(now time.Time) (*TrendQuery, error) {
	var errs audit.ValidationErrors
	p := r.queryParameters(&errs)
	query := &TrendQuery{
		interval: readRequiredEnum(p, "interval", audit.Intervals()),
		zone:     p.readTimeZone("time_zone"),
		Filter:   p.readFilter(now),
	}
	p.checkConsistency()
	p.reportUnread()
	if len(errs) == 0 {
		query.divideIntoBuckets(p, now)
	}
	return query, errs.Err()
}

// readTimeZone returns a time zone by its name, or UTC if the parameter is absent.
func (p *parameterReader) readTimeZone(name string) *time.Location {
	value, ok := p.readString(name)
	if !ok {
		return time.UTC
	}
	// "Local" is the time zone of the server.
	zone, err := time.LoadLocation(value)
	if err != nil || zone == time.Local {
		p.addError(name, audit.CodeEnum, "must be a name in the IANA time zone database, such as Europe/Berlin")
		return time.UTC
	}
	return zone
}

// defaultTrendSpan returns the length of the time range if since is absent.
func defaultTrendSpan(i audit.Interval) time.Duration {
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

// divideIntoBuckets fills in missing bounds of the time range and divides it into buckets.
func (q *TrendQuery) divideIntoBuckets(p *parameterReader, now time.Time) {
	f := &q.Filter
	if f.Until == nil {
		until := audit.Microseconds(now)
		f.Until = &until
	}
	if f.Since == nil {
		since := f.Until.Add(-defaultTrendSpan(q.interval))
		f.Since = &since
	}
	if !f.Since.Before(*f.Until) {
		p.addError("since", audit.CodeOrder, "must be before now if until is absent")
		return
	}
	q.Starts, q.end = q.interval.Starts(*f.Since, *f.Until, q.zone, maxBuckets)
	if q.end.Before(*f.Until) {
		p.addError("since", audit.CodeRange, fmt.Sprintf("must be at most %d intervals before until", maxBuckets))
	}
}

// Respond returns the counts of each bucket.
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
			Start: withWritableOffset(q.Starts[i]), End: withWritableOffset(ends[i]),
			Total:   n.Pending + n.Running + n.Success + n.Failure,
			Pending: n.Pending, Running: n.Running, Success: n.Success, Failure: n.Failure,
		}
	}
	return NewResponse(http.StatusOK, trend)
}

// withWritableOffset returns t, in UTC if RFC 3339 cannot express its offset: Liberia's had seconds
// until 1972.
func withWritableOffset(t time.Time) time.Time {
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.UTC()
	}
	return t
}
