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

// queueMargin is the time reserved for the response at the end of an invocation: messages that are
// not committed by then are reported.
const queueMargin = time.Second

// maxRound is the number of records per transaction and per message. Larger rounds hold a
// transaction open for seconds and make no progress near the deadline.
const maxRound = 1000

// recordsPerTask is the number of records to decode that justifies another goroutine.
const recordsPerTask = 20

var (
	// errSender is returned for a message without a valid SenderId. SQS always sets it; without it
	// the journal has no actor.
	errSender = errors.New("the message has no valid SenderId")
	// errRound marks every record of a round whose commit outcome is unknown. The cause is logged
	// once.
	errRound = errors.New("the round may not have been committed")
)

// queue handles SQS events. docs/queue.md is the contract, decision 017 gives the reasons.
type queue struct{ handler }

// handleEvent returns the messages to redeliver. The records of every other message are committed
// or were sent to the rejects queue.
func (q queue) handleEvent(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, invocation := q.Telemetry.Begin(ctx, telemetry.Call{Operation: QueueOperation})
	status := telemetry.Failure
	defer func() { invocation.End(status) }()
	event, err := readQueueEvent(payload)
	if err != nil {
		q.Log.ErrorContext(ctx, "invalid SQS event", slog.Any("error", err))
		return nil, err
	}
	d := newDelivery(q, event)
	d.processMessages(ctx)
	d.reportMessages(ctx)
	status, _ = d.outcome()
	return json.Marshal(d.batchResponse())
}

// readQueueEvent rejects events of other services, and events with a message without an ID, which
// could not be reported on its own.
func readQueueEvent(payload []byte) (events.SQSEvent, error) {
	var event events.SQSEvent
	err := jsonv2.Unmarshal(payload, &event, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return event, fmt.Errorf("read the SQS event: %w", err)
	}
	for i, message := range event.Records {
		if message.EventSource != "aws:sqs" || message.MessageId == "" {
			return event, fmt.Errorf("record %d of the event is not an SQS message", i)
		}
	}
	return event, nil
}

// delivery is an SQS event in progress.
type delivery struct {
	queue
	messages []*message
	actions  redact.Actions
	// blocked are the message groups with a message that was not stored.
	blocked map[string]bool
	// rejectsErr is the error of the rejects queue, kept so that only one message waits for it.
	rejectsErr error
}

// message is one message of an event.
type message struct {
	events.SQSMessage
	// group is the message group of a FIFO queue, otherwise empty: groups of standard queues imply
	// no order.
	group   string
	isArray bool
	records []messageRecord
	// err is the error of the message as a whole, which then has no records.
	err    error
	status messageStatus
}

// messageStatus is the outcome of a message. Messages are redelivered unless they are stored or
// rejected.
type messageStatus int

// The statuses of messages. Of the statuses of several records, the message has the greatest.
const (
	messageStored   messageStatus = iota // all records are stored
	messageRejected                      // its bad records were sent to the rejects queue
	messagePoison                        // can never be stored
	messageEarly                         // its remediation is not stored yet
	messageBlocked                       // after a message of its group that was not stored
	messageLate                          // not processed before the function's deadline
	messageFailed                        // may be stored when it is redelivered
)

// label returns the status in metrics and log lines.
func (s messageStatus) label() string {
	return [...]string{
		messageStored:   telemetry.MessageStored,
		messageRejected: telemetry.MessageRejected,
		messagePoison:   telemetry.MessagePoison,
		messageEarly:    telemetry.MessageEarly,
		messageBlocked:  telemetry.MessageBlocked,
		messageLate:     telemetry.MessageLate,
		messageFailed:   telemetry.Failure,
	}[s]
}

// messageRecord is one record of a message.
type messageRecord struct {
	item  api.MessageItem
	actor string
	entry audit.Entry
	err   error
}

func newDelivery(q queue, event events.SQSEvent) *delivery {
	d := &delivery{queue: q, actions: redact.Actions{}, blocked: map[string]bool{}}
	for _, sent := range event.Records {
		// A message counts as failed until its commit is known.
		m := &message{SQSMessage: sent, status: messageFailed}
		if strings.HasSuffix(sent.EventSourceARN, ".fifo") {
			m.group = sent.Attributes["MessageGroupId"]
		}
		d.messages = append(d.messages, m)
	}
	return d
}

// processMessages stores as many messages as it can. After a panic, the remaining messages count as
// failed.
func (d *delivery) processMessages(ctx context.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			err := fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			d.Log.ErrorContext(ctx, "panic", slog.String("error", api.Reason(err)))
		}
	}()
	ctx, cancel := withQueueMargin(ctx)
	defer cancel()
	d.decodeRecords(d.Now())
	for waiting := d.messages; len(waiting) > 0; {
		var round []*message
		round, waiting = nextRound(waiting)
		d.storeRound(ctx, round)
	}
}

func withQueueMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-queueMargin))
}

// decodeRecords makes the entries of all valid records, on all processors, before the first round.
func (d *delivery) decodeRecords(now time.Time) {
	var records []*messageRecord
	for _, m := range d.messages {
		m.splitRecords()
		for i := range m.records {
			records = append(records, &m.records[i])
		}
	}
	var next atomic.Int64
	var mu sync.Mutex
	var tasks sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(records)/recordsPerTask+1) {
		tasks.Go(func() {
			actions := redact.Actions{}
			for i := next.Add(1) - 1; i < int64(len(records)); i = next.Add(1) - 1 {
				records[i].decodeEntry(now, actions)
			}
			mu.Lock()
			defer mu.Unlock()
			for action, times := range actions {
				d.actions[action] += times
			}
		})
	}
	tasks.Wait()
}

// splitRecords finds the records of the message without decoding them.
func (m *message) splitRecords() {
	actor, err := m.senderActor()
	if err != nil {
		m.err = err
		return
	}
	opened, err := api.OpenMessage(m.Body)
	m.isArray, m.err = opened.Array, err
	m.records = make([]messageRecord, len(opened.Items))
	for i, item := range opened.Items {
		m.records[i] = messageRecord{item: item, actor: actor}
	}
}

// senderActor returns the actor for the sender that SQS authenticated: the ID of an IAM user, or of
// a role with the session's name.
func (m *message) senderActor() (string, error) {
	actor := "sqs:" + m.Attributes["SenderId"]
	if actor == "sqs:" || !audit.ValidIdentifier(actor) {
		return "", errSender
	}
	return actor, nil
}

