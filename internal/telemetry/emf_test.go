package telemetry_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// newTelemetry returns a Telemetry after its cold start, with metrics written to out.
func newTelemetry(tb testing.TB, out *bytes.Buffer) *telemetry.Telemetry {
	tb.Helper()
	tel, err := telemetry.New(telemetry.Config{Metrics: out, ClosedSets: api.ClosedSets("consumeQueue", "maintain")})
	if err != nil {
		tb.Fatal(err)
	}
	_, first := tel.Begin(context.Background(), telemetry.Call{Operation: "getHealth"})
	first.End(telemetry.Success)
	out.Reset()
	return tel
}

// withoutSeries removes the series whose names have one of the prefixes.
func withoutSeries(read map[string][]float64, prefixes ...string) map[string][]float64 {
	for series := range read {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(series, prefix) }) {
			delete(read, series)
		}
	}
	return read
}

// TestOneLine checks that an invocation is one line, with values of closed sets as dimensions and
// the rest as properties.
func TestOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, &out)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{
		RequestID: `a"b`, Operation: "createRemediation", TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
	})
	invocation.SetRemediationID("rr-<1>")
	invocation.SetModel("m@8")
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, 2)
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, 3)
	telemetry.Observe(ctx, telemetry.PostgresLatency, 0.25)
	telemetry.Observe(ctx, telemetry.PostgresLatency, 1e-7)
	telemetry.Add(ctx, telemetry.DualWrites, 1, telemetry.Success)
	telemetry.Add(ctx, telemetry.EmbeddingCacheMisses, 0)
	invocation.End(telemetry.Success)
	all := telemetrytest.ReadMetrics(t, out.String())
	if len(all) != 1 {
		t.Fatalf("%d lines:\n%s", len(all), out.String())
	}
	want := map[string][]float64{
		"datastorage_embedding_cache_hits_total{}":                                 {5},
		"datastorage_postgres_latency_seconds{}":                                   {0.25, 1e-7},
		"datastorage_dualwrite_total{status=success}":                              {1},
		"datastorage_operations_total{operation=createRemediation,status=success}": {1},
		"datastorage_operation_duration_seconds{operation=createRemediation}":      {0},
	}
	got := telemetrytest.Series(all)
	for _, duration := range got["datastorage_operation_duration_seconds{operation=createRemediation}"] {
		if duration <= 0 || duration > 60 {
			t.Errorf("duration is %v s", duration)
		}
	}
	got["datastorage_operation_duration_seconds{operation=createRemediation}"] = []float64{0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"request_id": `a"b`, "trace_id": "1-5759e988-bd862e3fe1be46a994272793", "remediation_id": "rr-<1>", "model": "m@8",
	} {
		if all[0][name] != value {
			t.Errorf("%s is %v, want %s", name, all[0][name], value)
		}
	}
}

// TestSeriesShareNoLine checks that each series of a metric is written on a separate line, and that
// other metrics are on the first of these lines.
func TestSeriesShareNoLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, &out)
	_, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "createRemediations"})
	for _, field := range []string{"name", "phase", "name", "made up", "another"} {
		invocation.Add(telemetry.ValidationFailures, 1, field)
	}
	invocation.Add(telemetry.DualWrites, 2, telemetry.Success)
	invocation.Add(telemetry.EmbeddingGenerations, 1, telemetry.Failure)
	invocation.Add(telemetry.Sanitizations, 7, "redacted_token")
	invocation.End(telemetry.Success)
	all := telemetrytest.ReadMetrics(t, out.String())
	if len(all) != 3 {
		t.Errorf("%d lines:\n%s", len(all), out.String())
	}
	want := map[string][]float64{
		"datastorage_validation_failures_total{field=name}":                         {2},
		"datastorage_validation_failures_total{field=phase}":                        {1},
		"datastorage_validation_failures_total{field=other}":                        {2},
		"datastorage_dualwrite_total{status=success}":                               {2},
		"datastorage_embedding_generation_total{status=failure}":                    {1},
		"datastorage_sanitization_total{action=redacted_token}":                     {7},
		"datastorage_operations_total{operation=createRemediations,status=success}": {1},
	}
	if diff := cmp.Diff(want, withoutSeries(telemetrytest.Series(all), "datastorage_operation_duration")); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

// TestManyValues checks that values beyond the limit of an array continue on another line.
func TestManyValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, &out)
	_, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "maintain"})
	var want []float64
	for i := range 250 {
		want = append(want, float64(i))
		invocation.Observe(telemetry.PostgresLatency, float64(i))
	}
	invocation.End(telemetry.Success)
	all := telemetrytest.ReadMetrics(t, out.String())
	if got := telemetrytest.Series(all)["datastorage_postgres_latency_seconds{}"]; len(all) != 3 || !slices.Equal(got, want) {
		t.Errorf("%d lines with %d values", len(all), len(got))
	}
}

// TestNumbersCloudWatchRefuses checks that numbers that CloudWatch would refuse are dropped.
func TestNumbersCloudWatchRefuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, &out)
	_, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "search"})
	for _, number := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 3} {
		invocation.Observe(telemetry.BatchSize, number)
	}
	invocation.End(telemetry.Success)
	figures := telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String()))
	if got := figures["datastorage_batch_size{}"]; !slices.Equal(got, []float64{3}) {
		t.Errorf("values %v", got)
	}
}

