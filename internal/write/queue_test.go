package write_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/pgserver"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/telemetry"
	"github.com/datastorage-service/datastorage/internal/telemetrytest"
	"github.com/datastorage-service/datastorage/internal/write"
)

// consumer is a write function with a database of its own that receives SQS events.
type consumer struct {
	t        *testing.T
	database *postgrestest.Database
	function *write.Function
	log      bytes.Buffer
	metrics  bytes.Buffer
}

func newConsumer(t *testing.T, server *pgserver.Server, change func(*write.Config)) *consumer {
	t.Helper()
	c := &consumer{t: t}
	if server == nil {
		c.database = postgrestest.New(t)
	} else {
		c.database = postgrestest.NewOn(t, server)
	}
	store, err := postgres.Open(t.Context(), postgres.Config{URL: c.database.WriterURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	tel, err := telemetry.New(telemetry.Config{Metrics: &c.metrics, ClosedSets: api.ClosedSets(write.QueueOperation)})
	if err != nil {
		t.Fatal(err)
	}
	config := write.Config{
		Store: store, Models: hashingModels(t), Log: slog.New(slog.NewJSONHandler(&c.log, nil)), Timeout: time.Minute,
		Telemetry: tel,
	}
	if change != nil {
		change(&config)
	}
	if c.function, err = write.New(config); err != nil {
		t.Fatal(err)
	}
	return c
}

// queueMessage is an SQS message. Every field except the body has a default.
type queueMessage struct {
	id, group, sender, body string
}

// encodeEvent encodes the event that Lambda makes of the messages. Messages with a group come from
// a FIFO queue.
func encodeEvent(messages ...queueMessage) []byte {
	var e events.SQSEvent
	for i, m := range messages {
		message := events.SQSMessage{
			MessageId: m.id, Body: m.body, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:records",
			Attributes: map[string]string{"SenderId": m.sender},
		}
		if m.id == "" {
			message.MessageId = fmt.Sprintf("m%d", i)
		}
		if m.sender == "" {
			message.Attributes["SenderId"] = "AROAEXAMPLE:controller"
		}
		if m.group != "" {
			message.EventSourceARN += ".fifo"
			message.Attributes["MessageGroupId"] = m.group
		}
		e.Records = append(e.Records, message)
	}
	payload, _ := json.Marshal(e)
	return payload
}

func messagesOf(texts ...string) []queueMessage {
	messages := make([]queueMessage, len(texts))
	for i, text := range texts {
		messages[i].body = text
	}
	return messages
}

// sendMessages invokes the function and returns the IDs of the messages that it reports.
func (c *consumer) sendMessages(ctx context.Context, messages ...queueMessage) []string {
	c.t.Helper()
	response, err := c.function.Invoke(ctx, encodeEvent(messages...))
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.HasPrefix(response, []byte(`{"batchItemFailures":[`)) {
		c.t.Fatalf("response: %s", response)
	}
	var reported events.SQSEventResponse
	if err := json.Unmarshal(response, &reported); err != nil {
		c.t.Fatal(err)
	}
	ids := []string{}
	for _, failure := range reported.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

func (c *consumer) checkReported(what string, got []string, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		c.t.Errorf("%s: reported (-want +got):\n%s\n%s", what, diff, c.log.String())
	}
}

// execSQL runs a statement as the superuser.
func (c *consumer) execSQL(sql string) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.database.SuperuserURL())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(c.t.Context())
	if _, err := conn.Exec(c.t.Context(), sql); err != nil {
		c.t.Fatal(err)
	}
}

// checkCount compares the result of a query with want.
func (c *consumer) checkCount(sql string, want int) {
	c.t.Helper()
	ctx := context.WithoutCancel(c.t.Context())
	conn, err := pgx.Connect(ctx, c.database.SuperuserURL())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(ctx)
	var n int
	if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil || n != want {
		c.t.Errorf("%s: %d, want %d (%v)", sql, n, want, err)
	}
}

