package write

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/api"
	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/redact"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// QueueOperation is the operation of SQS events in metrics, log lines and traces.
const QueueOperation = "consumeQueue"

// queueMargin is kept back from the function's deadline: what is not committed by then is reported, in time for Lambda to read it.
const queueMargin = time.Second

// maxRound is how many records are written in one transaction, and how many a message may have: an event of ten thousand would keep
// one open for seconds, and would get nothing done in a time that is short of them.
const maxRound = 1000

// queue answers SQS events. docs/queue.md is the contract; decision 017 has the reasons.
type queue struct{ handler }

// invoke answers an event with the messages that are to come again. Everything that it does not name has been committed, or was sent to
// the rejects queue.
func (q queue) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, invocation := q.Telemetry.Begin(ctx, telemetry.Call{Operation: QueueOperation})
	status := telemetry.Failure
	defer func() { invocation.End(status) }()
	event, err := readEvent(payload)
	if err != nil {
		q.Log.ErrorContext(ctx, "no queue event", slog.Any("error", err))
		return nil, err
	}
	d := newDelivery(q, event)
	d.run(ctx)
	d.report(ctx)
	status = d.status()
	return json.Marshal(d.response())
}

// readEvent refuses an event of another service, and one with a message that has no id: it could not be reported alone.
func readEvent(payload []byte) (events.SQSEvent, error) {
	var event events.SQSEvent
	if err := jsonv2.Unmarshal(payload, &event, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return event, fmt.Errorf("read the SQS event: %w", err)
	}
	for i, message := range event.Records {
		if message.EventSource != "aws:sqs" || message.MessageId == "" {
			return event, fmt.Errorf("record %d of the event is no message of SQS", i)
		}
	}
	return event, nil
}

// delivery is one event under way.
type delivery struct {
	queue
	messages []*message
	actions  redact.Actions
	// stuck are the message groups of which a message was not stored.
	stuck map[string]bool
	// away is why the rejects queue could not be reached, so that only one message waits for it.
	away error
}

// message is one message of the event.
type message struct {
	events.SQSMessage
	// group is the message group of a FIFO queue. Standard queues may have groups as well, but keep no order.
	group   string
	array   bool
	records []queued
	// err is why there are no records.
	err error
	// status is what became of it, a value of the metric's dimension. Only stored and rejected messages are not to come again.
	status string
}

// queued is one record of a message.
type queued struct {
	item  api.MessageItem
	actor string
	entry audit.Entry
	err   error
}

func newDelivery(q queue, event events.SQSEvent) *delivery {
	d := &delivery{queue: q, actions: redact.Actions{}, stuck: map[string]bool{}}
	for _, sent := range event.Records {
		// Until it is known better, a message has failed.
		m := &message{SQSMessage: sent, status: telemetry.Failure}
		if strings.HasSuffix(sent.EventSourceARN, ".fifo") {
			m.group = sent.Attributes["MessageGroupId"]
		}
		d.messages = append(d.messages, m)
	}
	return d
}

// run stores what can be stored. After a panic, what is not known to be stored counts as failed.
func (d *delivery) run(ctx context.Context) {
	defer func() {
		if fault := recover(); fault != nil {
			d.Log.ErrorContext(ctx, "panic", slog.String("error", api.Reason(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))))
		}
	}()
	ctx, cancel := withMargin(ctx)
	defer cancel()
	d.decode(d.Now())
	for rest := d.messages; len(rest) > 0; {
		var round []*message
		round, rest = d.next(rest)
		d.store(ctx, round)
	}
}

func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-queueMargin))
}

// decode opens the messages and makes the entries of their good records, on as many processors as there are: the database waits for
// it.
func (d *delivery) decode(now time.Time) {
	var work []*queued
	for _, m := range d.messages {
		m.open()
		for i := range m.records {
			work = append(work, &m.records[i])
		}
	}
	var next atomic.Int64
	var mu sync.Mutex
	var running sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(work)/worthATask+1) {
		running.Go(func() {
			actions := redact.Actions{}
			for i := next.Add(1) - 1; i < int64(len(work)); i = next.Add(1) - 1 {
				work[i].decode(now, actions)
			}
			mu.Lock()
			defer mu.Unlock()
			for action, times := range actions {
				d.actions[action] += times
			}
		})
	}
	running.Wait()
}

