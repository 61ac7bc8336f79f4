package endtoend_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/gateway"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
)

// BenchmarkWrite writes remediations of known incidents, of 1.4 kB each, one by one, also traced, and in batches of 50, through the
// gateway and the write function. cpu-µs/record is the processor time of this process, without the database.
func BenchmarkWrite(b *testing.B) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // formatting the lines is part of a write
	stack := endtoend.New(b, endtoend.Options{Log: log, TraceDaemon: telemetrytest.NewTraceDaemon(b).Address})
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		b.Fatal(err)
	}
	front, err := gateway.New(gateway.Config{Template: template, Functions: stack.Functions.Handlers, Authorizer: gateway.Authorizer()})
	if err != nil {
		b.Fatal(err)
	}
	serial := 0
	record := func() string {
		serial++
		return benchRecord(serial)
	}
	trace := ""
	send := func(path, body string, status int) {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Amzn-Trace-Id", trace)
		w := httptest.NewRecorder()
		if front.ServeHTTP(w, r); w.Code != status {
			b.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	const batch = 50
	b.Run("one", func(b *testing.B) {
		send("/v1/remediations", record(), http.StatusCreated)
		reportProcessorTime(b, 1, func() { send("/v1/remediations", record(), http.StatusCreated) })
	})
	b.Run("traced", func(b *testing.B) {
		trace = traceHeader
		reportProcessorTime(b, 1, func() { send("/v1/remediations", record(), http.StatusCreated) })
		trace = ""
	})
	b.Run("batch", func(b *testing.B) {
		reportProcessorTime(b, batch, func() {
			records := make([]string, batch)
			for i := range records {
				records[i] = record()
			}
			send("/v1/remediations/batch", `{"records":[`+strings.Join(records, ",")+`]}`, http.StatusOK)
		})
	})
}

func benchRecord(serial int) string {
	return fmt.Sprintf(`{"remediation_id":"bench-%d","name":"KubePodCrashLooping","namespace":"team-7","cluster_name":"eu-central-1-a",`+
		`"environment":"production","severity":"high","alert_fingerprint":"00000000000000a7","action_type":"restart_pod",`+
		`"target_resource":"deployment/checkout","phase":"completed","status":"success","start_time":"2026-01-02T03:04:05.123456Z",`+
		`"end_time":"2026-01-02T03:05:05.123456Z","error_message":"KubePodCrashLooping: connection refused while checkout was talking to `+
		`10.12.4.7:9092 (attempt 5 of 5, after 30s)\nback-off restarting failed container checkout in pod checkout-7d9c5b8f6d-x2k4j: `+
		`exit code 137","workflow_yaml":"apiVersion: v1\nkind: Workflow\nsteps:\n- name: collect logs\n  run: kubectl logs deploy/checkout `+
		`--previous\n- name: restart_pod\n  run: kubectl rollout restart deploy/checkout\n- name: verify\n  run: kubectl rollout status `+
		`deploy/checkout --timeout=120s\n","metadata":{"attempt":1,"cpu":0.75,"labels":["team:platform","tier:1"],`+
		`"replicas":{"after":5,"before":3},"runbook":"https://runbooks.example.com/KubePodCrashLooping"}}`, serial)
}

// reportProcessorTime runs the benchmark and reports the processor time for each of the records that a call writes.
func reportProcessorTime(b *testing.B, records int, call func()) {
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		call()
	}
	used := processorTime(b) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N*records), "cpu-µs/record")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