// checkMessages compares the metric of messages, summed over all events so far, with counts by
// status.
func (c *consumer) checkMessages(want map[string]float64) {
	c.t.Helper()
	figures := telemetrytest.Series(telemetrytest.ReadMetrics(c.t, c.metrics.String()))
	telemetrytest.CheckClosedSets(c.t, api.ClosedSets(write.QueueOperation), figures)
	got := map[string]float64{}
	for series, values := range figures {
		if status, is := strings.CutPrefix(series, "datastorage_queue_messages_total{status="); is {
			for _, value := range values {
				got[strings.TrimSuffix(status, "}")] += value
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func remediation(id string) string {
	return `{"kind":"remediation","record":{"remediation_id":"` + id + `","name":"KubePodCrashLooping","namespace":"shop",` +
		`"action_type":"restart_pod",` +
		`"phase":"processing","status":"running","start_time":"2026-01-02T03:04:05Z","error_message":"out of memory"}}`
}

func analysisRecord(remediationID, id string) string {
	return `{"kind":"ai_analysis","record":{"remediation_id":"` + remediationID + `","analysis_id":"` + id +
		`","provider":"p","model":"m"}}`
}

func updateRecord(id, phase, status string) string {
	return `{"kind":"update","record":{"remediation_id":"` + id + `","phase":"` + phase + `","status":"` + status + `"}}`
}

func cloudEvent(data string) string {
	return `{"specversion":"1.0","id":"1","source":"/controller","type":"com.example.recorded","traceparent":"00-1",` +
		`"data":` + data + `}`
}

func jsonArray(items ...string) string { return "[" + strings.Join(items, ",") + "]" }

// numberedRemediations returns n records whose IDs are the prefix and a number.
func numberedRemediations(prefix string, n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = remediation(fmt.Sprint(prefix, i))
	}
	return items
}

const (
	countRecords = "SELECT count(*) FROM remediation_audit"
	countJournal = "SELECT count(*) FROM audit_event"
)

// TestQueueReportsPoisonAlone checks that each message that can never be stored is reported, with
// the reason in the log, and that no other message is.
func TestQueueReportsPoisonAlone(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	nested := strings.Repeat(`{"a":`, 12) + `1` + strings.Repeat(`}`, 12)
	poison := map[string]string{
		"not JSON":              `{"kind":`,
		"nothing":               ``,
		"two values":            remediation("x") + remediation("y"),
		"a string":              `"remediation"`,
		"no kind":               `{"record":{}}`,
		"unknown kind":          `{"kind":"remedy","record":{}}`,
		"no record":             `{"kind":"remediation"}`,
		"more than a record":    `{"kind":"remediation","record":{},"actor":"another"}`,
		"a forged actor":        strings.Replace(remediation("x"), `"name"`, `"actor":"root","name"`, 1),
		"a key twice":           strings.Replace(remediation("x"), `"name"`, `"name":"a","name"`, 1),
		"validation error":      `{"kind":"remediation","record":{"remediation_id":"<"}}`,
		"a child of no id":      `{"kind":"workflow","record":{"workflow_id":"w"}}`,
		"an update of nothing":  `{"kind":"update","record":{"remediation_id":"r"}}`,
		"too deep":              strings.Replace(remediation("x"), `"name"`, `"metadata":`+nested+`,"name"`, 1),
		"too large":             remediation(strings.Repeat("x", api.MaxMessage)),
		"an empty array":        `[]`,
		"too long an array":     jsonArray(slices.Repeat([]string{"1"}, api.MaxMessageRecords+1)...),
		"event of version 2":    strings.Replace(cloudEvent(remediation("x")), "1.0", "2.0", 1),
		"event without an id":   strings.Replace(cloudEvent(remediation("x")), `"id":"1",`, "", 1),
		"event without data":    cloudEvent("null"),
		"event of bytes":        strings.Replace(cloudEvent(remediation("x")), `"data"`, `"data_base64":"eA==","data"`, 1),
		"event of XML":          strings.Replace(cloudEvent(remediation("x")), `"data"`, `"datacontenttype":"text/xml","data"`, 1),
		"event of a bad record": cloudEvent(`{"kind":"remediation","record":{}}`),
	}
	messages := []queueMessage{{id: "first", body: remediation("r1")}}
	want := []string{}
	for name, body := range poison {
		messages = append(messages, queueMessage{id: name, body: body})
		want = append(want, name)
	}
	messages = append(messages,
		queueMessage{id: "no sender", sender: "\u202e", body: remediation("x")},
		queueMessage{id: "last", body: cloudEvent(jsonArray(remediation("r2"), remediation("r3")))})
	c.checkReported("a mixed event", c.sendMessages(t.Context(), messages...), append(want, "no sender")...)
	c.checkCount(countRecords, 3)
	c.checkCount(countJournal+" WHERE actor = 'sqs:AROAEXAMPLE:controller' AND kind = 'remediation'", 3)
	c.checkCount("SELECT count(*) FROM embedding", 1)
	for _, name := range want {
		if !strings.Contains(c.log.String(), `"message_id":"`+name+`"`) {
			t.Errorf("no log line for %s", name)
		}
	}
	c.checkMessages(map[string]float64{"stored": 2, "poison": float64(len(poison) + 1)})
	for _, part := range []string{"data.record.remediation_id: is required", `"operation":"consumeQueue"`} {
		if !strings.Contains(c.log.String(), part) {
			t.Errorf("the log does not contain %s: %s", part, c.log.String())
		}
	}
}

// TestQueueDuplicates checks that duplicates succeed and are stored once: in the same event, in a
// later one, and for an update that others followed.
func TestQueueDuplicates(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := messagesOf(
		remediation("r1"), remediation("r1"), analysisRecord("r1", "a1"), cloudEvent(analysisRecord("r1", "a1")),
		updateRecord("r1", "processing", "pending"), jsonArray(remediation("r2"), remediation("r1")))
	c.checkReported("first delivery", c.sendMessages(t.Context(), messages...))
	c.checkReported("a later update", c.sendMessages(t.Context(), messagesOf(updateRecord("r1", "completed", "success"))...))
	all := slices.Concat(messages, messagesOf(updateRecord("r1", "completed", "success")))
	c.checkReported("redelivered", c.sendMessages(t.Context(), all...))
	c.checkCount(countJournal, 5)
	c.checkCount(countRecords+" WHERE phase = 'completed'", 1)
	c.checkMessages(map[string]float64{"stored": float64(2*len(messages) + 2)})
}

// TestQueueOutOfOrder checks that a record which arrives before its remediation is reported until
// the remediation is stored.
func TestQueueOutOfOrder(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, func(config *write.Config) { config.Rejects = unreachableRejects(t) })
	early := messagesOf(
		analysisRecord("r1", "a1"), updateRecord("r1", "completed", "success"),
		// While the array is redelivered, its bad record is not rejected.
		jsonArray(remediation("r2"), analysisRecord("r1", "a2"), `{"kind":"remediation","record":{}}`))
	c.checkReported("before the remediation", c.sendMessages(t.Context(), early...), "m0", "m1", "m2")
	c.checkCount(countRecords, 1)
	c.checkReported("the remediation", c.sendMessages(t.Context(), messagesOf(remediation("r1"))...))
	c.checkReported("after the remediation", c.sendMessages(t.Context(), early[:2]...))
	c.checkCount(countJournal, 4)
	c.checkMessages(map[string]float64{"early": 3, "stored": 3})
	c.checkReported("in one event, children first", c.sendMessages(t.Context(), messagesOf(
		updateRecord("r3", "completed", "success"), analysisRecord("r3", "a1"),
		jsonArray(updateRecord("r4", "completed", "success"), remediation("r4")), remediation("r3"))...))
	c.checkCount(countRecords+" WHERE phase = 'completed'", 3)
}

// TestQueueUpdateWithItsRemediation checks that a remediation and its updates are one transaction:
// if the database fails the last statement, nothing is stored and every message is reported.
func TestQueueUpdateWithItsRemediation(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := messagesOf(updateRecord("r1", "processing", "pending"),
		jsonArray(updateRecord("r1", "completed", "success"), remediation("r1")), remediation("r2"))
	c.execSQL(`CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = 'XX000'; END $$`)
	c.execSQL("CREATE TRIGGER injected BEFORE UPDATE ON remediation_audit FOR EACH ROW EXECUTE FUNCTION injected()")
	c.checkReported("the update fails", c.sendMessages(t.Context(), messages...), "m0", "m1", "m2")
	c.checkCount(countRecords, 0)
	c.checkCount(countJournal, 0)
	c.execSQL("DROP TRIGGER injected ON remediation_audit")
	c.checkReported("redelivered", c.sendMessages(t.Context(), messages...))
	c.checkCount(countJournal+" WHERE kind = 'update'", 2)
	c.checkCount(countRecords+" WHERE phase = 'completed'", 1)
	c.checkCount(`SELECT count(DISTINCT x) FROM (
		SELECT xmin::text AS x FROM audit_event UNION ALL SELECT xmin::text FROM remediation_audit) AS rows`, 1)
	c.checkReported("delivered a third time", c.sendMessages(t.Context(), messages...))
	c.checkCount(countJournal, 4)
}

// TestQueueConflicts checks that a record which the stored one or the database does not allow is
// poison and affects no other record.
func TestQueueConflicts(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	long := incompressibleID(3)
	refused := `{"kind":"execution","record":{"remediation_id":"` + long + `","workflow_id":"` + incompressibleID(1) +
		`","execution_id":"` + incompressibleID(2) + `","action_type":"a","success":true,"start_time":"2026-01-02T03:04:05Z"}}`
	c.checkReported("setup", c.sendMessages(t.Context(), messagesOf(
		remediation("r1"), updateRecord("r1", "completed", "success"), remediation(long))...))
	c.checkReported("a conflict", c.sendMessages(t.Context(), messagesOf(
		strings.Replace(remediation("r1"), "out of memory", "disk is full", 1), remediation("r2"),
		updateRecord("r1", "failed", "failure"),
		`{"kind":"update","record":{"remediation_id":"r2","end_time":"2025-01-01T00:00:00Z"}}`, refused, analysisRecord("r2", "a1"))...),
		"m0", "m2", "m3", "m4")
	c.checkCount(countJournal, 5)
	c.checkMessages(map[string]float64{"stored": 5, "poison": 4})
}

// incompressibleID returns an identifier of the maximum length that does not compress, so that the
// index refuses it.
func incompressibleID(seed uint32) string {
	out := make([]rune, 255)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = rune(0x20000 + seed>>8%0xa000)
	}
	return string(out)
}

// TestQueueArrays checks that an array is reported if its bad records cannot be sent to a rejects
// queue, and that its valid records are stored.
func TestQueueArrays(t *testing.T) {
	t.Parallel()
	for name, rejects := range map[string]*write.Rejects{"none": nil, "away": unreachableRejects(t)} {
		c := newConsumer(t, nil, func(config *write.Config) { config.Rejects = rejects })
		c.checkReported(name, c.sendMessages(t.Context(), messagesOf(
			jsonArray(remediation("r1"), `{"kind":"remediation","record":{"remediation_id":"bad"}}`, remediation("r2")), remediation("r3"))...), "m0")
		c.checkCount(countRecords, 3)
		c.checkMessages(map[string]float64{"failure": 1, "stored": 1})
	}
}

// unreachableRejects returns a rejects queue at an address where nothing listens.
func unreachableRejects(t *testing.T) *write.Rejects {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return write.NewRejects("http://"+listener.Addr().String()+"/000000000000/rejects", awsconfig.WithRegion("us-east-1"),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
}

// TestQueueFIFO checks that a message group stops at its first failure, and that other groups
// continue.
func TestQueueFIFO(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	reported := c.sendMessages(t.Context(),
		queueMessage{group: "a", body: remediation("a1")},
		queueMessage{group: "b", body: `{}`},
		queueMessage{group: "a", body: updateRecord("a1", "completed", "success")},
		queueMessage{group: "b", body: remediation("b1")},
		queueMessage{group: "a", body: updateRecord("a1", "failed", "failure")}, // a conflict
		queueMessage{group: "c", body: analysisRecord("c0", "x")},               // early
		queueMessage{group: "a", body: remediation("a2")},
		queueMessage{group: "c", body: remediation("c1")},
		queueMessage{group: "d", body: remediation("d1")},
		queueMessage{group: "b", body: remediation("b2")},
	)
	c.checkReported("message groups", reported, "m1", "m3", "m4", "m5", "m6", "m7", "m9")
	c.checkCount(countRecords, 2)
	c.checkCount(countJournal, 3)
	c.checkMessages(map[string]float64{"stored": 3, "poison": 2, "early": 1, "blocked": 4})
	// Only FIFO queues are ordered: fair queues are standard queues with groups.
	var fair events.SQSEvent
	if err := json.Unmarshal(encodeEvent(messagesOf(`{}`, remediation("e1"))...), &fair); err != nil {
		t.Fatal(err)
	}
	for i := range fair.Records {
		fair.Records[i].Attributes["MessageGroupId"] = "g"
	}
	payload, err := json.Marshal(fair)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.function.Invoke(t.Context(), payload)
	if want := `{"batchItemFailures":[{"itemIdentifier":"m0"}]}`; err != nil || string(response) != want {
		t.Errorf("a fair queue: %s, %v", response, err)
	}
}

// TestQueueOneTransaction checks that the valid records of an event are committed together, up to
// 1,000 per transaction.
func TestQueueOneTransaction(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := messagesOf(numberedRemediations("r", 899)...)
	messages = append(messages, messagesOf(`{}`, jsonArray(numberedRemediations("s", 100)...))...)
	c.checkReported("a thousand", c.sendMessages(t.Context(), messages...), "m899")
	c.checkCount("SELECT count(DISTINCT xmin::text) FROM remediation_audit", 1)
	c.checkReported("three rounds", c.sendMessages(t.Context(), messagesOf(
		jsonArray(numberedRemediations("t", 1000)...), jsonArray(numberedRemediations("u", 500)...),
		jsonArray(numberedRemediations("v", 600)...))...))
	c.checkCount("SELECT count(DISTINCT xmin::text) FROM remediation_audit", 4)
	c.checkCount(countRecords, 3099)
}

// invocation is the context of an invocation that times out when end is called, independent of the
// clock.
type invocation struct {
	context.Context
	over chan struct{}
	end  func()
}

func newInvocation(t *testing.T) *invocation {
	t.Helper()
	over := make(chan struct{})
	return &invocation{Context: t.Context(), over: over, end: sync.OnceFunc(func() { close(over) })}
}

func (i *invocation) Done() <-chan struct{} { return i.over }

func (i *invocation) Err() error {
	select {
	case <-i.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestQueueDeadline checks that messages which are not stored when the invocation times out are
// reported, and that the next invocation stores them. TestMargin checks that the report comes in
// time.
func TestQueueDeadline(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	c.checkReported("setup", c.sendMessages(t.Context(), messagesOf(remediation("r0"))...))
	conn, err := pgx.Connect(t.Context(), c.database.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE remediation_audit"); err != nil {
		t.Fatal(err)
	}
	ctx := newInvocation(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer ctx.end()
		c.database.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	})
	thousands := messagesOf(jsonArray(numberedRemediations("s", 1000)...), `{}`,
		jsonArray(numberedRemediations("t", 1000)...))
	c.checkReported("a locked table", c.sendMessages(ctx, thousands...), "m0", "m1", "m2")
	waiting.Wait()
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.checkMessages(map[string]float64{"stored": 1, "late": 2, "poison": 1})
	c.checkCount(countRecords, 1)
	c.checkReported("redelivered", c.sendMessages(t.Context(), thousands...), "m1")
	c.checkCount(countRecords, 2001)
	c.checkCount(countJournal, 2001)
}

// TestQueueDatabaseDown checks that nothing is lost or stored twice if the database is down.
func TestQueueDatabaseDown(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	c := newConsumer(t, server, nil)
	messages := messagesOf(append(numberedRemediations("r", 20), `{}`)...)
	if err := postgrestest.Kill(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range messages {
		all = append(all, fmt.Sprint("m", i))
	}
	c.checkReported("database down", c.sendMessages(t.Context(), messages...), all...)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.checkReported("database up again", c.sendMessages(t.Context(), messages...), "m20")
	c.checkCount(countJournal, 20)
	c.checkMessages(map[string]float64{"failure": 20, "poison": 2, "stored": 20})
}

// TestQueuePanic checks that after a panic the messages that are not stored are reported, and that
// the panic is logged.
func TestQueuePanic(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, func(config *write.Config) { config.Now = func() time.Time { panic("no clock") } })
	c.checkReported("a panic", c.sendMessages(t.Context(), messagesOf(remediation("r1"), remediation("r2"))...), "m0", "m1")
	if text := c.log.String(); !strings.Contains(text, "panic: no clock") || !strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("log: %s", text)
	}
}

// TestQueueEvents checks that an event which is not a valid SQS event is an error, so that all its
// messages are redelivered.
func TestQueueEvents(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	for name, payload := range map[string]string{
		"cut short":               `{"Records":[`,
		"of another service":      `{"Records":[{"eventSource":"aws:s3","messageId":"m"}]}`,
		"a message without id":    strings.Replace(string(encodeEvent(messagesOf(remediation("r1"), remediation("r2"))...)), `"m1"`, `""`, 1),
		"an array":                `[]`,
		"not JSON":                `{"version"`,
		"records of another type": `{"Records":{"a":1}}`,
	} {
		if response, err := c.function.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s: response %s, want an error", name, response)
		}
	}
	c.checkCount(countRecords, 0)
	response, err := c.function.Invoke(t.Context(), []byte(" {\n\t\"Records\" : [] }"))
	if err != nil || string(response) != `{"batchItemFailures":[]}` {
		t.Errorf("an event without messages: %s, %v", response, err)
	}
	response, err = c.function.Invoke(t.Context(), []byte("\n {\"version\": \"2.0\", \"routeKey\": \"POST /v1/remediations\"}"))
	if err != nil || !bytes.Contains(response, []byte(`"statusCode":401`)) {
		t.Errorf("an event of API Gateway: %s, %v", response, err)
	}
}
