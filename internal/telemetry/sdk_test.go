package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-xray-sdk-go/v2/xray"

	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// TestSegmentsAreTheSDKs compares the documents with those of the AWS X-Ray SDK for the same work:
// the SDK must send each of their members too, with the same type, and with the same value unless
// it varies.
func TestSegmentsAreTheSDKs(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	tel := newTraced(t, daemon.Address)
	ctx, invocation := tel.Begin(t.Context(), telemetry.Call{RequestID: "id", Operation: "search", TraceHeader: sampled})
	telemetry.StartStatement(ctx, "SearchNearest").End(nil)
	telemetry.StartProviderCall(ctx, "model@8", true).End(errors.New("down"))
	invocation.End(telemetry.Failure)
	ours := segmentDocument(t, daemon.Next(t))
	segmentBySDK(t, daemon.Address)
	theirs := segmentDocument(t, daemon.Next(t))
	checkContained(t, "segment", ours, theirs)
	ourParts, theirParts := ours["subsegments"].([]any), theirs["subsegments"].([]any)
	if len(ourParts) != 2 || len(theirParts) != 2 {
		t.Fatalf("%d and %d subsegments", len(ourParts), len(theirParts))
	}
	for i := range ourParts {
		checkContained(t, "subsegment", ourParts[i].(map[string]any), theirParts[i].(map[string]any))
	}
}

// segmentBySDK does the same work with the SDK, as in Lambda, where the platform makes the segment.
func segmentBySDK(t *testing.T, daemon string) {
	t.Helper()
	address, err := net.ResolveUDPAddr("udp", daemon)
	if err != nil {
		t.Fatal(err)
	}
	emitter, err := xray.NewDefaultEmitter(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := xray.ContextWithConfig(t.Context(), xray.Config{Emitter: emitter})
	if err != nil {
		t.Fatal(err)
	}
	ctx = context.WithValue(ctx, xray.LambdaTraceHeaderKey, sampled) //nolint:staticcheck // the key that Lambda's runtime uses
	ctx, segment := xray.BeginSubsegment(ctx, "search")
	for name, value := range map[string]any{
		"status": "failure", "cache_hits": 0, "cache_misses": 0, "operation": "search", "request_id": "id",
	} {
		if err := segment.AddAnnotation(name, value); err != nil {
			t.Fatal(err)
		}
	}
	_, statement := xray.BeginSubsegment(ctx, "SearchNearest")
	statement.Lock()
	statement.GetSQL().DatabaseType = "PostgreSQL"
	statement.Unlock()
	statement.Close(nil)
	_, call := xray.BeginSubsegment(ctx, "embed model@8")
	call.Lock()
	call.Namespace = "remote"
	call.Unlock()
	call.Close(errors.New("down"))
	segment.Close(errors.New("down"))
}

// segmentDocument returns the document of a datagram, without its header.
func segmentDocument(t *testing.T, segment telemetrytest.Segment) map[string]any {
	t.Helper()
	var all map[string]any
	_, text, _ := strings.Cut(segment.Text, "\n")
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func checkContained(t *testing.T, what string, ours, theirs map[string]any) {
	t.Helper()
	varies := []string{"id", "start_time", "end_time", "subsegments"}
	for name, value := range ours {
		theirValue, there := theirs[name]
		if !there || reflect.TypeOf(value) != reflect.TypeOf(theirValue) {
			t.Errorf("%s %v: %s is %v, the SDK's is %v", what, ours["name"], name, value, theirValue)
		} else if !slices.Contains(varies, name) && !reflect.DeepEqual(value, theirValue) {
			t.Errorf("%s %v: %s is %v, the SDK's is %v", what, ours["name"], name, value, theirValue)
		}
	}
}
