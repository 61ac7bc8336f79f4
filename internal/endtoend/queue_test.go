package endtoend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/endtoend"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/localstack"
)

// localStack is this test binary's LocalStack, started by the first test that needs it and closed by TestMain.
var localStack sharedLocalStack

type sharedLocalStack struct {
	once   sync.Once
	server *localstack.Server
	err    error
}

func (s *sharedLocalStack) client(tb testing.TB) *sqs.Client {
	tb.Helper()
	if testing.Short() {
		tb.Skip("starts LocalStack")
	}
	s.once.Do(func() {
		s.server, s.err = localstack.Start(context.Background(), localstack.Config{
			Services: []string{"sqs"}, URL: os.Getenv("DATASTORAGE_LOCALSTACK_URL"), Progress: os.Stderr,
		})
	})
	if s.err != nil {
		tb.Fatal(s.err)
	}
	config := s.server.Config()
	config.HTTPClient = &http.Client{Transport: newTransport(tb)}
	return sqs.NewFromConfig(config)
}

func newTransport(tb testing.TB) *http.Transport {
	own := &http.Transport{MaxIdleConnsPerHost: 16}
	tb.Cleanup(own.CloseIdleConnections)
	return own
}

func (s *sharedLocalStack) close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// The size of TestQueue: messages of one record each, and arrays.
const (
	queueMessages   = 10_000
	queueDuplicates = queueMessages / 20
	queuePoison     = queueMessages / 100
	queueArrays     = 10
	arrayRecords    = 1000
	arrayBad        = arrayRecords / 100
	arrayDuplicates = arrayRecords / 20
)

// TestQueue sends 10,000 messages through LocalStack's SQS, ten per event, and ten arrays of 1,000 records, one
// per event, to processes of the write function that are killed with SIGKILL twice. One message in twenty is
// sent twice, one in a hundred is poison; the same holds for the records of the arrays. In the end every good
// record is stored once, every poison message is in the dead-letter queue, every bad record is in the rejects
// queue, and nothing else is in any of them.
func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueueRun(t)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
	defer stop()
	polling, stopPolling := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, poller := range []local.PollerConfig{
		{Queue: q.singles.Records, BatchSize: 10, InFlight: 4},
		{Queue: q.bulk.Records, BatchSize: 1, InFlight: 1},
	} {
		poller.Client, poller.Function, poller.Log = q.client, q.writers, slog.New(slog.NewJSONHandler(&q.log, nil))
		made, err := local.NewPoller(ctx, poller)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { made.Run(polling) })
	}
	started := time.Now()
	conn := connect(t, q.stack.Database.ReaderURL())
	running.Go(func() { q.killWriters(polling, conn) })
	q.sendAll(ctx)
	sent := time.Since(started)
	for ctx.Err() == nil && !q.isDrained() {
		time.Sleep(250 * time.Millisecond)
	}
	stopPolling()
	running.Wait()
	t.Logf("%d messages and %d arrays sent in %v, dealt with in %v, %d processes killed",
		queueMessages, queueArrays, sent.Round(time.Millisecond), time.Since(started).Round(time.Millisecond), q.kills)
	if ctx.Err() != nil {
		t.Fatalf("the queues are not empty in time; the writers' log:\n%s", lastBytes(q.log.String(), 4000))
	}
	if q.kills < 2 {
		t.Errorf("%d processes were killed", q.kills)
	}
	q.check()
}

// queueRun is one run of TestQueue.
type queueRun struct {
	t             *testing.T
	stack         *endtoend.Stack
	client        *sqs.Client
	singles, bulk local.Queues
	all           []*sandbox
	writers       sandboxes
	log           lockedBuffer
	kills         int

	// What is sent, and its expected outcome.
	messages []string
	arrays   []string
	good     map[string]bool // kind, remediation and child, as in the journal
	poison   map[string]bool
	bad      map[string]bool
}

func newQueueRun(t *testing.T) *queueRun {
	t.Helper()
	q := &queueRun{
		t: t, stack: endtoend.New(t, endtoend.Options{}), client: localStack.client(t),
		good: map[string]bool{}, poison: map[string]bool{}, bad: map[string]bool{},
	}
	for name, queues := range map[string]*local.Queues{"singles": &q.singles, "bulk": &q.bulk} {
		var err error
		// A poison message is received MaxReceives times. A good message is received again after each kill, and
		// on a busy machine whenever an event takes longer than Visibility.
		*queues, err = local.MakeQueues(t.Context(), q.client, local.QueuesConfig{Name: name, Visibility: 6 * time.Second, MaxReceives: 15})
		if err != nil {
			t.Fatal(err)
		}
	}
	q.writers = make(sandboxes, 2)
	for range cap(q.writers) {
		one := newSandbox(t, q.stack, &q.log, "DATASTORAGE_REJECTS_QUEUE_URL="+q.bulk.Rejects, "DATASTORAGE_EMBEDDING_DEADLINE=20s")
		q.all = append(q.all, one)
		q.writers <- one
	}
	q.makeMessages()
	q.makeArrays()
	return q
}

