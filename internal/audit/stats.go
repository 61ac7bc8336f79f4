package audit

import "time"

// Dimension is a field of remediations by which success rates are grouped.
type Dimension string

// Dimensions lists the dimensions.
func Dimensions() []Dimension {
	return []Dimension{"name", "action_type", "namespace", "severity", "cluster_name", "environment"}
}

// SuccessRate counts the remediations with one value of a dimension.
type SuccessRate struct {
	// Key is the value, empty for remediations without one.
	Key string
	// Total includes remediations that have not ended.
	Total int64
	Outcome
}

// StatusCounts counts remediations by status.
type StatusCounts struct{ Pending, Running, Success, Failure int64 }

// Interval is the length of the buckets of a trend, in the local time of a time zone.
type Interval string

// The intervals. Weeks begin on Monday (ISO 8601).
const (
	Hour Interval = "hour"
	Day  Interval = "day"
	Week Interval = "week"
)

// Intervals lists the intervals.
func Intervals() []Interval { return []Interval{Hour, Day, Week} }

// Starts returns the start times of the buckets that overlap since <= t < until, in order, at most
// limit of them, and the end of the last. The first may begin before since and the last end after
// until. Buckets follow the local time of the location: a day on which the UTC offset changes is
// shorter or longer, a repeated hour has two buckets, and a skipped hour has none.
func (i Interval) Starts(
	since, until time.Time, location *time.Location, limit int,
) (starts []time.Time, end time.Time) {
	end = i.bucketStart(since.In(location))
	for end.Before(until) && len(starts) < limit {
		starts = append(starts, end)
		end = i.nextBucket(end)
	}
	return starts, end
}

// bucketStart returns the start of the bucket that contains t.
func (i Interval) bucketStart(t time.Time) time.Time {
	year, month, day := t.Date()
	switch i {
	case Week:
		return startOfDate(year, month, day-daysSinceMonday(t), t.Location())
	case Day:
		return startOfDate(year, month, day, t.Location())
	default:
		return startOfHour(t)
	}
}

// nextBucket returns the start of the bucket after the one that begins at start.
func (i Interval) nextBucket(start time.Time) time.Time {
	year, month, day := start.Date()
	switch i {
	case Week:
		return startOfDate(year, month, day-daysSinceMonday(start)+7, start.Location())
	case Day:
		return startOfDate(year, month, day+1, start.Location())
	default:
		return startOfNextHour(start)
	}
}

func daysSinceMonday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

// startOfDate returns the first instant of a date; day may be out of the month's range. If a change
// of the UTC offset skips midnight, that is the instant of the change; if one repeats midnight, the
// first of the two. time.Date guarantees neither.
func startOfDate(year int, month time.Month, day int, location *time.Location) time.Time {
	clock := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	found := time.Date(year, month, day, 0, 0, 0, 0, location)
	begin, end := found.ZoneBounds()
	switch local := localTimeAsUTC(found); {
	case local.Before(clock):
		return end
	case local.After(clock):
		return begin
	}
	if !begin.IsZero() {
		_, offset := begin.Add(-1).Zone()
		if earlier := clock.Add(-time.Duration(offset) * time.Second); earlier.Before(begin) {
			return earlier.In(location)
		}
	}
	return found
}

// localTimeAsUTC returns the local time of t as if it were UTC.
func localTimeAsUTC(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// startOfHour returns the start of the local hour of t, or of the part of it after a change of the
// UTC offset.
func startOfHour(t time.Time) time.Time {
	local := localTimeAsUTC(t)
	boundary := t.Add(-local.Sub(local.Truncate(time.Hour)))
	if begin, _ := t.ZoneBounds(); changesOffset(begin) && begin.After(boundary) {
		return begin
	}
	return boundary
}

// startOfNextHour returns the end of the local hour of t, or the next change of the UTC offset if
// that comes first.
func startOfNextHour(t time.Time) time.Time {
	local := localTimeAsUTC(t)
	boundary := t.Add(local.Truncate(time.Hour).Add(time.Hour).Sub(local))
	if _, end := t.ZoneBounds(); changesOffset(end) && end.Before(boundary) {
		return end
	}
	return boundary
}

// changesOffset reports whether the UTC offset changes at a bound returned by time.ZoneBounds. At
// some bounds, only the name of the zone changes.
func changesOffset(bound time.Time) bool {
	if bound.IsZero() {
		return false
	}
	_, before := bound.Add(-1).Zone()
	_, after := bound.Zone()
	return before != after
}
