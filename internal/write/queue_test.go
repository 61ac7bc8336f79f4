package write_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
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

// consumer is a write function that is sent SQS events, on a database of its own.
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
		Store: store, Models: models(t), Log: slog.New(slog.NewJSONHandler(&c.log, nil)), Timeout: time.Minute, Telemetry: tel,
	}
	if change != nil {
		change(&config)
	}
	if c.function, err = write.New(config); err != nil {
		t.Fatal(err)
	}
	return c
}

// sent is a message; everything but the body has a default.
type sent struct {
	id, group, sender, body string
}

// event is what Lambda would make of the messages; those with a group come from a FIFO queue.
func event(messages ...sent) []byte {
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

func bodies(texts ...string) []sent {
	messages := make([]sent, len(texts))
	for i, text := range texts {
		messages[i].body = text
	}
	return messages
}

// consume answers the ids of the messages that are reported.
func (c *consumer) consume(ctx context.Context, messages ...sent) []string {
	c.t.Helper()
	answer, err := c.function.Invoke(ctx, event(messages...))
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.HasPrefix(answer, []byte(`{"batchItemFailures":[`)) {
		c.t.Fatalf("the answer is %s", answer)
	}
	var response events.SQSEventResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		c.t.Fatal(err)
	}
	ids := []string{}
	for _, failure := range response.BatchItemFailures {
		ids = append(ids, failure.ItemIdentifier)
	}
	return ids
}

func (c *consumer) want(what string, got []string, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		c.t.Errorf("%s: reported (-want +got):\n%s\n%s", what, diff, c.log.String())
	}
}

