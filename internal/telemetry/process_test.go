package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// tracedVariable makes this test binary trace one invocation instead of running tests.
const tracedVariable = "DATASTORAGE_TEST_TRACED"

func TestMain(m *testing.M) {
	if os.Getenv(tracedVariable) == "" {
		os.Exit(m.Run())
	}
	if err := traceOneInvocation(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// traceOneInvocation does what a function does, with metrics on standard output.
func traceOneInvocation() error {
	tel, err := telemetry.New(telemetry.Config{
		Metrics: os.Stdout, Daemon: os.Getenv("AWS_XRAY_DAEMON_ADDRESS"), ClosedSets: telemetry.ClosedSets{Operations: []string{"search"}},
	})
	if err != nil {
		return err
	}
	ctx, invocation := tel.Begin(context.Background(), telemetry.Call{Operation: "search", TraceHeader: sampled})
	telemetry.StartStatement(ctx, "SearchNearest").End(errors.New("canceled"))
	telemetry.StartStatement(context.Background(), "SearchNearest").End(nil)
	invocation.End(telemetry.Success)
	tel.Close()
	stacks := make([]byte, 1<<20)
	if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("aws-xray-sdk-go")) {
		return fmt.Errorf("the SDK left goroutines: %s", stacks)
	}
	return nil
}

// TestProcess checks what the SDK does with a whole process: it starts with any address of a daemon, or names what is wrong; only
// metrics are on standard output; the SDK polls no sampling rules; its variables cannot make an invocation fail, and may disable it.
func TestProcess(t *testing.T) {
	t.Parallel()
	daemon := telemetrytest.NewTraceDaemon(t)
	for name, c := range map[string]struct { //nolint:paralleltest // the daemon is shared
		env     []string
		failure string
		sent    bool
	}{
		"no daemon":          {},
		"a daemon":           {env: []string{"AWS_XRAY_DAEMON_ADDRESS=" + daemon.Address}, sent: true},
		"two protocols":      {env: []string{"AWS_XRAY_DAEMON_ADDRESS=tcp:" + daemon.Address + " udp:" + daemon.Address}, sent: true},
		"UDP alone":          {env: []string{"AWS_XRAY_DAEMON_ADDRESS=udp:" + daemon.Address}, sent: true},
		"an unknown host":    {env: []string{"AWS_XRAY_DAEMON_ADDRESS=daemon.invalid:2000"}},
		"no port":            {env: []string{"AWS_XRAY_DAEMON_ADDRESS=nowhere"}, failure: "the X-Ray daemon's address: must be host:port\n"},
		"a wrong port":       {env: []string{"AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:70000"}, failure: "the X-Ray daemon's address: must be host:port\n"},
		"missing segments":   {env: []string{"AWS_XRAY_DAEMON_ADDRESS=" + daemon.Address, "AWS_XRAY_CONTEXT_MISSING=RUNTIME_ERROR"}, sent: true},
		"the SDK disabled":   {env: []string{"AWS_XRAY_DAEMON_ADDRESS=" + daemon.Address, "AWS_XRAY_SDK_DISABLED=true"}},
		"none listens there": {env: []string{"AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append([]string{tracedVariable + "=1"}, c.env...)
			child.Stdout, child.Stderr = &stdout, &stderr
			if err := child.Run(); (err != nil) != (c.failure != "") {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			if stderr.String() != c.failure {
				t.Errorf("standard error: %s", stderr.String())
			}
			if lines := telemetrytest.ReadMetrics(t, stdout.String()); (len(lines) > 0) != (c.failure == "") {
				t.Errorf("standard output: %s", stdout.String())
			}
			sendLastSegment(t, daemon.Address)
			first := daemon.Next(t)
			if c.sent {
				if first.Name != "search" || first.Fault || len(first.Subsegments) != 1 || !first.Subsegments[0].Fault || strings.Contains(first.Text, "canceled") {
					t.Errorf("segment %s", first.Text)
				}
				first = daemon.Next(t)
			}
			if first.Name != "last" {
				t.Errorf("%s was sent", first.Text)
			}
		})
	}
}

// sendLastSegment sends a segment after all others.
func sendLastSegment(t *testing.T, address string) {
	t.Helper()
	_, last := newTraced(t, address).Begin(t.Context(), telemetry.Call{Operation: "last", TraceHeader: sampled})
	last.End(telemetry.Success)
}
