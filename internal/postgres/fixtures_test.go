package postgres_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// tapped is a store behind a tap, which fails the test for messages that RDS Proxy would pin on.
type tapped struct {
	*postgres.Store
	Tap *postgrestest.Tap
}

func openStore(tb testing.TB, url string) tapped {
	tb.Helper()
	return openStoreWith(tb, postgres.Config{URL: url, Model: postgrestest.Model})
}

func openStoreWith(tb testing.TB, config postgres.Config) tapped {
	tb.Helper()
	tap := postgrestest.NewTap(tb, config.URL)
	config.URL = tap.URL()
	store, err := postgres.Open(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(store.Close)
	return tapped{Store: store, Tap: tap}
}

// mustAppend appends records and fails the test if one of them is not stored.
func (s tapped) mustAppend(tb testing.TB, vectors postgres.Vectors, records ...audit.Record) []audit.Written {
	tb.Helper()
	written, err := s.Append(tb.Context(), newEntries(tb, records...), withVectors(vectors))
	if err != nil {
		tb.Fatal(err)
	}
	for i, w := range written {
		if w.Err != nil {
			tb.Fatalf("record %d: %v", i, w.Err)
		}
	}
	return written
}

func withVectors(vectors postgres.Vectors) *postgres.AppendOptions {
	return &postgres.AppendOptions{Vectors: vectors}
}

// connectTo opens a separate connection.
func connectTo(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

// diffOf is cmp.Diff, which takes long for many records, for values that are equal as a rule.
func diffOf(want, got any, options ...cmp.Option) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, options...)
}