// FuzzLines checks that arbitrary values yield valid lines, with dimensions in their closed sets.
func FuzzLines(f *testing.F) {
	f.Add(0, 1.5, "createRemediation", "success", "id")
	f.Add(9, 1e300, "\x00<\u2028", "\xff", `"`)
	f.Fuzz(func(t *testing.T, metric int, value float64, first, second, id string) {
		var out bytes.Buffer
		tel := newTelemetry(t, &out)
		_, invocation := tel.Begin(t.Context(), telemetry.Call{RequestID: id, Operation: first, TraceHeader: second})
		invocation.SetRemediationID(id)
		invocation.SetModel(second)
		all := telemetry.Metrics()
		invocation.Observe(all[(metric%len(all)+len(all))%len(all)], value, first, second)
		invocation.End(second)
		telemetrytest.CheckClosedSets(t, api.ClosedSets("consumeQueue", "maintain"), telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String())))
	})
}

// TestLateReports checks that a value reported after the end of its invocation is written by the
// next invocation or by Close, without properties.
func TestLateReports(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, &out)
	ctx, first := tel.Begin(t.Context(), telemetry.Call{RequestID: "first", Operation: "search"})
	first.End(telemetry.Success)
	first.End(telemetry.Failure)
	out.Reset()
	telemetry.Add(ctx, telemetry.EmbeddingGenerations, 1, telemetry.Failure)
	_, second := tel.Begin(t.Context(), telemetry.Call{RequestID: "second", Operation: "search"})
	second.End(telemetry.Success)
	all := telemetrytest.ReadMetrics(t, out.String())
	if len(all) != 2 || all[0]["request_id"] != "second" || all[1]["request_id"] != nil {
		t.Errorf("lines\n%s", out.String())
	}
	late := telemetrytest.Series(all[1:])["datastorage_embedding_generation_total{status=failure}"]
	if !slices.Equal(late, []float64{1}) {
		t.Errorf("late values are %v", late)
	}
	out.Reset()
	telemetry.Add(ctx, telemetry.EmbeddingGenerations, 1, telemetry.Success)
	tel.Close()
	if got := telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String())); len(got) != 1 {
		t.Errorf("Close wrote %v", got)
	}
}

// TestCloseWaits checks a shutdown with two running invocations: the one that ends in time is
// counted with its status, the other as timed out, within the half second that Lambda allows.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tel := newTelemetry(t, &out)
		_, short := tel.Begin(t.Context(), telemetry.Call{Operation: "search"})
		_, long := tel.Begin(t.Context(), telemetry.Call{Operation: "maintain"})
		time.AfterFunc(200*time.Millisecond, func() { short.End(telemetry.Success) })
		started := time.Now()
		tel.Close()
		if took := time.Since(started); took > 400*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
		long.End(telemetry.Success)
		figures := telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String()))
		for _, dimensions := range []string{"operation=search,status=success", "operation=maintain,status=timeout"} {
			if got := figures["datastorage_operations_total{"+dimensions+"}"]; !slices.Equal(got, []float64{1}) {
				t.Errorf("%s: %v in\n%s", dimensions, got, out.String())
			}
		}
	})
}

// TestDeadline checks that a running invocation is reported once, before the function's deadline.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tel := newTelemetry(t, &out)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
		defer cancel()
		ctx, invocation := tel.Begin(ctx, telemetry.Call{Operation: "maintain"})
		telemetry.Add(ctx, telemetry.EmbeddingGenerations, 4, telemetry.Success)
		time.Sleep(15*time.Minute - 150*time.Millisecond)
		synctest.Wait()
		want := map[string][]float64{
			"datastorage_embedding_generation_total{status=success}":          {4},
			"datastorage_operations_total{operation=maintain,status=timeout}": {1},
			"datastorage_operation_duration_seconds{operation=maintain}":      {899.8},
		}
		if diff := cmp.Diff(want, telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String()))); diff != "" {
			t.Errorf("before its end (-want +got):\n%s", diff)
		}
		out.Reset()
		invocation.End(telemetry.Success)
		if out.Len() > 0 {
			t.Errorf("End wrote %s", out.String())
		}
	})
}

// TestNilDoesNothing checks that reports without an invocation, and invocations without telemetry,
// do nothing.
func TestNilDoesNothing(t *testing.T) {
	t.Parallel()
	telemetry.Add(t.Context(), telemetry.EmbeddingCacheHits, 1)
	var none *telemetry.Telemetry
	ctx, invocation := none.Begin(t.Context(), telemetry.Call{Operation: "search"})
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, 1)
	telemetry.StartStatement(ctx, "RemediationGet").End(nil)
	invocation.End(telemetry.Success)
	none.Close()
	tel, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, invocation = tel.Begin(t.Context(), telemetry.Call{Operation: "search"})
	invocation.End(telemetry.Success)
	tel.Close()
}

// TestVersionFailures checks that failures and time-outs, and nothing else, are counted for the deployed version.
func TestVersionFailures(t *testing.T) {
	t.Parallel()
	const version = "datastorage-prod-WriteFunction-1:7"
	for _, deployed := range []string{version, ""} {
		var out bytes.Buffer
		tel, err := telemetry.New(telemetry.Config{Metrics: &out, ClosedSets: api.ClosedSets(), Version: deployed})
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []string{telemetry.Success, telemetry.Rejected, telemetry.Failure, telemetry.Timeout} {
			_, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "createRemediation"})
			invocation.End(status)
		}
		var counted []float64
		for series, values := range telemetrytest.Series(telemetrytest.ReadMetrics(t, out.String())) {
			if strings.HasPrefix(series, "datastorage_version_failures_total") {
				if series != "datastorage_version_failures_total{version="+version+"}" {
					t.Errorf("series %s", series)
				}
				counted = append(counted, values...)
			}
		}
		want := map[string][]float64{version: {1, 1}}[deployed]
		if !slices.Equal(counted, want) {
			t.Errorf("version %q: failures %v, want %v", deployed, counted, want)
		}
	}
}
