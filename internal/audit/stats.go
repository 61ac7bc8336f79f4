package audit

import "time"

// Dimension is a field of remediations by whose values success is counted.
type Dimension string

// Dimensions are all of them.
func Dimensions() []Dimension {
	return []Dimension{"name", "action_type", "namespace", "severity", "cluster_name", "environment"}
}

// SuccessRate is how the remediations with one value of a dimension ended.
type SuccessRate struct {
	// Key is the value, empty for remediations that have none.
	Key string
	// Total counts also those that have not ended.
	Total int64
	Outcome
}

// StatusCounts counts remediations by status.
type StatusCounts struct{ Pending, Running, Success, Failure int64 }

// Interval is the length of a trend's buckets by the clock of a time zone.
type Interval string

// The intervals. A week begins on Monday (ISO 8601).
const (
	Hour Interval = "hour"
	Day  Interval = "day"
	Week Interval = "week"
)

// Intervals are all of them.
func Intervals() []Interval { return []Interval{Hour, Day, Week} }

// Starts answers where the buckets of the interval that meet since <= t < until begin, in order, at most limit of them, and where the
// last of these ends. The first may begin before since and the last end after until. Buckets begin on the clock of the location: a day
// of a change of offset is shorter or longer, an hour that the clock shows twice is two buckets, one that it skips is none.
func (i Interval) Starts(since, until time.Time, location *time.Location, limit int) (starts []time.Time, end time.Time) {
	end = i.bucketStart(since.In(location))
	for end.Before(until) && len(starts) < limit {
		starts = append(starts, end)
		end = i.nextBucket(end)
	}
	return starts, end
}

// bucketStart is where the bucket with t in it begins.
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

// nextBucket is where the bucket after the one that begins at start begins.
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

// daysSinceMonday is how many days the week is old.
func daysSinceMonday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

// startOfDate is the first moment of a date, which may lie outside its month. Where a change of offset skips that, it is the moment of the
// change; where one repeats it, the first of the two. (time.Date answers any of them.)
func startOfDate(year int, month time.Month, day int, location *time.Location) time.Time {
	clock := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	found := time.Date(year, month, day, 0, 0, 0, 0, location)
	begin, end := found.ZoneBounds()
	switch shown := wallClock(found); {
	case shown.Before(clock):
		return end
	case shown.After(clock):
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

// wallClock is what the clock shows at t, as if it were UTC.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// startOfHour is where the hour of the clock with t in it begins, or the change of offset in it before t.
func startOfHour(t time.Time) time.Time {
	shown := wallClock(t)
	full := t.Add(-shown.Sub(shown.Truncate(time.Hour)))
	if begin, _ := t.ZoneBounds(); changesOffset(begin) && begin.After(full) {
		return begin
	}
	return full
}

// startOfNextHour is where the hour of the clock with t in it ends, or the change of offset in it after t.
func startOfNextHour(t time.Time) time.Time {
	shown := wallClock(t)
	full := t.Add(shown.Truncate(time.Hour).Add(time.Hour).Sub(shown))
	if _, end := t.ZoneBounds(); changesOffset(end) && end.Before(full) {
		return end
	}
	return full
}

// changesOffset reports whether the offset changes at a bound of a zone; a bound may also change no more than the zone's name.
func changesOffset(bound time.Time) bool {
	if bound.IsZero() {
		return false
	}
	_, before := bound.Add(-1).Zone()
	_, after := bound.Zone()
	return before != after
}
