package endtoend_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// endedRemediation is a remediation that began at the given time and has ended.
func endedRemediation(id, action string, status client.Status, at time.Time) client.RemediationInput {
	record := minimalRecord(id)
	record.ActionType, record.Phase, record.Status, record.StartTime = action, client.PhaseCompleted, status, at
	return record
}

// aroundMaintenance runs the checks before a maintenance run has merged anything, and after one.
func aroundMaintenance(t *testing.T, stack *endtoend.Stack, check func()) {
	t.Helper()
	check()
	if _, err := stack.Functions.Maintain.Invoke(t.Context()); err != nil {
		t.Error(err)
	}
	check()
}

// TestSuccessRate checks the rates of actions: best first by the lower bound, an action without ended
// remediations last, and the effect of min_samples, a filter, a time range and a limit.
func TestSuccessRate(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	records := manyRecords(50, func(i int) client.RemediationInput {
		status := client.StatusSuccess
		if i < 2 {
			status = client.StatusFailure
		}
		return endedRemediation(numberedRecord(i).RemediationID, "drain", status, start)
	})
	other := endedRemediation("other", "once", client.StatusSuccess, start.AddDate(0, 0, 1))
	other.Namespace = "other"
	records = append(records, other, endedRemediation("never", "never", client.StatusFailure, start), minimalRecord("begun"))
	createAll(t, stack, records)
	none := client.SuccessRate{Key: "restart_pod", Total: 1}
	never := client.SuccessRate{Key: "never", Total: 1, Failure: 1, Rate: new(0.0), Low: new(0.0), High: new(0.793)}
	once := client.SuccessRate{Key: "once", Total: 1, Success: 1, Rate: new(1.0), Low: new(0.207), High: new(1.0)}
	drain := client.SuccessRate{Key: "drain", Total: 50, Success: 48, Failure: 2, Rate: new(0.96), Low: new(0.865), High: new(0.989)}
	by := client.DimensionActionType
	aroundMaintenance(t, stack, func() {
		t.Helper()
		for _, c := range []struct {
			params client.GetSuccessRateParams
			want   []client.SuccessRate
			more   bool
		}{
			{client.GetSuccessRateParams{GroupBy: by}, []client.SuccessRate{drain, once, never, none}, false},
			{client.GetSuccessRateParams{GroupBy: by, Limit: 2}, []client.SuccessRate{drain, once}, true},
			{client.GetSuccessRateParams{GroupBy: by, MinSamples: 1}, []client.SuccessRate{drain, once, never}, false},
			{client.GetSuccessRateParams{GroupBy: by, MinSamples: 50}, []client.SuccessRate{drain}, false},
			{client.GetSuccessRateParams{GroupBy: by, MinSamples: 51}, []client.SuccessRate{}, false},
			{client.GetSuccessRateParams{GroupBy: by, Namespace: "other"}, []client.SuccessRate{once}, false},
			{client.GetSuccessRateParams{GroupBy: by, Since: start.Add(time.Hour).Format(time.RFC3339)}, []client.SuccessRate{once}, false},
			{
				client.GetSuccessRateParams{GroupBy: by, Until: start.Add(time.Hour).Format(time.RFC3339)},
				[]client.SuccessRate{drain, never, none},
				false,
			},
			{client.GetSuccessRateParams{GroupBy: by, Status: "pending", ActionType: "restart_pod,drain"}, []client.SuccessRate{none}, false},
		} {
			got, err := stack.Client.SuccessRate(t.Context(), c.params)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(c.want, got.Data, cmpopts.EquateApprox(0, 0.0005)); diff != "" || got.Stats.HasMore != c.more {
				t.Errorf("%+v: has_more %v (-want +got):\n%s", c.params, got.Stats.HasMore, diff)
			}
		}
		rates, err := stack.Client.SuccessRate(t.Context(), client.GetSuccessRateParams{GroupBy: client.DimensionClusterName, MinSamples: 2})
		if err != nil || len(rates.Data) != 1 || rates.Data[0].Key != "" || rates.Data[0].Total != 53 {
			t.Errorf("remediations without a cluster: %+v %v", rates, err)
		}
	})
}

