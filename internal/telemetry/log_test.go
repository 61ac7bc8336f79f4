package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// TestLogger checks the attributes of a log line, from API Gateway's event and from Lambda's
// context.
func TestLogger(t *testing.T) {
	t.Parallel()
	const header, root = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "1-5759e988-bd862e3fe1be46a994272793"
	inLambda := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "lambda's"})
	for name, c := range map[string]struct {
		ctx  context.Context
		call telemetry.Call
		want map[string]any
	}{
		"the gateway's names": {
			inLambda,
			telemetry.Call{RequestID: "gateway's", Operation: "search", TraceHeader: header},
			map[string]any{"request_id": "gateway's", "operation": "search", "trace_id": root},
		},
		"Lambda's names": {
			context.WithValue(inLambda, "x-amzn-trace-id", header), //nolint:staticcheck // the runtime's own key
			telemetry.Call{Operation: "maintain", TraceHeader: "Root=1-00000000-000000000000000000000000"},
			map[string]any{"request_id": "lambda's", "operation": "maintain", "trace_id": root},
		},
		"a forged trace": {
			t.Context(),
			telemetry.Call{RequestID: "id", Operation: "search", TraceHeader: "Root=1-5759E988-bd862e3fe1be46a994272793;Root=\n"},
			map[string]any{"request_id": "id", "operation": "search", "trace_id": nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := telemetry.Logger(telemetry.Logger(slog.New(slog.NewJSONHandler(&out, nil)))).With("also", 1)
			var none *telemetry.Telemetry
			ctx, invocation := none.Begin(c.ctx, c.call)
			log.InfoContext(ctx, "early")
			invocation.SetRemediationID("rr-1")
			out.Reset()
			log.InfoContext(ctx, "later")
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			c.want["remediation_id"], c.want["also"], c.want["msg"] = "rr-1", 1.0, "later"
			for name, value := range c.want {
				if line[name] != value {
					t.Errorf("%s is %v, want %v", name, line[name], value)
				}
			}
			if took, ok := line["duration_ms"].(float64); !ok || took < 0 || took > 60_000 {
				t.Errorf("duration_ms is %v", line["duration_ms"])
			}
			out.Reset()
			log.Info("no invocation")
			if bytes.Contains(out.Bytes(), []byte("request_id")) {
				t.Errorf("a line without an invocation is %s", out.String())
			}
		})
	}
}
