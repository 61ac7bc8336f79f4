package endtoend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// start is when the remediations of the fixtures begin, with all digits down to the microsecond.
var start = time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)

// unicode has characters of the scripts that the requirements name, and characters that are special in JSON, SQL and HTML.
const unicode = `قرص ممتلئ 磁盘已满 ดิสก์เต็ม 💾🔥 'quoted' "doubled" \back\slash {brace,null} & $1 %s -- DROP TABLE x;`

// minimalRecord is a remediation with only the required fields.
func minimalRecord(id string) client.RemediationInput {
	return client.RemediationInput{
		RemediationID: id, Name: "KubePodCrashLooping", Namespace: "shop", ActionType: "restart_pod",
		Phase: client.PhasePending, Status: client.StatusPending, StartTime: start,
	}
}

// fullRecord is a remediation with every field.
func fullRecord(id string) client.RemediationInput {
	return client.RemediationInput{
		RemediationID: id, Name: strings.ReplaceAll(unicode, `"`, "'"), Namespace: "متجر", ClusterName: new("集群-1"),
		Environment: new(client.EnvironmentProduction), Severity: new(client.SeverityCritical),
		AlertFingerprint: new("f00d🔥"), ActionType: "รีสตาร์ท", TargetResource: new("pod/api 💾"),
		Phase: client.PhaseProcessing, Status: client.StatusRunning, StartTime: start,
		EndTime: new(start.Add(61*time.Second + 999*time.Microsecond)), DurationMS: new(int64(61000)),
		ErrorMessage: new(unicode + "\n\ttabs and\r\nlines <b>bold</b>"),
		WorkflowYAML: new("steps:\n  - name: " + unicode + "\n"),
		Metadata:     client.Metadata(`{"big":1700000000123456789,"list":[1.10,null,true,"` + `قرص 磁盘 ดิสก์ 💾` + `"],"nested":{"e":1e-7,"z":0.10}}`),
	}
}

// newPhase is an update of the phase only.
func newPhase(phase client.Phase) client.RemediationUpdate {
	return client.RemediationUpdate{Phase: &phase}
}

// newMessage is an update of the error message only.
func newMessage(message string) client.RemediationUpdate {
	return client.RemediationUpdate{ErrorMessage: client.Set(message)}
}

// minimalAnalysis is an AI analysis with only the required fields.
func minimalAnalysis(id string) client.AIAnalysisInput {
	return client.AIAnalysisInput{AnalysisID: id, Provider: "p", Model: "m"}
}

// createRecord stores a remediation, and fails the test if it was not created by this request.
func createRecord(tb testing.TB, stack *endtoend.Stack, record client.RemediationInput) *client.Written {
	tb.Helper()
	written, err := stack.Client.CreateRemediation(tb.Context(), record)
	if err != nil {
		tb.Fatal(err)
	}
	if written.Replayed {
		tb.Fatalf("%s was stored before", record.RemediationID)
	}
	return written
}

// createAll stores remediations, 100 per request: 500 can take longer than a request may on a busy machine.
func createAll(tb testing.TB, stack *endtoend.Stack, records []client.RemediationInput) {
	tb.Helper()
	for part := range slices.Chunk(records, 100) {
		results, err := stack.Client.CreateRemediations(tb.Context(), part)
		if err != nil {
			tb.Fatal(err)
		}
		for _, result := range results {
			if result.Status != 201 {
				tb.Fatalf("record %d: %d %v", result.Index, result.Status, result.Err())
			}
		}
	}
}

// manyRecords makes records from the numbers 0 to n-1.
func manyRecords(n int, record func(i int) client.RemediationInput) []client.RemediationInput {
	records := make([]client.RemediationInput, n)
	for i := range records {
		records[i] = record(i)
	}
	return records
}