// TestTrend checks hours and days around the change of offset of 25 October 2026 in Berlin, and the default range.
func TestTrend(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	at := func(text string) time.Time {
		t.Helper()
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	recent := minimalRecord("recent")
	recent.StartTime = time.Now().Add(-time.Minute)
	createAll(t, stack, []client.RemediationInput{
		endedRemediation("before", "a", client.StatusSuccess, at("2026-10-25T01:59:59+02:00")),
		endedRemediation("first", "a", client.StatusSuccess, at("2026-10-25T02:30:00+02:00")),
		endedRemediation("second", "b", client.StatusFailure, at("2026-10-25T02:30:00+01:00")),
		endedRemediation("late", "a", client.StatusRunning, at("2026-10-25T23:59:59+01:00")), recent,
	})
	type bucket = client.TrendBucket
	ask := func(params client.GetTrendParams) *client.Trend {
		t.Helper()
		trend, err := stack.Client.Trend(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return trend
	}
	hours := client.GetTrendParams{
		Interval: client.IntervalHour, TimeZone: "Europe/Berlin", Since: "2026-10-24T23:30:00Z", Until: "2026-10-25T02:30:00Z",
	}
	aroundMaintenance(t, stack, func() {
		t.Helper()
		want := []bucket{
			{Start: at("2026-10-25T01:00:00+02:00"), End: at("2026-10-25T02:00:00+02:00"), Total: 1, Success: 1},
			{Start: at("2026-10-25T02:00:00+02:00"), End: at("2026-10-25T02:00:00+01:00"), Total: 1, Success: 1},
			{Start: at("2026-10-25T02:00:00+01:00"), End: at("2026-10-25T03:00:00+01:00"), Total: 1, Failure: 1},
			{Start: at("2026-10-25T03:00:00+01:00"), End: at("2026-10-25T04:00:00+01:00")},
		}
		if diff := gocmp.Diff(want, ask(hours).Data); diff != "" {
			t.Errorf("hours (-want +got):\n%s", diff)
		}
		filtered := hours
		filtered.ActionType = "b"
		want[0], want[1] = bucket{Start: want[0].Start, End: want[0].End}, bucket{Start: want[1].Start, End: want[1].End}
		if diff := gocmp.Diff(want, ask(filtered).Data); diff != "" {
			t.Errorf("hours of one action (-want +got):\n%s", diff)
		}
		days := ask(client.GetTrendParams{
			Interval: client.IntervalDay, TimeZone: "Europe/Berlin", Since: "2026-10-24T22:00:00Z", Until: "2026-10-25T23:00:00Z",
		})
		day := bucket{
			Start: at("2026-10-25T00:00:00+02:00"), End: at("2026-10-26T00:00:00+01:00"), Total: 4, Running: 1, Success: 2, Failure: 1,
		}
		if diff := gocmp.Diff([]bucket{day}, days.Data); diff != "" || day.End.Sub(day.Start) != 25*time.Hour {
			t.Errorf("a day of 25 hours (-want +got):\n%s", diff)
		}
		week := ask(client.GetTrendParams{Interval: client.IntervalWeek, Since: "2026-10-20T00:00:00Z", Until: "2026-10-26T00:00:00Z"})
		if len(week.Data) != 1 || week.Data[0].Start.Weekday() != time.Monday || week.Data[0].Total != 4 {
			t.Errorf("a week: %+v", week)
		}
		for interval, least := range map[client.Interval]int{client.IntervalHour: 48, client.IntervalDay: 30, client.IntervalWeek: 26} {
			trend := ask(client.GetTrendParams{Interval: interval})
			last := trend.Data[len(trend.Data)-1]
			if n := len(trend.Data); n < least || n > least+1 || trend.Stats.TimeZone != "UTC" {
				t.Errorf("by default %d buckets of a %s, %+v", n, interval, trend.Stats)
			}
			if interval != client.IntervalHour && last.Pending != 1 {
				t.Errorf("the last %s is %+v, want one pending", interval, last)
			}
		}
	})
}

// TestSuccessRateByEveryField groups the same remediations by each field, and computes the interval
// independently, as the roots of (p − x)² = z² x (1 − x) / n.
func TestSuccessRateByEveryField(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	createAll(t, stack, manyRecords(90, func(i int) client.RemediationInput {
		record := endedRemediation(numberedRecord(i).RemediationID, pickByIndex(i, "a", "a", "b"), client.StatusSuccess, start.Add(time.Duration(i)*time.Hour))
		record.Name, record.Namespace = pickByIndex(i, "N", "N", "ن"), pickByIndex(i, "n", "n", "支付")
		record.Severity = new(pickByIndex(i, client.SeverityHigh, client.SeverityHigh, client.SeverityLow))
		record.ClusterName = new(pickByIndex(i, "c1", "c1", "c2"))
		record.Environment = new(pickByIndex(i, client.EnvironmentTest, client.EnvironmentTest, client.EnvironmentProduction))
		if i%5 == 0 {
			record.Status = client.StatusFailure
		}
		return record
	}))
	keys := map[client.Dimension][]string{
		client.DimensionName: {"N", "ن"}, client.DimensionActionType: {"a", "b"}, client.DimensionNamespace: {"n", "支付"},
		client.DimensionSeverity: {"high", "low"}, client.DimensionClusterName: {"c1", "c2"}, client.DimensionEnvironment: {"test", "production"},
	}
	// Of the 60 of the first, 12 failed; of the other 30, 6.
	want := func(keys []string) []client.SuccessRate {
		var rates []client.SuccessRate
		for i, n := range []float64{60, 30} {
			const p, z = 0.8, 1.959963985
			root := z * math.Sqrt(z*z+4*n*p*(1-p))
			low, high := (2*n*p+z*z-root)/(2*(n+z*z)), (2*n*p+z*z+root)/(2*(n+z*z))
			rates = append(rates, client.SuccessRate{
				Key: keys[i], Total: int64(n), Success: int64(p * n), Failure: int64(n) - int64(p*n), Rate: new(p), Low: &low, High: &high,
			})
		}
		return rates
	}
	aroundMaintenance(t, stack, func() {
		t.Helper()
		for by, keys := range keys {
			got, err := stack.Client.SuccessRate(t.Context(), client.GetSuccessRateParams{GroupBy: by})
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want(keys), got.Data, cmpopts.EquateApprox(0, 1e-6)); diff != "" || got.Stats.GroupBy != by {
				t.Errorf("by %s (-want +got):\n%s", by, diff)
			}
		}
	})
}

// zoneDays are days with or without a change of offset, and the length of the day of the change.
func zoneDays() map[string]map[string]time.Duration {
	return map[string]map[string]time.Duration{
		"Europe/Berlin":       {"2026-03-29": 23 * time.Hour, "2026-10-25": 25 * time.Hour},
		"America/New_York":    {"2026-03-08": 23 * time.Hour, "2026-11-01": 25 * time.Hour},
		"Australia/Lord_Howe": {"2026-04-05": 24*time.Hour + 30*time.Minute, "2026-10-04": 23*time.Hour + 30*time.Minute},
		"Asia/Kathmandu":      {"2026-03-29": 24 * time.Hour},
		"UTC":                 {"2026-03-29": 24 * time.Hour},
	}
}

// TestTrendInTimeZones counts on the clock of each zone: remediations begin every 25 minutes of the days
// before, of and after a change of offset, but none on every third date. Buckets have no gaps between them, and
// empty buckets are included.
func TestTrendInTimeZones(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	var began []time.Time
	for _, days := range zoneDays() {
		for date := range days {
			noon, err := time.Parse(time.DateOnly, date)
			if err != nil {
				t.Fatal(err)
			}
			for at := noon.AddDate(0, 0, -2); at.Before(noon.AddDate(0, 0, 3)); at = at.Add(25 * time.Minute) {
				if at.Day()%3 > 0 {
					began = append(began, at)
				}
			}
		}
	}
	for chunk := range slices.Chunk(began, 400) {
		createAll(t, stack, manyRecords(len(chunk), func(i int) client.RemediationInput {
			return endedRemediation(fmt.Sprint(chunk[0].Unix(), "-", i, "-", chunk[i].Unix()), "a", client.StatusSuccess, chunk[i])
		}))
	}
	aroundMaintenance(t, stack, func() {
		t.Helper()
		for name, days := range zoneDays() {
			for date, long := range days {
				countsByClock(t, stack, began, name, date, long)
			}
		}
	})
}

func countsByClock(t *testing.T, stack *endtoend.Stack, began []time.Time, name, date string, long time.Duration) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	day, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil {
		t.Fatal(err)
	}
	since, until := day.AddDate(0, 0, -1).Add(10*time.Minute), day.AddDate(0, 0, 2).Add(-10*time.Minute)
	for interval, label := range map[client.Interval]string{
		client.IntervalHour: "2006-01-02T15-07:00", client.IntervalDay: time.DateOnly, client.IntervalWeek: "week",
	} {
		trend, err := stack.Client.Trend(t.Context(), client.GetTrendParams{
			Interval: interval, TimeZone: name, Since: since.Format(time.RFC3339), Until: until.Format(time.RFC3339),
		})
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]int64{}, map[string]int64{}
		for _, at := range began {
			if !at.Before(since) && at.Before(until) {
				want[bucketLabel(at.In(zone), label)]++
			}
		}
		empty := 0
		for i, bucket := range trend.Data {
			if i > 0 && !bucket.Start.Equal(trend.Data[i-1].End) {
				t.Errorf("%s by %s: a gap before %v", name, interval, bucket.Start)
			}
			if bucket.Total > 0 {
				got[bucketLabel(bucket.Start.In(zone), label)] += bucket.Total
			} else {
				empty++
			}
			if interval == client.IntervalDay && bucket.Start.Equal(day) && bucket.End.Sub(bucket.Start) != long {
				t.Errorf("%s: %s lasts %v, want %v", name, date, bucket.End.Sub(bucket.Start), long)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s by %s around %s (-want +got):\n%s", name, interval, date, diff)
		}
		if interval == client.IntervalDay && len(trend.Data) != 3 || interval == client.IntervalHour && empty == 0 {
			t.Errorf("%s by %s around %s: %d buckets, %d of them empty", name, interval, date, len(trend.Data), empty)
		}
	}
}

// bucketLabel identifies the bucket of a time; an hour that the clock shows twice differs in its offset.
func bucketLabel(t time.Time, label string) string {
	if label == "week" {
		year, week := t.ISOWeek()
		return fmt.Sprint(year, " ", week)
	}
	return t.Format(label)
}