// execute runs a statement as the superuser.
func (c *consumer) execute(sql string) {
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

// count asks for a number beside the function.
func (c *consumer) count(sql string, want int) {
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

// messages holds the metric of messages to the counts by status that all events so far have come to.
func (c *consumer) messages(want map[string]float64) {
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
	return `{"kind":"remediation","record":{"remediation_id":"` + id + `","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod",` +
		`"phase":"processing","status":"running","start_time":"2026-01-02T03:04:05Z","error_message":"out of memory"}}`
}

func analysis(remediationID, id string) string {
	return `{"kind":"ai_analysis","record":{"remediation_id":"` + remediationID + `","analysis_id":"` + id + `","provider":"p","model":"m"}}`
}

func progress(id, phase, status string) string {
	return `{"kind":"update","record":{"remediation_id":"` + id + `","phase":"` + phase + `","status":"` + status + `"}}`
}

func cloudEvent(data string) string {
	return `{"specversion":"1.0","id":"1","source":"/controller","type":"com.example.recorded","traceparent":"00-1","data":` + data + `}`
}

func array(items ...string) string { return "[" + strings.Join(items, ",") + "]" }

func many(n int, item func(i int) string) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return items
}

const (
	records = "SELECT count(*) FROM remediation_audit"
	journal = "SELECT count(*) FROM audit_event"
)

// TestQueueReportsPoisonAlone shows that each message that can never be stored is reported, with its reason in the log, and no other.
func TestQueueReportsPoisonAlone(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	poison := map[string]string{
		"not JSON":              `{"kind":`,
		"nothing":               ``,
		"two values":            remediation("x") + remediation("y"),
		"a text":                `"remediation"`,
		"no kind":               `{"record":{}}`,
		"unknown kind":          `{"kind":"remedy","record":{}}`,
		"no record":             `{"kind":"remediation"}`,
		"more than a record":    `{"kind":"remediation","record":{},"actor":"somebody else"}`,
		"a forged actor":        strings.Replace(remediation("x"), `"name"`, `"actor":"root","name"`, 1),
		"a key twice":           strings.Replace(remediation("x"), `"name"`, `"name":"a","name"`, 1),
		"faults":                `{"kind":"remediation","record":{"remediation_id":"<"}}`,
		"a child of no id":      `{"kind":"workflow","record":{"workflow_id":"w"}}`,
		"an update of nothing":  `{"kind":"update","record":{"remediation_id":"r"}}`,
		"too deep":              strings.Replace(remediation("x"), `"name"`, `"metadata":`+strings.Repeat(`{"a":`, 12)+`1`+strings.Repeat(`}`, 12)+`,"name"`, 1),
		"too large":             remediation(strings.Repeat("x", api.MaxMessage)),
		"an empty array":        `[]`,
		"too long an array":     array(many(api.MaxMessageRecords+1, func(int) string { return `1` })...),
		"event of version 2":    strings.Replace(cloudEvent(remediation("x")), "1.0", "2.0", 1),
		"event without an id":   strings.Replace(cloudEvent(remediation("x")), `"id":"1",`, "", 1),
		"event without data":    cloudEvent("null"),
		"event of bytes":        strings.Replace(cloudEvent(remediation("x")), `"data"`, `"data_base64":"eA==","data"`, 1),
		"event of XML":          strings.Replace(cloudEvent(remediation("x")), `"data"`, `"datacontenttype":"text/xml","data"`, 1),
		"event of a bad record": cloudEvent(`{"kind":"remediation","record":{}}`),
	}
	messages := []sent{{id: "first", body: remediation("r1")}}
	want := []string{}
	for name, body := range poison {
		messages = append(messages, sent{id: name, body: body})
		want = append(want, name)
	}
	messages = append(messages, sent{id: "nobody's", sender: "\u202e", body: remediation("x")}, sent{id: "last", body: cloudEvent(array(remediation("r2"), remediation("r3")))})
	c.want("a mixed event", c.consume(t.Context(), messages...), append(want, "nobody's")...)
	c.count(records, 3)
	c.count(journal+" WHERE actor = 'sqs:AROAEXAMPLE:controller' AND kind = 'remediation'", 3)
	c.count("SELECT count(*) FROM embedding", 1)
	for _, name := range want {
		if !strings.Contains(c.log.String(), `"message_id":"`+name+`"`) {
			t.Errorf("the log has no line for %s", name)
		}
	}
	c.messages(map[string]float64{"stored": 2, "poison": float64(len(poison) + 1)})
	if text := c.log.String(); !strings.Contains(text, "data.record.remediation_id: must be given") || !strings.Contains(text, `"operation":"consumeQueue"`) {
		t.Errorf("the log is %s", text)
	}
}

// TestQueueDuplicates shows that what comes again is a success and is stored once: in one event, in the next, and an update that others
// have followed.
func TestQueueDuplicates(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := bodies(
		remediation("r1"), remediation("r1"), analysis("r1", "a1"), cloudEvent(analysis("r1", "a1")),
		progress("r1", "processing", "pending"), array(remediation("r2"), remediation("r1")))
	c.want("first", c.consume(t.Context(), messages...))
	c.want("on", c.consume(t.Context(), bodies(progress("r1", "completed", "success"))...))
	c.want("again", c.consume(t.Context(), append(messages, bodies(progress("r1", "completed", "success"))...)...))
	c.count(journal, 5)
	c.count(records+" WHERE phase = 'completed'", 1)
	c.messages(map[string]float64{"stored": float64(2*len(messages) + 2)})
}

// TestQueueOutOfOrder shows that what comes before what it belongs to is reported until that is there.
func TestQueueOutOfOrder(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, func(config *write.Config) { config.Rejects = away(t) })
	early := bodies(
		analysis("r1", "a1"), progress("r1", "completed", "success"),
		// A bad record in the array is nothing to send while the array comes again.
		array(remediation("r2"), analysis("r1", "a2"), `{"kind":"remediation","record":{}}`))
	c.want("before", c.consume(t.Context(), early...), "m0", "m1", "m2")
	c.count(records, 1)
	c.want("the parent", c.consume(t.Context(), bodies(remediation("r1"))...))
	c.want("after", c.consume(t.Context(), early[:2]...))
	c.count(journal, 4)
	c.messages(map[string]float64{"early": 3, "stored": 3})
	c.want("in one event, children first", c.consume(t.Context(), bodies(
		progress("r3", "completed", "success"), analysis("r3", "a1"), array(progress("r4", "completed", "success"), remediation("r4")), remediation("r3"))...))
	c.count(records+" WHERE phase = 'completed'", 3)
}