// jsonObject writes a JSON object with sorted names. Its members are JSON already; invalid JSON is kept unchanged.
func jsonObject(members map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, fmt.Sprintf("%q:%s", name, members[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// jsonString encodes a string as JSON.
func jsonString(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// connect opens a connection to the database, bypassing the service.
func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

// execSQL executes statements, bypassing the service.
func execSQL(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	conn := connect(tb, url)
	for _, sql := range statements {
		if _, err := conn.Exec(tb.Context(), sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	if err := conn.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// queryRows queries rows of one column, bypassing the service.
func queryRows[T any](tb testing.TB, url, sql string, args ...any) []T {
	tb.Helper()
	conn := connect(tb, url)
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

// queryValue queries one value, bypassing the service.
func queryValue[T any](tb testing.TB, url, sql string, args ...any) T {
	tb.Helper()
	all := queryRows[T](tb, url, sql, args...)
	if len(all) != 1 {
		tb.Fatalf("%s: %d rows, want 1", sql, len(all))
	}
	return all[0]
}

// queryStructs queries rows of several columns, bypassing the service.
func queryStructs[T any](tb testing.TB, url, sql string) []T {
	tb.Helper()
	conn := connect(tb, url)
	found, err := conn.Query(tb.Context(), sql)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[T])
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return all
}

// tableContents returns the number of rows and a checksum of every table.
func tableContents(tb testing.TB, stack *endtoend.Stack) map[string]string {
	tb.Helper()
	url := stack.Database.SuperuserURL()
	held := map[string]string{}
	for _, table := range queryRows[string](tb, url, `SELECT relname::text FROM pg_class
		WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace`) {
		held[table] = queryValue[string](tb, url, fmt.Sprintf(
			`SELECT format('%%s rows, %%s', count(*), md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text), ''))) FROM %s AS t`, table))
	}
	return held
}

// countJournal counts the journal's entries. It may be called during cleanup.
func countJournal(stack *endtoend.Stack) int {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, stack.Database.ReaderURL())
	if err != nil {
		return -1
	}
	defer func() { _ = conn.Close(ctx) }()
	var n int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM audit_event").Scan(&n); err != nil {
		return -1
	}
	return n
}

// lockedBuffer is a buffer for concurrent writers.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// pickByIndex returns the value at index i modulo the number of values.
func pickByIndex[T any](i int, values ...T) T { return values[i%len(values)] }

// numberedRecord is a remediation whose every filterable field depends on its number, with a different period for
// each field. Two neighbours share a start_time, so that sorting needs its tie-break.
func numberedRecord(i int) client.RemediationInput {
	return client.RemediationInput{
		RemediationID:    fmt.Sprintf("r-%05d", i),
		Name:             pickByIndex(i, "KubePodCrashLooping", "قرص ممتلئ", "磁盘已满", "ดิสก์เต็ม", "Disk 💾"),
		Namespace:        pickByIndex(i/2, "shop", "متجر", "支付"),
		ClusterName:      pickByIndex(i, nil, new("eu-1"), new("us-1")),
		Environment:      pickByIndex(i/3, nil, new(client.EnvironmentProduction), new(client.EnvironmentTest)),
		Severity:         pickByIndex(i/5, nil, new(client.SeverityCritical), new(client.SeverityLow)),
		AlertFingerprint: pickByIndex(i, nil, new("f00d"), new("beef"), new("cafe")),
		ActionType:       pickByIndex(i/7, "restart_pod", "scale_up"),
		TargetResource:   pickByIndex(i, nil, new("pod/api"), new("node/n1")),
		Phase:            pickByIndex(i, client.PhasePending, client.PhaseProcessing, client.PhaseCompleted, client.PhaseFailed),
		Status:           pickByIndex(i/4, client.StatusPending, client.StatusRunning, client.StatusSuccess, client.StatusFailure),
		StartTime:        start.Add(time.Duration(i/2) * time.Minute),
		ErrorMessage:     pickByIndex(i/11, nil, new("disk is full"), new("certificate has expired"), new("back-off restarting failed container")),
	}
}

// searchIncidents sends a query and returns its results.
func searchIncidents(tb testing.TB, stack *endtoend.Stack, input client.SearchInput) []client.SearchResult {
	tb.Helper()
	results, err := stack.Client.Search(tb.Context(), input)
	if err != nil {
		tb.Fatal(err)
	}
	return results.Data
}

func mustExec(tb testing.TB, conn *pgx.Conn, sql string) {
	tb.Helper()
	if _, err := conn.Exec(tb.Context(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// eventually polls until the condition holds. The limit is generous, for a busy machine.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for limit := time.Now().Add(5 * time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			tb.Fatalf("timed out waiting for %s", what)
		}
	}
}