// decodeEntry makes the record's entry. A panic becomes the record's error, so that other records
// are unaffected.
func (r *messageRecord) decodeEntry(now time.Time, actions redact.Actions) {
	defer func() {
		if cause := recover(); cause != nil {
			r.err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	var record audit.Record
	if record, r.err = r.item.Decode(actions); r.err == nil {
		r.entry, r.err = audit.NewEntry(record, r.actor, now)
	}
}

// nextRound splits the waiting messages into those to write together and the rest. A round holds at
// most maxRound records, and of each message group only the first message, since the next one
// depends on its outcome.
func nextRound(waiting []*message) (round, rest []*message) {
	records, groups := 0, map[string]bool{}
	for _, m := range waiting {
		full := len(round) > 0 && records+len(m.records) > maxRound
		if full || groups[m.group] {
			rest = append(rest, m)
		} else {
			round = append(round, m)
			records += len(m.records)
		}
		if m.group != "" {
			groups[m.group] = true
		}
	}
	return round, rest
}

// storeRound writes the valid records of a round in one transaction and settles its messages. It
// does not write messages of blocked groups.
func (d *delivery) storeRound(ctx context.Context, round []*message) {
	var free []*message
	for _, m := range round {
		if d.blocked[m.group] {
			m.status = messageBlocked
			continue
		}
		free = append(free, m)
	}
	d.storeRecords(ctx, validRecords(free))
	for _, m := range free {
		d.settleMessage(ctx, m)
		if m.group != "" && !m.isAcknowledged() {
			d.blocked[m.group] = true
		}
	}
}

// validRecords returns the records that were decoded without an error.
func validRecords(round []*message) []*messageRecord {
	var valid []*messageRecord
	for _, m := range round {
		for i := range m.records {
			if record := &m.records[i]; record.err == nil {
				valid = append(valid, record)
			}
		}
	}
	return valid
}

// storeRecords appends records in one transaction and sets the error of each.
func (d *delivery) storeRecords(ctx context.Context, records []*messageRecord) {
	if len(records) == 0 {
		return
	}
	written, err := d.appendEntries(ctx, records)
	if err != nil {
		d.Log.ErrorContext(ctx, "round not stored",
			slog.Int("records", len(records)), slog.String("error", api.Reason(err)))
	}
	for i, record := range records {
		if err != nil {
			record.err = errRound
			continue
		}
		record.err = written[i].Err
		if contradiction, ok := errors.AsType[audit.Contradiction](record.err); ok {
			record.err = audit.Contradiction{Errors: withRecordPath(contradiction.Errors)}
		}
	}
}

// appendEntries appends the records' entries. Vectors that updates make necessary are left to the
// maintain function.
func (d *delivery) appendEntries(ctx context.Context, records []*messageRecord) ([]audit.Written, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	telemetry.Observe(ctx, telemetry.BatchSize, float64(len(records)))
	entries := make([]audit.Entry, len(records))
	for i, record := range records {
		entries[i] = record.entry
	}
	return d.appendWithVectors(ctx, entries, newSignatures(entries), postgres.AppendOptions{Redelivered: true})
}

// withRecordPath prefixes field names with the record's path in the message, as decoding does.
func withRecordPath(errs audit.ValidationErrors) audit.ValidationErrors {
	named := slices.Clone(errs)
	for i := range named {
		named[i].Field = "record." + named[i].Field
	}
	return named
}

// settleMessage sets the status of a message whose records have been written, and sends its bad
// records to the rejects queue.
func (d *delivery) settleMessage(ctx context.Context, m *message) {
	m.status = m.worstStatus()
	d.reportError(ctx, m, m.err)
	for i, record := range m.records {
		if record.err != nil {
			d.reportError(ctx, m, record.err, record.logAttributes(i)...)
		}
	}
	if m.status == messageFailed && ctx.Err() != nil {
		m.status = messageLate
	}
	if m.status != messagePoison || !m.isArray {
		return
	}
	if err := d.sendRejects(ctx, m); err != nil {
		m.status = messageFailed
		d.Log.ErrorContext(ctx, "rejects not sent",
			slog.String("message_id", m.MessageId), slog.String("error", api.Reason(err)))
	} else {
		m.status = messageRejected
	}
}

// worstStatus returns the status of the message's worst record. A record that may still be stored
// outweighs one that never can be, because the message must then be redelivered.
func (m *message) worstStatus() messageStatus {
	worst := errorStatus(m.err)
	for _, record := range m.records {
		worst = max(worst, errorStatus(record.err))
	}
	return worst
}

// errorStatus returns the status of a message with this error alone.
func errorStatus(err error) messageStatus {
	_, invalid := errors.AsType[audit.ValidationErrors](err)
	switch {
	case err == nil:
		return messageStored
	case errors.Is(err, audit.ErrNotFound):
		return messageEarly
	case invalid, errors.Is(err, errSender), errors.Is(err, audit.ErrConflict), errors.Is(err, audit.ErrRefused):
		return messagePoison
	default:
		return messageFailed
	}
}

// reportError counts and logs why a record, or a whole message, is not stored.
func (d *delivery) reportError(ctx context.Context, m *message, err error, attributes ...slog.Attr) {
	if err == nil || errors.Is(err, errRound) {
		return
	}
	api.ReportMessageErrors(ctx, err)
	level := slog.LevelWarn
	if errorStatus(err) == messageFailed {
		level = slog.LevelError
	}
	d.Log.LogAttrs(ctx, level, "record not stored", append(attributes,
		slog.String("message_id", m.MessageId), slog.String("queue", m.EventSourceARN),
		slog.String("reason", errorStatus(err).label()), slog.String("error", api.Reason(err)))...)
}

// logAttributes returns the attributes that identify the record in a log line. A remediation ID may
// contain a secret and is redacted.
func (r *messageRecord) logAttributes(index int) []slog.Attr {
	attributes := []slog.Attr{slog.Int("index", index)}
	if id := r.entry.RemediationID; id != "" {
		attributes = append(attributes, slog.String("remediation_id", redact.Text(id, redact.Actions{})))
	}
	return attributes
}

// isAcknowledged reports whether the message is not redelivered.
func (m *message) isAcknowledged() bool {
	return m.status == messageStored || m.status == messageRejected
}

// reportMessages counts the messages and writes the invocation's last log line.
func (d *delivery) reportMessages(ctx context.Context) {
	for action, times := range d.actions {
		telemetry.Add(ctx, telemetry.Sanitizations, times, string(action))
	}
	byStatus := map[messageStatus][]string{}
	for _, m := range d.messages {
		byStatus[m.status] = append(byStatus[m.status], m.MessageId)
	}
	outcome, level := d.outcome()
	attributes := []slog.Attr{slog.Int("messages", len(d.messages)), slog.String("status", outcome)}
	for status, ids := range byStatus {
		telemetry.Add(ctx, telemetry.QueueMessages, len(ids), status.label())
		if status != messageStored {
			attributes = append(attributes, slog.Any(status.label(), ids))
		}
	}
	d.Log.LogAttrs(ctx, level, "queue event", attributes...)
}

// outcome returns the status of the whole event in metrics, and the level to log it at: failures of
// the service outweigh errors of the senders.
func (d *delivery) outcome() (string, slog.Level) {
	status, level := telemetry.Success, slog.LevelInfo
	for _, m := range d.messages {
		switch m.status {
		case messageStored:
		case messageFailed, messageLate:
			return telemetry.Failure, slog.LevelError
		default:
			status, level = telemetry.Rejected, slog.LevelWarn
		}
	}
	return status, level
}

// batchResponse lists the messages to redeliver. The list is never null, because Lambda treats null
// as success of all messages.
func (d *delivery) batchResponse() events.SQSEventResponse {
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, m := range d.messages {
		if !m.isAcknowledged() {
			failure := events.SQSBatchItemFailure{ItemIdentifier: m.MessageId}
			response.BatchItemFailures = append(response.BatchItemFailures, failure)
		}
	}
	return response
}
