package telemetry_test

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// TestGoldenLines compares the emitted lines byte by byte with testdata/lines.jsonl.
func TestGoldenLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tel := newTelemetry(t, &out)
		ctx, invocation := tel.Begin(t.Context(), telemetry.Call{
			RequestID: `a"b`, Operation: "createRemediations", TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
		})
		invocation.SetRemediationID("rr-<1>")
		invocation.SetModel("m@8")
		for _, field := range []string{"name", "request", "records", "made up"} {
			telemetry.Add(ctx, telemetry.ValidationFailures, 1, field)
		}
		telemetry.Add(ctx, telemetry.Sanitizations, 2, "redacted_token")
		telemetry.Add(ctx, telemetry.Sanitizations, 2, "no such action")
		telemetry.Add(ctx, telemetry.DualWrites, 1, telemetry.Pending)
		telemetry.Observe(ctx, telemetry.PostgresLatency, 0.25)
		telemetry.Observe(ctx, telemetry.PostgresLatency, 1e-7)
		time.Sleep(1500 * time.Millisecond)
		invocation.End(telemetry.Rejected)
		for _, operation := range []string{"consumeQueue", "no such operation"} {
			_, other := tel.Begin(t.Context(), telemetry.Call{Operation: operation})
			time.Sleep(time.Second)
			other.End("no such status")
		}
		want, err := os.ReadFile("testdata/lines.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("lines\n%s\nwant\n%s", out.Bytes(), want)
		}
	})
}
