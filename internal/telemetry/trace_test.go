package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
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

// TestManySpans checks that an invocation has 40 spans in its document, that each of the next ones is sent when it
// ends, with its parent, and that none is sent beyond 1,000.
func TestManySpans(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "maintain", TraceHeader: sampled})
	parents := map[string]int{}
	for i := range 1010 {
		name := fmt.Sprintf("Statement%d", i)
		telemetry.StartStatement(ctx, name).End(nil)
		if i < 40 || i >= 1000 {
			continue
		}
		part := daemon.Next(t)
		if part.Name != name || part.TraceID != traceID || part.Type != "subsegment" {
			t.Fatalf("part %+v", part)
		}
		parents[part.ParentID]++
	}
	invocation.End(telemetry.Success)
	segment := daemon.Next(t)
	if segment.Name != "maintain" || len(segment.Subsegments) != 40 || parents[segment.ID] != 960 {
		t.Fatalf("parents %v of segment %+v", parents, segment)
	}
	for i, part := range segment.Subsegments {
		if part.Name != fmt.Sprintf("Statement%d", i) {
			t.Errorf("subsegment %d is %s", i, part.Name)
		}
	}
}

// TestLargestDocument checks that the most spans of a document, with the longest names and ids, fit in one datagram, and
// that names are cut between characters.
func TestLargestDocument(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	longest := strings.Repeat("&", 300) // in JSON six bytes each
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{RequestID: longest[:100], Operation: longest, TraceHeader: sampled})
	invocation.SetRemediationID(longest[:255])
	invocation.SetModel(longest[:255])
	for range 39 {
		telemetry.StartProviderCall(ctx, longest, true).End(errors.New("down"))
	}
	telemetry.StartProviderCall(ctx, strings.Repeat("ä", 300), true).End(nil)
	invocation.End(telemetry.Failure)
	segment := daemon.Next(t)
	if len(segment.Name) != 200 || len(segment.Subsegments) != 40 {
		t.Fatalf("%d subsegments of %s", len(segment.Subsegments), segment.Name)
	}
	if last := segment.Subsegments[39].Name; last != "embed "+strings.Repeat("ä", 97) {
		t.Errorf("the name of %d bytes is %s", len(last), last)
	}
	t.Logf("%d bytes", len(segment.Text))
}

// TestOpenSpans checks that an invocation is sent when it ends, without the spans that have not, and that these and
// later ones send nothing.
func TestOpenSpans(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "search", TraceHeader: sampled})
	open := telemetry.StartStatement(ctx, "SearchNearest")
	telemetry.StartStatement(ctx, "SearchLexical").End(nil)
	invocation.End(telemetry.Timeout)
	segment := daemon.Next(t)
	if !segment.Fault || len(segment.Subsegments) != 1 || segment.Subsegments[0].Name != "SearchLexical" {
		t.Errorf("segment %+v", segment)
	}
	open.End(context.Canceled)
	telemetry.StartStatement(ctx, "SearchNearest").End(nil)
	invocation.End(telemetry.Success)
	_, last := tel.Begin(t.Context(), telemetry.Call{Operation: "getHealth", TraceHeader: sampled})
	last.End(telemetry.Success)
	if next := daemon.Next(t); next.Name != "getHealth" {
		t.Errorf("%s was sent after its invocation", next.Text)
	}
}

// TestConcurrentSpans ends invocations while spans of theirs start and end, and checks that each is sent once, with
// spans of its own alone.
func TestConcurrentSpans(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	const invocations, perInvocation = 20, 8
	var work sync.WaitGroup
	for n := range invocations {
		ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: fmt.Sprintf("operation%d", n), TraceHeader: sampled})
		for range perInvocation {
			work.Go(func() { telemetry.StartStatement(ctx, fmt.Sprintf("operation%d", n)).End(nil) })
		}
		work.Go(func() { invocation.End(telemetry.Success) })
	}
	work.Wait()
	seen := map[string]int{}
	for range invocations {
		segment := daemon.Next(t)
		seen[segment.Name]++
		for _, part := range segment.Subsegments {
			if part.Name != segment.Name {
				t.Errorf("%s has a span of %s", segment.Name, part.Name)
			}
		}
	}
	if len(seen) != invocations {
		t.Errorf("segments by operation: %v", seen)
	}
}

// TestUntracedCosts checks that the SDK allocates nothing for a request that is not sampled. It is not parallel,
// because the allocations are those of the process.
func TestUntracedCosts(t *testing.T) { //nolint:paralleltest // counts allocations
	daemon := telemetrytest.NewTraceDaemon(t)
	allocations := func(tel *telemetry.Telemetry) float64 {
		return testing.AllocsPerRun(100, func() {
			ctx, invocation := tel.Begin(t.Context(), telemetry.Call{Operation: "search", TraceHeader: "Root=" + traceID + ";Parent=" + parent + ";Sampled=0"})
			telemetry.StartStatement(ctx, "SearchNearest").End(nil)
			invocation.End(telemetry.Success)
		})
	}
	if without, with := allocations(newTraced(t, "")), allocations(newTraced(t, daemon.Address)); with != without {
		t.Errorf("%v allocations with a daemon, %v without", with, without)
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

// BenchmarkTracedWrite has the spans of a write that calls a provider (internal/endtoend TestTraces).
func BenchmarkTracedWrite(b *testing.B) {
	daemon := telemetrytest.NewTraceDaemon(b)
	tel := newTraced(b, daemon.Address)
	b.ReportAllocs()
	for b.Loop() {
		ctx, invocation := tel.Begin(b.Context(), telemetry.Call{RequestID: "id", Operation: "createRemediation", TraceHeader: sampled})
		invocation.SetRemediationID("rr-1")
		for _, name := range []string{"EmbeddingModelList", "SignatureStored"} {
			telemetry.StartStatement(ctx, name).End(nil)
		}
		telemetry.StartProviderCall(ctx, "made-up@32", true).End(nil)
		telemetry.StartStatement(ctx, "RemediationAppend").End(nil)
		invocation.End(telemetry.Success)
	}
}
