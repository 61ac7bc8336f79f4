package telemetry_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

const (
	traceID = "1-5759e988-bd862e3fe1be46a994272793"
	parent  = "53995c3f42cd8ad8"
	sampled = "Root=" + traceID + ";Parent=" + parent + ";Sampled=1"
)

// TestSegments checks the document of an invocation with a statement and a call of a provider.
func TestSegments(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{RequestID: "id", Operation: "createRemediation", TraceHeader: sampled})
	invocation.SetRemediationID("rr-1")
	telemetry.Add(ctx, telemetry.EmbeddingCacheHits, 3)
	telemetry.Add(ctx, telemetry.EmbeddingCacheMisses, 1)
	telemetry.StartStatement(ctx, "SignatureStored").End(nil)
	telemetry.StartProviderCall(ctx, "org/model<1>@8", true).End(errors.New("down"))
	invocation.End(telemetry.Rejected)
	segment := daemon.Next(t)
	if segment.Name != "createRemediation" || segment.TraceID != traceID || segment.ParentID != parent || segment.Type != "subsegment" ||
		!segment.Error || segment.Fault {
		t.Errorf("segment %+v", segment)
	}
	for name, want := range map[string]any{
		"cache_hits": 3.0, "cache_misses": 1.0, "operation": "createRemediation", "status": "rejected", "request_id": "id", "remediation_id": "rr-1",
	} {
		if segment.Annotations[name] != want {
			t.Errorf("annotation %s is %v, want %v", name, segment.Annotations[name], want)
		}
	}
	if len(segment.Subsegments) != 2 {
		t.Fatalf("subsegments %+v", segment.Subsegments)
	}
	statement, call := segment.Subsegments[0], segment.Subsegments[1]
	if statement.Name != "SignatureStored" || statement.SQL["database_type"] != "PostgreSQL" || statement.Fault {
		t.Errorf("statement %+v", statement)
	}
	if call.Name != "embed org/model_1_@8" || call.Namespace != "remote" || !call.Fault {
		t.Errorf("call %+v", call)
	}
}

// TestUntraced checks that nothing is sent for a request that is not sampled or has no segment in
// X-Ray.
func TestUntraced(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	for _, header := range []string{
		"", "Root=" + traceID, "Root=" + traceID + ";Parent=" + parent, "Root=" + traceID + ";Parent=" + parent + ";Sampled=0",
		"Root=" + traceID + ";Parent=" + parent + ";Sampled=?", "Root=" + traceID + ";Sampled=1", "Parent=" + parent + ";Sampled=1", "nonsense",
	} {
		ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "search", TraceHeader: header})
		telemetry.StartStatement(ctx, "SearchNearest").End(nil)
		invocation.End(telemetry.Success)
	}
	_, last := tel.Begin(t.Context(), telemetry.Call{Operation: "getHealth", TraceHeader: sampled})
	last.End(telemetry.Success)
	if first := daemon.Next(t); first.Name != "getHealth" {
		t.Errorf("%s was sent", first.Name)
	}
}

// TestManySpans checks that a document too large for a datagram is sent in parts, each with its
// parent.
func TestManySpans(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "maintain", TraceHeader: sampled})
	const spans = 600
	for i := range spans {
		telemetry.StartStatement(ctx, fmt.Sprintf("Statement%d", i)).End(nil)
	}
	invocation.End(telemetry.Success)
	segment := daemon.Next(t)
	if segment.Name != "maintain" || len(segment.Subsegments) != 0 {
		t.Fatalf("segment %+v", segment)
	}
	for range 20 { // the socket buffer may not hold all of them
		part := daemon.Next(t)
		if part.ParentID != segment.ID || part.TraceID != traceID || part.Type != "subsegment" {
			t.Fatalf("part %+v", part)
		}
	}
}

// TestNoDaemon checks that invocations are not delayed if no daemon is configured or listening.
func TestNoDaemon(t *testing.T) {
	t.Parallel()
	closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	address := closed.LocalAddr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"", address, "daemon.invalid:2000"} {
		tel := newTraced(t, address)
		started := time.Now()
		const invocations = 1000
		for range invocations {
			ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "search", TraceHeader: sampled})
			telemetry.StartStatement(ctx, "SearchNearest").End(nil)
			invocation.End(telemetry.Success)
		}
		t.Logf("%q: %v an invocation", address, time.Since(started)/invocations)
	}
	if _, err := telemetry.New(telemetry.Config{Daemon: "nowhere"}); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("an address without a port: %v", err)
	}
	both, err := telemetry.New(telemetry.Config{Daemon: "tcp:127.0.0.1:2000 udp:" + address})
	if err != nil {
		t.Error(err)
	}
	both.Close()
}

func newTraced(tb testing.TB, address string) *telemetry.Telemetry {
	tb.Helper()
	tel, err := telemetry.New(telemetry.Config{Daemon: address})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(tel.Close)
	return tel
}