// queueRecord returns the JSON of a record of a kind, and its name in the journal.
func queueRecord(kind, remediation, child string) (text, name string) {
	const begin = `"start_time":"2026-01-02T03:04:05Z"`
	record := `"remediation_id":"` + remediation + `",`
	switch kind {
	case "remediation":
		record += `"name":"Queued","namespace":"shop","action_type":"restart_pod","phase":"processing","status":"running",` + begin +
			`,"error_message":"trouble with ` + numberAsLetters(len(remediation)*7%50) + `"`
	case "update":
		record += `"phase":"completed","status":"success"`
	case "ai_analysis":
		record += `"analysis_id":"` + child + `","provider":"p","model":"m"`
	case "execution":
		record += `"workflow_id":"w","execution_id":"` + child + `","action_type":"a","success":true,` + begin
	}
	return `{"kind":"` + kind + `","record":{` + record + `}}`, kind + " " + remediation
}

// makeMessages makes the messages of one record each: three in four are remediations, the others are children
// of a remediation that is sent about twenty messages earlier or later.
func (q *queueRun) makeMessages() {
	for i := range queueMessages - queueDuplicates - queuePoison {
		kind, of := "remediation", fmt.Sprint("q-", i)
		if i%4 == 3 {
			kind, of = pickByIndex(i/4, "update", "ai_analysis", "execution"), fmt.Sprint("q-", i/4*4+pickByIndex(i/12, 1, 0, 2))
		}
		text, name := queueRecord(kind, of, "c")
		q.good[name] = true
		q.messages = append(q.messages, text)
	}
	// Some children are sent before their parents.
	for i := 3; i+25 < len(q.messages); i += 40 {
		q.messages[i-2], q.messages[i+20] = q.messages[i+20], q.messages[i-2]
	}
	for i := range queueDuplicates {
		q.messages = append(q.messages, q.messages[i*len(q.messages)/queueDuplicates%(queueMessages-queueDuplicates-queuePoison)])
	}
	for i := range queuePoison {
		text, _ := queueRecord("remediation", fmt.Sprint("poison-", i), "")
		text = pickByIndex(i,
			text[:len(text)-1],
			strings.Replace(text, "remediation", "remedy", 1),
			strings.Replace(text, `"name":"Queued",`, "", 1),
			strings.Replace(text, `"remediation_id":"poison-`+strconv.Itoa(i)+`"`, `"remediation_id":"q-0","cluster_name":"c`+strconv.Itoa(i)+`"`, 1)) // a conflict if q-0 is stored
		q.poison[text] = true
		place := 200 + i*(queueMessages-400)/queuePoison/2 // in the first half, so that their retries end in time
		q.messages = slices.Insert(q.messages, place, text)
	}
}

// makeArrays makes the arrays. The last one repeats another.
func (q *queueRun) makeArrays() {
	for a := range queueArrays - 1 {
		var items []string
		for i := range arrayRecords - arrayBad - arrayDuplicates {
			text, name := queueRecord("remediation", fmt.Sprint("a-", a, "-", i), "")
			q.good[name] = true
			items = append(items, text)
		}
		for i := range arrayDuplicates {
			items = append(items, items[i*17])
		}
		for i := range arrayBad {
			text, _ := queueRecord("remediation", fmt.Sprint("bad-", a, "-", i), "")
			text = strings.Replace(text, `"processing"`, `"underway"`, 1)
			q.bad[text] = true
			items = slices.Insert(items, i*99, text)
		}
		q.arrays = append(q.arrays, "["+strings.Join(items, ",")+"]")
	}
	q.arrays = append(q.arrays, q.arrays[0])
}

// sendAll sends from several goroutines, roughly in the order of the messages.
func (q *queueRun) sendAll(ctx context.Context) {
	work := make(chan []string)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for bodies := range work {
				q.send(ctx, q.singles.Records, bodies)
			}
		})
	}
	for i, part := range slices.Collect(slices.Chunk(q.messages, 10)) {
		work <- part
		if every := queueMessages / 10 / queueArrays; i%every == every/2 {
			q.send(ctx, q.bulk.Records, q.arrays[i/every:i/every+1])
		}
	}
	close(work)
	running.Wait()
}

func (q *queueRun) send(ctx context.Context, queue string, bodies []string) {
	entries := make([]types.SendMessageBatchRequestEntry, len(bodies))
	for i, body := range bodies {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(body)}
	}
	sent, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(queue), Entries: entries})
	if err != nil || len(sent.Failed) > 0 {
		q.t.Errorf("send: %v, %v", sent, err)
	}
}

// killWriters kills every process of the function when a third and when two thirds of the records are stored.
func (q *queueRun) killWriters(ctx context.Context, conn *pgx.Conn) {
	for _, third := range []int{1, 2} {
		for {
			var n int
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM audit_event").Scan(&n); err != nil {
				return
			}
			if n >= third*len(q.good)/3 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		for _, one := range q.all {
			one.kill()
			q.kills++
		}
	}
}

// isDrained reports whether no message is waiting or in flight.
func (q *queueRun) isDrained() bool {
	return q.count(q.singles.Records) == 0 && q.count(q.bulk.Records) == 0
}

