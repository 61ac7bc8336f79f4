package audit

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
)

func loadZone(t *testing.T, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// TestStarts checks buckets around changes of the UTC offset.
func TestStarts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone   string
		interval     Interval
		since, until string
		want         []string // the last is the end
	}{
		{
			"23 hours", "Europe/Berlin", Day, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z",
			[]string{"2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "2026-03-31T00:00:00+02:00"},
		},
		{
			"25 hours", "Europe/Berlin", Day, "2026-10-25T00:00:00Z", "2026-10-25T23:00:00Z",
			[]string{"2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
		},
		{
			"an hour twice", "Europe/Berlin", Hour, "2026-10-25T00:30:00Z", "2026-10-25T02:01:00Z",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00", "2026-10-25T04:00:00+01:00"},
		},
		{
			"an hour skipped", "Europe/Berlin", Hour, "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z",
			[]string{"2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"},
		},
		{
			"half an hour back", "Australia/Lord_Howe", Hour, "2026-04-04T14:30:00Z", "2026-04-04T16:00:00Z",
			[]string{
				"2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30", "2026-04-05T03:00:00+10:30",
			},
		},
		{
			"a zone of quarters", "Asia/Kathmandu", Hour, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z",
			[]string{"2026-01-01T05:00:00+05:45", "2026-01-01T06:00:00+05:45", "2026-01-01T07:00:00+05:45"},
		},
		{
			"a day without midnight", "Africa/Cairo", Day, "2026-04-23T12:00:00Z", "2026-04-24T12:00:00Z",
			[]string{"2026-04-23T00:00:00+02:00", "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		},
		{
			"midnight twice", "America/Havana", Day, "2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z",
			[]string{"2026-10-31T00:00:00-04:00", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"},
		},
		{
			"a date that never was", "Pacific/Apia", Day, "2011-12-30T00:00:00Z", "2011-12-30T12:00:00Z",
			[]string{"2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"},
		},
		{
			"weeks", "America/New_York", Week, "2026-03-08T12:00:00Z", "2026-03-09T04:00:00.000001Z",
			[]string{"2026-03-02T00:00:00-05:00", "2026-03-09T00:00:00-04:00", "2026-03-16T00:00:00-04:00"},
		},
		{
			"a week from its beginning to its end", "UTC", Week, "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z",
			[]string{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			starts, end := c.interval.Starts(parseMoment(t, c.since), parseMoment(t, c.until), loadZone(t, c.zone), 100)
			var got []string
			for _, start := range append(starts, end) {
				got = append(got, start.Format(time.RFC3339Nano))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parseMoment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestStartsAgainstWallClock compares the buckets of many years with a walk in steps of 15 minutes.
// In the walk, a bucket begins whenever the wall clock shows a later date or week than before, or
// another hour or offset.
func TestStartsAgainstWallClock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe",
		"Asia/Kathmandu", "Asia/Kolkata", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location := loadZone(t, name)
			for _, year := range []int{2010, 2011, 2026} {
				since := time.Date(year, 1, 2, 3, 15, 0, 0, time.UTC)
				until := since.AddDate(1, 0, 0)
				step := 15 * time.Minute
				if name == "America/St_Johns" && year <= 2011 {
					step = time.Minute // its offset changed a minute after midnight until 2011
				}
				want := clockStarts(since, until, step, location)
				for _, interval := range Intervals() {
					starts, end := interval.Starts(since, until, location, 10_000)
					if len(starts) == 0 || starts[0].After(since) || end.Before(until) {
						t.Fatalf("%s: %d buckets from %v to %v do not cover %v to %v", interval, len(starts), starts[0], end, since, until)
					}
					// The first bucket began before the walk.
					if !slices.EqualFunc(want[interval], starts[1:], time.Time.Equal) {
						t.Errorf("%s of %d (-walked +got):\n%s", interval, year, cmp.Diff(want[interval], starts[1:]))
					}
				}
			}
		})
	}
}

func clockStarts(since, until time.Time, step time.Duration, location *time.Location) map[Interval][]time.Time {
	starts := map[Interval][]time.Time{}
	latest := clockLabelsOf(since.In(location))
	for t := since.In(location); t.Before(until); t = t.Add(step) {
		now := clockLabelsOf(t)
		if now.hour != latest.hour {
			starts[Hour] = append(starts[Hour], t)
		}
		if now.day > latest.day {
			starts[Day] = append(starts[Day], t)
		}
		if now.week > latest.week {
			starts[Week] = append(starts[Week], t)
		}
		latest = clockLabels{now.hour, max(now.day, latest.day), max(now.week, latest.week)}
	}
	return starts
}

// clockLabels are what a wall clock shows: the hour with its date and offset from UTC, the date, and the ISO week. Later
// dates and weeks are larger numbers.
type clockLabels struct {
	hour      [3]int
	day, week int
}

func clockLabelsOf(t time.Time) clockLabels {
	year, month, day := t.Date()
	isoYear, week := t.ISOWeek()
	_, offset := t.Zone()
	date := (year*100+int(month))*100 + day
	return clockLabels{hour: [3]int{date, t.Hour(), offset}, day: date, week: isoYear*100 + week}
}

func TestStartsLimit(t *testing.T) {
	t.Parallel()
	starts, end := Hour.Starts(MinTime, MaxTime, time.UTC, 1000)
	if want := MinTime.Add(1000 * time.Hour); len(starts) != 1000 || !end.Equal(want) {
		t.Errorf("%d buckets until %v, want 1000 until %v", len(starts), end, want)
	}
}