// execSQL executes statements on a separate connection.
func execSQL(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	conn := connectTo(tb, url)
	for _, sql := range statements {
		if _, err := conn.Exec(tb.Context(), sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// queryRows queries one column on a separate connection.
func queryRows[T any](tb testing.TB, url, sql string, args ...any) []T {
	tb.Helper()
	conn := connectTo(tb, url)
	found, err := conn.Query(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[T])
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return all
}

// queryValue queries one value on a separate connection.
func queryValue[T any](tb testing.TB, url, sql string, args ...any) T {
	tb.Helper()
	all := queryRows[T](tb, url, sql, args...)
	if len(all) != 1 {
		tb.Fatalf("%s: %d rows, want 1", sql, len(all))
	}
	return all[0]
}

// tables are the tables that a write may add rows to.
var tables = []string{
	"signature", "embedding", "remediation_audit", "ai_analysis_audit", "workflow_audit", "execution_audit", "audit_event",
}

// countRows returns the number of rows of each table.
func countRows(tb testing.TB, db *postgrestest.Database) map[string]int {
	tb.Helper()
	parts := make([]string, len(tables))
	for i, table := range tables {
		parts[i] = "SELECT count(*) FROM " + table
	}
	counted := map[string]int{}
	for i, n := range queryRows[int](tb, db.ReaderURL(), strings.Join(parts, " UNION ALL ")) {
		counted[tables[i]] = n
	}
	return counted
}

// unicode has the scripts that the requirements name, and characters with a special meaning in
// JSON, SQL and COPY.
const unicode = `قرص ممتلئ 磁盘已满 ดิสก์เต็ม 💾🔥 'quoted' "doubled" \back\slash {brace,null} $1 %s`

// start is the start time of the fixtures' remediations.
var start = time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)

// minimalRemediation returns a remediation with the required fields only.
func minimalRemediation(id string) *audit.Remediation {
	return &audit.Remediation{
		RemediationID: id, Name: "KubePodCrashLooping", Namespace: "shop", ActionType: "restart_pod",
		Phase: audit.PhasePending, Status: "pending", StartTime: start,
	}
}

// fullRemediation returns a remediation with every field.
func fullRemediation(id string) *audit.Remediation {
	return &audit.Remediation{
		RemediationID: id, Name: unicode, Namespace: "متجر", ClusterName: new("集群-1"),
		Environment: new(audit.Environment("production")), Severity: "critical", AlertFingerprint: new("f00d🔥"),
		ActionType: "รีสตาร์ท", TargetResource: new("deployment/api 💾"), Phase: audit.PhaseCompleted, Status: "success",
		StartTime: start, EndTime: new(start.Add(61*time.Second + 999*time.Microsecond)), DurationMS: new(int64(61000)),
		ErrorMessage: new(unicode + "\n\ttabs and\r\nlines " + strings.Repeat("é", 1000)),
		WorkflowYAML: new("steps:\n  - name: " + unicode + "\n"),
		Metadata:     audit.Metadata(`{"big":1700000000123456789,"list":[1.10,null,true,"` + `قرص 磁盘 ดิสก์ 💾` + `"],"nested":{"e":1e-7,"z":0.10}}`),
	}
}

func minimalAnalysis(remediation, id string) *audit.AIAnalysis {
	return &audit.AIAnalysis{RemediationID: remediation, AnalysisID: id, Provider: "anthropic", Model: "claude"}
}

func fullAnalysis(remediation, id string) *audit.AIAnalysis {
	return &audit.AIAnalysis{
		RemediationID: remediation, AnalysisID: id, Provider: "مزود", Model: "模型 💾", ConfidenceScore: new(0.1 + 0.2),
		TokensUsed: new(int64(1<<53 - 1)), AnalysisDurationMS: new(int64(0)), Metadata: `{"a":12345678901234567890.5}`,
	}
}

func minimalWorkflow(remediation, id string) *audit.Workflow {
	return &audit.Workflow{RemediationID: remediation, WorkflowID: id, Phase: "planning", StartTime: start}
}

func fullWorkflow(remediation, id string) *audit.Workflow {
	return &audit.Workflow{
		RemediationID: remediation, WorkflowID: id, Phase: "completed", TotalSteps: math.MaxInt32, CompletedSteps: math.MaxInt32,
		StartTime: start, EndTime: new(start), Metadata: `{"ดิสก์":["💾",1.50]}`,
	}
}

func minimalExecution(remediation, workflow, id string) *audit.Execution {
	return &audit.Execution{
		RemediationID: remediation, WorkflowID: workflow, ExecutionID: id, ActionType: "restart_pod", StartTime: start,
	}
}

func fullExecution(remediation, workflow, id string) *audit.Execution {
	return &audit.Execution{
		RemediationID: remediation, WorkflowID: workflow, ExecutionID: id, ActionType: "إعادة", TargetResource: new("pod/磁盘"),
		ClusterName: new("คลัสเตอร์"), Success: true, StartTime: start, EndTime: new(start.Add(time.Hour)),
		ExecutionTimeMS: new(int64(3_600_000)), ErrorMessage: new(unicode), Metadata: `{"n":-0.0,"💾":{}}`,
	}
}

// newEntry validates a record as a request is validated, and returns its entry.
func newEntry(tb testing.TB, record audit.Record) audit.Entry {
	tb.Helper()
	return newEntryAt(tb, record, time.Now())
}

func newEntryAt(tb testing.TB, record audit.Record, at time.Time) audit.Entry {
	tb.Helper()
	var invalid audit.ValidationErrors
	checker := audit.Checker{Errors: &invalid, Actions: redact.Actions{}}
	switch record := record.(type) {
	case *audit.Remediation:
		record.Check(checker, metadataTree(tb, record.Metadata))
	case *audit.AIAnalysis:
		record.Check(checker, metadataTree(tb, record.Metadata))
	case *audit.Workflow:
		record.Check(checker, metadataTree(tb, record.Metadata))
	case *audit.Execution:
		record.Check(checker, metadataTree(tb, record.Metadata))
	case *audit.Update:
		var metadata audit.Metadata
		if record.Metadata != nil {
			metadata = *record.Metadata
		}
		record.Check(checker, metadataTree(tb, metadata))
	}
	if err := invalid.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(checker.Actions) > 0 {
		tb.Fatalf("sanitising changed the fixture: %v", checker.Actions)
	}
	made, err := audit.NewEntry(record, "tester", at)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

func metadataTree(tb testing.TB, metadata audit.Metadata) map[string]any {
	tb.Helper()
	if metadata == "" {
		return nil
	}
	parsed, invalid := audit.ParseJSON([]byte(metadata), audit.JSONLimits{Bytes: audit.MaxMetadata, Depth: 10}, redact.Actions{})
	members, ok := parsed.(map[string]any)
	if !ok {
		tb.Fatal(invalid)
	}
	return members
}

func newEntries(tb testing.TB, records ...audit.Record) []audit.Entry {
	tb.Helper()
	made := make([]audit.Entry, len(records))
	for i, record := range records {
		made[i] = newEntry(tb, record)
	}
	return made
}

// numberedVector returns a unit vector of the test model, different for every n below Dimensions squared.
func numberedVector(n int) []float32 {
	v := make([]float32, postgrestest.Dimensions)
	v[n%postgrestest.Dimensions] = 0.8
	v[(n+1+n/postgrestest.Dimensions)%postgrestest.Dimensions] += 0.6
	return v
}

// numberedRecords returns n records with numbered IDs.
func numberedRecords[R audit.Record](n int, build func(id string) R) []audit.Record {
	records := make([]audit.Record, n)
	for i := range records {
		records[i] = build(fmt.Sprintf("r%05d", i))
	}
	return records
}