// TestQueueUpdateWithItsRemediation shows that a remediation and its updates are one transaction: while the database fails the last of its
// statements nothing is stored, and everything is reported.
func TestQueueUpdateWithItsRemediation(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := bodies(progress("r1", "processing", "pending"), array(progress("r1", "completed", "success"), remediation("r1")), remediation("r2"))
	c.execute(`CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = 'XX000'; END $$`)
	c.execute("CREATE TRIGGER injected BEFORE UPDATE ON remediation_audit FOR EACH ROW EXECUTE FUNCTION injected()")
	c.want("the update fails", c.consume(t.Context(), messages...), "m0", "m1", "m2")
	c.count(records, 0)
	c.count(journal, 0)
	c.execute("DROP TRIGGER injected ON remediation_audit")
	c.want("again", c.consume(t.Context(), messages...))
	c.count(journal+" WHERE kind = 'update'", 2)
	c.count(records+" WHERE phase = 'completed'", 1)
	c.count(`SELECT count(DISTINCT x) FROM (SELECT xmin::text AS x FROM audit_event UNION ALL SELECT xmin::text FROM remediation_audit) AS rows`, 1)
	c.want("delivered twice", c.consume(t.Context(), messages...))
	c.count(journal, 4)
}

// TestQueueConflicts shows that what the stored record forbids, or the database, is poison, and stands alone.
func TestQueueConflicts(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	long := pseudo(3)
	refused := `{"kind":"execution","record":{"remediation_id":"` + long + `","workflow_id":"` + pseudo(1) + `","execution_id":"` + pseudo(2) +
		`","action_type":"a","success":true,"start_time":"2026-01-02T03:04:05Z"}}`
	c.want("to begin with", c.consume(t.Context(), bodies(remediation("r1"), progress("r1", "completed", "success"), remediation(long))...))
	c.want("a conflict", c.consume(t.Context(), bodies(
		strings.Replace(remediation("r1"), "out of memory", "disk is full", 1), remediation("r2"), progress("r1", "failed", "failure"),
		`{"kind":"update","record":{"remediation_id":"r2","end_time":"2025-01-01T00:00:00Z"}}`, refused, analysis("r2", "a1"))...),
		"m0", "m2", "m3", "m4")
	c.count(journal, 5)
	c.messages(map[string]float64{"stored": 5, "poison": 4})
}

// pseudo is an identifier as long as may be that does not compress, so that the index refuses it.
func pseudo(seed uint32) string {
	out := make([]rune, 255)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = rune(0x20000 + seed>>8%0xa000)
	}
	return string(out)
}

// TestQueueArrays shows that the good records of an array are stored though it is reported, as long as nobody takes its bad ones.
func TestQueueArrays(t *testing.T) {
	t.Parallel()
	for name, rejects := range map[string]*write.Rejects{"none": nil, "away": away(t)} {
		c := newConsumer(t, nil, func(config *write.Config) { config.Rejects = rejects })
		c.want(name, c.consume(t.Context(), bodies(
			array(remediation("r1"), `{"kind":"remediation","record":{"remediation_id":"bad"}}`, remediation("r2")), remediation("r3"))...), "m0")
		c.count(records, 3)
		c.messages(map[string]float64{"failure": 1, "stored": 1})
	}
}