func (q *queueRun) count(queue string) (n int) {
	got, err := q.client.GetQueueAttributes(q.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(queue), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		q.t.Fatal(err)
	}
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		some, err := strconv.Atoi(got.Attributes[name])
		if err != nil {
			q.t.Fatal(err)
		}
		n += some
	}
	return n
}

// receiveAll receives and deletes all messages of a queue.
func (q *queueRun) receiveAll(queue string) (bodies []string) {
	for {
		got, err := q.client.ReceiveMessage(q.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(queue), MaxNumberOfMessages: 10})
		if err != nil {
			q.t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return bodies
		}
		for _, message := range got.Messages {
			bodies = append(bodies, aws.ToString(message.Body))
			if _, err := q.client.DeleteMessage(q.t.Context(), &sqs.DeleteMessageInput{
				QueueUrl: aws.String(queue), ReceiptHandle: message.ReceiptHandle,
			}); err != nil {
				q.t.Fatal(err)
			}
		}
	}
}

// check checks that every record and message is where it belongs, and that nothing else is there.
func (q *queueRun) check() {
	url := q.stack.Database.SuperuserURL()
	journal := map[string]int{}
	for _, name := range queryRows[string](q.t, url, "SELECT kind || ' ' || remediation_id FROM audit_event") {
		journal[name]++
	}
	q.checkNames("the journal", journal, q.good, 1)
	for table, sql := range map[string]string{
		"remediation": "SELECT 'remediation ' || remediation_id FROM remediation_audit",
		"update":      "SELECT 'update ' || remediation_id FROM remediation_audit WHERE phase = 'completed'",
		"ai_analysis": "SELECT 'ai_analysis ' || remediation_id FROM ai_analysis_audit",
		"execution":   "SELECT 'execution ' || remediation_id FROM execution_audit",
	} {
		want, got := map[string]bool{}, map[string]int{}
		for name := range q.good {
			if strings.HasPrefix(name, table+" ") {
				want[name] = true
			}
		}
		for _, name := range queryRows[string](q.t, url, sql) {
			got[name]++
		}
		q.checkNames(table, got, want, 1)
	}
	dead := map[string]int{}
	for _, body := range q.receiveAll(q.singles.DeadLetters) {
		dead[body]++
	}
	q.checkNames("the dead-letter queue", dead, q.poison, 1)
	q.checkNames("the arrays' dead-letter queue", map[string]int{}, map[string]bool{}, len(q.receiveAll(q.bulk.DeadLetters)))
	q.checkNames("the rejects", q.rejects(), q.bad, 0)
	if n := queryValue[int](q.t, url, "SELECT count(*) FROM signature AS s WHERE NOT EXISTS (SELECT FROM embedding AS e WHERE e.signature_id = s.id)"); n > 0 {
		q.t.Errorf("%d signatures have no vector", n)
	}
}

// rejects returns the records of the rejects queue, and checks that two rejects have the same ID exactly if
// their records are equal.
func (q *queueRun) rejects() map[string]int {
	records, ids := map[string]int{}, map[string]string{}
	for _, body := range q.receiveAll(q.bulk.Rejects) {
		var reject struct {
			ID      string `json:"reject_id"`
			Actor   string
			Problem struct {
				Errors []struct{ Field, Code string }
			}
			Message json.RawMessage
		}
		if err := json.Unmarshal([]byte(body), &reject); err != nil {
			q.t.Fatal(err)
		}
		text := string(reject.Message)
		if before, known := ids[reject.ID]; known && before != text {
			q.t.Errorf("two records have the reject ID %s", reject.ID)
		}
		if len(reject.Problem.Errors) != 1 || !strings.HasSuffix(reject.Problem.Errors[0].Field, "].record.phase") || !strings.HasPrefix(reject.Actor, "sqs:") {
			q.t.Errorf("a reject is %s", body)
		}
		ids[reject.ID] = text
		records[text]++
	}
	if len(ids) != len(records) {
		q.t.Errorf("%d records are rejected under %d ids", len(records), len(ids))
	}
	return records
}

// checkNames compares the names that were found with those that were wanted. Each name must be found exactly
// times times, or at least once if times is 0.
func (q *queueRun) checkNames(where string, got map[string]int, want map[string]bool, times int) {
	q.t.Helper()
	var lost, strange, often []string
	for name := range want {
		if got[name] == 0 {
			lost = append(lost, name)
		}
	}
	for name, n := range got {
		if !want[name] {
			strange = append(strange, name)
		}
		if times > 0 && n != times {
			often = append(often, fmt.Sprint(name, " ", n, " times"))
		}
	}
	for what, names := range map[string][]string{"lost": lost, "not to be there": strange, "too often": often} {
		if len(names) > 0 {
			slices.Sort(names)
			q.t.Errorf("%s: %d of %d %s, such as %.500s", where, len(names), len(want), what, strings.Join(names[:min(3, len(names))], "\n"))
		}
	}
	if len(want) > 0 {
		q.t.Logf("%s: %d", where, len(got))
	}
}

func lastBytes(text string, n int) string { return text[max(0, len(text)-n):] }