// worthATask is how many records another goroutine is worth.
const worthATask = 20

// open finds the message's records.
func (m *message) open() {
	actor, err := m.actor()
	if err != nil {
		m.err = err
		return
	}
	opened, err := api.OpenMessage(m.Body)
	m.array, m.err = opened.Array, err
	m.records = make([]queued, len(opened.Items))
	for i, item := range opened.Items {
		m.records[i] = queued{item: item, actor: actor}
	}
}

// decode makes the record's entry. A panic is the record's error, so that no other record suffers from it.
func (r *queued) decode(now time.Time, actions redact.Actions) {
	defer func() {
		if fault := recover(); fault != nil {
			r.err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	var record audit.Record
	if record, r.err = r.item.Decode(actions); r.err == nil {
		r.entry, r.err = audit.NewEntry(record, r.actor, now)
	}
}

// errSender is a message that SQS names no sender of. No queue does that; there is nobody to write into the journal.
var errSender = errors.New("the message has no valid SenderId")

// actor is the sender as SQS authenticated it: the id of an IAM user, or a role's with the session's name.
func (m *message) actor() (string, error) {
	actor := "sqs:" + m.Attributes["SenderId"]
	if actor == "sqs:" || !audit.ValidIdentifier(actor) {
		return "", errSender
	}
	return actor, nil
}

// next takes the messages that are written together off the rest: as many as a round holds, and of a message group only the first,
// since what becomes of it decides about the others.
func (d *delivery) next(waiting []*message) (round, rest []*message) {
	records, taken := 0, map[string]bool{}
	for _, m := range waiting {
		full := len(round) > 0 && records+len(m.records) > maxRound
		if full || taken[m.group] {
			rest = append(rest, m)
		} else {
			round = append(round, m)
			records += len(m.records)
		}
		if m.group != "" {
			taken[m.group] = true
		}
	}
	return round, rest
}

// store writes the good records of a round in one transaction and settles its messages. A message behind one of its group that was
// not stored is not written.
func (d *delivery) store(ctx context.Context, round []*message) {
	var free []*message
	for _, m := range round {
		if d.stuck[m.group] {
			m.status = telemetry.Blocked
			continue
		}
		free = append(free, m)
	}
	d.write(ctx, free)
	for _, m := range free {
		d.settle(ctx, m)
		if m.group != "" && !m.done() {
			d.stuck[m.group] = true
		}
	}
}

// errRound is the error of every record of a round of which it is not known that it was written; the reason is in the log once.
var errRound = errors.New("the round may not have been committed")

// write appends the good records of a round and notes what became of each.
func (d *delivery) write(ctx context.Context, round []*message) {
	entries, places := goodRecords(round)
	if len(entries) == 0 {
		return
	}
	written, err := d.appendRound(ctx, entries)
	if err != nil {
		d.Log.ErrorContext(ctx, "round not stored", slog.Int("records", len(entries)), slog.String("error", api.Reason(err)))
	}
	for i, record := range places {
		if err != nil {
			record.err = errRound
			continue
		}
		record.err = written[i].Err
		if contradiction, ok := errors.AsType[audit.Contradiction](record.err); ok {
			record.err = audit.Contradiction{Errors: ofRecord(contradiction.Errors)}
		}
	}
}

// ofRecord names the fields of faults as decoding does.
func ofRecord(faults audit.ValidationErrors) audit.ValidationErrors {
	named := slices.Clone(faults)
	for i := range named {
		named[i].Field = "record." + named[i].Field
	}
	return named
}

func goodRecords(round []*message) (entries []audit.Entry, places []*queued) {
	for _, m := range round {
		for i := range m.records {
			if record := &m.records[i]; record.err == nil {
				entries = append(entries, record.entry)
				places = append(places, record)
			}
		}
	}
	return entries, places
}

func (d *delivery) appendRound(ctx context.Context, entries []audit.Entry) ([]audit.Written, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	telemetry.Observe(ctx, telemetry.BatchSize, float64(len(entries)))
	var signatures []audit.Signature
	for _, entry := range entries {
		if entry.Kind == audit.KindRemediation {
			signatures = append(signatures, entry.Signature)
		}
	}
	return d.appendWithVectors(ctx, entries, signatures, postgres.AppendOptions{Redelivered: true})
}

// settle decides what becomes of a message, now that this is known of its records.
func (d *delivery) settle(ctx context.Context, m *message) {
	m.status = m.fate()
	d.tell(ctx, m, m.err)
	for i, record := range m.records {
		if record.err != nil {
			d.tell(ctx, m, record.err, record.attributes(i)...)
		}
	}
	if m.status == telemetry.Failure && ctx.Err() != nil {
		m.status = telemetry.Late
	}
	if m.status != telemetry.Poison || !m.array {
		return
	}
	if err := d.reject(ctx, m); err != nil {
		m.status = telemetry.Failure
		d.Log.ErrorContext(ctx, "rejects not sent", slog.String("message_id", m.MessageId), slog.String("error", api.Reason(err)))
	} else {
		m.status = telemetry.Rejected
	}
}

// fate is the message's status by its worst record: one that may still be stored outweighs one that never can be.
func (m *message) fate() string {
	fates := map[string]bool{fate(m.err): true}
	for _, record := range m.records {
		fates[fate(record.err)] = true
	}
	for _, worst := range []string{telemetry.Failure, telemetry.Early, telemetry.Poison} {
		if fates[worst] {
			return worst
		}
	}
	return telemetry.Stored
}

// fate is what an error means for a message that holds nothing else.
func fate(err error) string {
	var faults audit.ValidationErrors
	switch {
	case err == nil:
		return telemetry.Stored
	case errors.Is(err, audit.ErrNotFound):
		return telemetry.Early
	case errors.As(err, &faults), errors.Is(err, errSender),
		errors.Is(err, audit.ErrConflict), errors.Is(err, audit.ErrRefused):
		return telemetry.Poison
	default:
		return telemetry.Failure
	}
}

// done reports whether the message is not to come again.
func (m *message) done() bool { return m.status == telemetry.Stored || m.status == telemetry.Rejected }

// tell counts and logs why a record, or a whole message, is not stored.
func (d *delivery) tell(ctx context.Context, m *message, err error, attributes ...slog.Attr) {
	if err == nil || errors.Is(err, errRound) {
		return
	}
	api.ReportMessageErrors(ctx, err)
	level := slog.LevelWarn
	if fate(err) == telemetry.Failure {
		level = slog.LevelError
	}
	d.Log.LogAttrs(ctx, level, "record not stored", append(attributes, slog.String("message_id", m.MessageId),
		slog.String("queue", m.EventSourceARN), slog.String("reason", fate(err)), slog.String("error", api.Reason(err)))...)
}

// attributes are what a line about the record has.
func (r *queued) attributes(index int) []slog.Attr {
	attributes := []slog.Attr{slog.Int("index", index)}
	if id := r.entry.RemediationID; id != "" {
		attributes = append(attributes, slog.String("remediation_id", redact.Text(id, redact.Actions{})))
	}
	return attributes
}

// report counts the messages and writes the invocation's last line.
func (d *delivery) report(ctx context.Context) {
	for action, times := range d.actions {
		telemetry.Add(ctx, telemetry.Sanitizations, times, string(action))
	}
	ids := map[string][]string{}
	for _, m := range d.messages {
		ids[m.status] = append(ids[m.status], m.MessageId)
	}
	attributes := []slog.Attr{slog.Int("messages", len(d.messages)), slog.String("status", d.status())}
	for status, of := range ids {
		telemetry.Add(ctx, telemetry.QueueMessages, len(of), status)
		if status != telemetry.Stored {
			attributes = append(attributes, slog.Any(status, of))
		}
	}
	d.Log.LogAttrs(ctx, d.level(), "queue event", attributes...)
}

func (d *delivery) level() slog.Level {
	switch d.status() {
	case telemetry.Success:
		return slog.LevelInfo
	case telemetry.Rejected:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// status is that of the invocation: a failure of the service outweighs the senders' faults.
func (d *delivery) status() string {
	status := telemetry.Success
	for _, m := range d.messages {
		switch m.status {
		case telemetry.Stored:
		case telemetry.Failure, telemetry.Late:
			return telemetry.Failure
		default:
			status = telemetry.Rejected
		}
	}
	return status
}

// response names the messages that are to come again. The list is never null, which Lambda would take for the success of all.
func (d *delivery) response() events.SQSEventResponse {
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, m := range d.messages {
		if !m.done() {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return response
}