// away is a rejects queue that nobody answers for.
func away(t *testing.T) *write.Rejects {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return write.NewRejects("http://"+listener.Addr().String()+"/000000000000/rejects", awsconfig.WithRegion("us-east-1"),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
}

// TestQueueFIFO shows that a message group stops at its first failure, and that other groups go on.
func TestQueueFIFO(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	reported := c.consume(t.Context(),
		sent{group: "a", body: remediation("a1")},
		sent{group: "b", body: `{}`},
		sent{group: "a", body: progress("a1", "completed", "success")},
		sent{group: "b", body: remediation("b1")},
		sent{group: "a", body: progress("a1", "failed", "failure")}, // a conflict
		sent{group: "c", body: analysis("c0", "x")},                 // early
		sent{group: "a", body: remediation("a2")},
		sent{group: "c", body: remediation("c1")},
		sent{group: "d", body: remediation("d1")},
		sent{group: "b", body: remediation("b2")},
	)
	c.want("groups", reported, "m1", "m3", "m4", "m5", "m6", "m7", "m9")
	c.count(records, 2)
	c.count(journal, 3)
	c.messages(map[string]float64{"stored": 3, "poison": 2, "early": 1, "blocked": 4})
	// Only FIFO queues keep an order: fair queues are standard ones with groups.
	var fair events.SQSEvent
	if err := json.Unmarshal(event(bodies(`{}`, remediation("e1"))...), &fair); err != nil {
		t.Fatal(err)
	}
	for i := range fair.Records {
		fair.Records[i].Attributes["MessageGroupId"] = "g"
	}
	payload, err := json.Marshal(fair)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := c.function.Invoke(t.Context(), payload); err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"m0"}]}` {
		t.Errorf("a fair queue: %s, %v", answer, err)
	}
}

// TestQueueOneTransaction shows that the good records of an event are committed together, a thousand at a time.
func TestQueueOneTransaction(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	messages := bodies(many(899, func(i int) string { return remediation(fmt.Sprint("r", i)) })...)
	messages = append(messages, bodies(`{}`, array(many(100, func(i int) string { return remediation(fmt.Sprint("s", i)) })...))...)
	c.want("a thousand", c.consume(t.Context(), messages...), "m899")
	c.count("SELECT count(DISTINCT xmin::text) FROM remediation_audit", 1)
	c.want("another thousand", c.consume(t.Context(), bodies(
		array(many(1000, func(i int) string { return remediation(fmt.Sprint("t", i)) })...), array(many(500, func(i int) string { return remediation(fmt.Sprint("u", i)) })...),
		array(many(600, func(i int) string { return remediation(fmt.Sprint("v", i)) })...))...))
	c.count("SELECT count(DISTINCT xmin::text) FROM remediation_audit", 4)
	c.count(records, 3099)
}

// invocation is the context of an invocation whose time is over when end is called, whatever the clock says.
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

// TestQueueDeadline checks that messages which are not stored when the invocation's time is over are reported, and that they can be stored
// by the next one. queue_internal_test.go checks that this happens in time.
func TestQueueDeadline(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	c.want("to begin with", c.consume(t.Context(), bodies(remediation("r0"))...))
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
	thousands := bodies(array(many(1000, func(i int) string { return remediation(fmt.Sprint("s", i)) })...), `{}`,
		array(many(1000, func(i int) string { return remediation(fmt.Sprint("t", i)) })...))
	c.want("a locked table", c.consume(ctx, thousands...), "m0", "m1", "m2")
	waiting.Wait()
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.messages(map[string]float64{"stored": 1, "late": 2, "poison": 1})
	c.count(records, 1)
	c.want("again", c.consume(t.Context(), thousands...), "m1")
	c.count(records, 2001)
	c.count(journal, 2001)
}

// TestQueueDatabaseAway shows that nothing is lost or done twice when the database is away, before or in the middle.
func TestQueueDatabaseAway(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	c := newConsumer(t, server, nil)
	messages := bodies(append(many(20, func(i int) string { return remediation(fmt.Sprint("r", i)) }), `{}`)...)
	if err := postgrestest.Kill(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range messages {
		all = append(all, fmt.Sprint("m", i))
	}
	c.want("the database is away", c.consume(t.Context(), messages...), all...)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want("it is back", c.consume(t.Context(), messages...), "m20")
	c.count(journal, 20)
	c.messages(map[string]float64{"failure": 20, "poison": 2, "stored": 20})
}

// TestQueuePanic shows that a panic reports what is not known to be stored, and says so.
func TestQueuePanic(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, func(config *write.Config) { config.Now = func() time.Time { panic("no clock") } })
	c.want("a panic", c.consume(t.Context(), bodies(remediation("r1"), remediation("r2"))...), "m0", "m1")
	if text := c.log.String(); !strings.Contains(text, "panic: no clock") || !strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("the log is %s", text)
	}
}

// TestQueueEvents shows which events are no event of a queue: all their messages come again.
func TestQueueEvents(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, nil, nil)
	for name, payload := range map[string]string{
		"cut short":                 `{"Records":[`,
		"another service's":         `{"Records":[{"eventSource":"aws:s3","messageId":"m"}]}`,
		"a message without id":      strings.Replace(string(event(bodies(remediation("r1"), remediation("r2"))...)), `"m1"`, `""`, 1),
		"no event":                  `[]`,
		"no JSON":                   `{"version"`,
		"records of a strange type": `{"Records":{"a":1}}`,
	} {
		if answer, err := c.function.Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%s is answered: %s", name, answer)
		}
	}
	c.count(records, 0)
	if answer, err := c.function.Invoke(t.Context(), []byte(" {\n\t\"Records\" : [] }")); err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Errorf("nothing is answered %s, %v", answer, err)
	}
	answer, err := c.function.Invoke(t.Context(), []byte("\n {\"version\": \"2.0\", \"routeKey\": \"POST /v1/remediations\"}"))
	if err != nil || !bytes.Contains(answer, []byte(`"statusCode":401`)) {
		t.Errorf("an event of the API is answered %s, %v", answer, err)
	}
}
