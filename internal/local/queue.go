package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/datastorage-service/datastorage/internal/localstack"
)

// RejectsOptions are the options of the client of a rejects queue: a queue on the loopback interface is LocalStack's and takes
// LocalStack's credentials.
func RejectsOptions(queueURL string) []func(*awsconfig.LoadOptions) error {
	address, err := url.Parse(queueURL)
	if err != nil || address.Hostname() != "127.0.0.1" {
		return nil
	}
	return []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(localstack.Region), awsconfig.WithCredentialsProvider(localstack.Credentials()),
	}
}

// Queues are the queues of a deployment, by their URLs.
type Queues struct {
	// Records is where records are sent to; a message that was received MaxReceives times goes to DeadLetters.
	Records, DeadLetters string
	// Rejects gets the bad records of array messages.
	Rejects string
}

// QueuesConfig says which queues MakeQueues shall make.
type QueuesConfig struct {
	// Name is that of the queue of records; the others are named after it.
	Name string
	// FIFO makes a queue that keeps the order of each message group, and its dead-letter queue.
	FIFO bool
	// Visibility is how long a message that was received is hidden from others. AWS advises six times the function's timeout.
	Visibility time.Duration
	// MaxReceives is after how many receptions a message goes to the dead-letter queue.
	MaxReceives int
}

// MakeQueues makes the queues that are missing.
func MakeQueues(ctx context.Context, client *sqs.Client, config QueuesConfig) (Queues, error) {
	suffix, attributes := "", map[string]string{}
	if config.FIFO {
		suffix, attributes["FifoQueue"] = ".fifo", "true"
	}
	deadLetters, err := makeQueue(ctx, client, config.Name+"-dlq"+suffix, attributes)
	if err != nil {
		return Queues{}, err
	}
	rejected, err := makeQueue(ctx, client, config.Name+"-rejects", nil)
	if err != nil {
		return Queues{}, err
	}
	arn, err := QueueARN(ctx, client, deadLetters)
	if err != nil {
		return Queues{}, err
	}
	redrive, err := json.Marshal(map[string]string{"deadLetterTargetArn": arn, "maxReceiveCount": strconv.Itoa(config.MaxReceives)})
	if err != nil {
		return Queues{}, err
	}
	attributes["RedrivePolicy"] = string(redrive)
	attributes["VisibilityTimeout"] = strconv.Itoa(int(config.Visibility.Seconds()))
	records, err := makeQueue(ctx, client, config.Name+suffix, attributes)
	return Queues{Records: records, DeadLetters: deadLetters, Rejects: rejected}, err
}

func makeQueue(ctx context.Context, client *sqs.Client, name string, attributes map[string]string) (string, error) {
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: attributes})
	if err != nil {
		return "", fmt.Errorf("make queue %s: %w", name, err)
	}
	return aws.ToString(made.QueueUrl), nil
}

// QueueARN asks for the ARN of a queue.
func QueueARN(ctx context.Context, client *sqs.Client, queueURL string) (string, error) {
	name := types.QueueAttributeNameQueueArn
	got, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(queueURL), AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return "", fmt.Errorf("ask for a queue's ARN: %w", err)
	}
	return got.Attributes[string(name)], nil
}

// pollerTimeout is the timeout of a function that has none configured.
const pollerTimeout = 30 * time.Second

// The bounds of SQS and Lambda: messages of a call, seconds of a long poll, and bytes of an event.
const (
	maxReceive = 10
	longPoll   = 20
	maxEvent   = 6_000_000
)

// PollerConfig says what a Poller polls. Client, Queue and Function are required.
type PollerConfig struct {
	Client *sqs.Client
	// Queue is the queue's URL.
	Queue string
	// Function is invoked with what is received.
	Function lambda.Handler
	// Timeout is the function's. 0 means 30 s.
	Timeout time.Duration
	// BatchSize is how many messages an event holds at most. 0 means 10.
	BatchSize int
	// Window is how long messages are gathered for an event of more than 10. 0 means not at all.
	Window time.Duration
	// InFlight is how many events are under way at a time. 0 means 2, the least that Lambda has (MaximumConcurrency).
	InFlight int
	// Log gets a line for each event that failed. Nil: slog.Default.
	Log *slog.Logger
}

// Poller does what Lambda's event source mapping with ReportBatchItemFailures does: it receives messages, invokes the function, and deletes
// those that the function did not report. The others become visible by themselves.
type Poller struct {
	PollerConfig
	arn string
}

// NewPoller asks for the queue's ARN, which is a part of every event.
func NewPoller(ctx context.Context, config PollerConfig) (*Poller, error) {
	if config.Client == nil || config.Queue == "" || config.Function == nil {
		return nil, errors.New("queue poller: Client, Queue and Function are required")
	}
	if config.Timeout == 0 {
		config.Timeout = pollerTimeout
	}
	if config.BatchSize == 0 {
		config.BatchSize = maxReceive
	}
	if config.InFlight == 0 {
		config.InFlight = 2
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	arn, err := QueueARN(ctx, config.Client, config.Queue)
	return &Poller{PollerConfig: config, arn: arn}, err
}

// Run polls until the context ends, and returns when the events under way have been dealt with.
func (p *Poller) Run(ctx context.Context) {
	var running sync.WaitGroup
	for range p.InFlight {
		running.Go(func() {
			for ctx.Err() == nil {
				p.pollOnce(ctx)
			}
		})
	}
	running.Wait()
}

// pollOnce deals with one event.
func (p *Poller) pollOnce(ctx context.Context) {
	batch, err := p.gatherBatch(ctx)
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "queue not received", slog.Any("error", err))
		sleepContext(ctx, time.Second)
	}
	if len(batch) == 0 {
		return
	}
	// What was received is dealt with, though the poller be stopped meanwhile.
	ctx = context.WithoutCancel(ctx)
	failed, err := p.invokeFunction(ctx, batch)
	if err != nil {
		p.Log.WarnContext(ctx, "queue event failed", slog.Int("messages", len(batch)), slog.Any("error", err))
		return
	}
	var done []types.Message
	for _, message := range batch {
		if !failed[aws.ToString(message.MessageId)] {
			done = append(done, message)
		}
	}
	if err := p.deleteMessages(ctx, done); err != nil {
		p.Log.WarnContext(ctx, "messages not deleted", slog.Any("error", err))
	}
}

func sleepContext(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// gatherBatch receives the messages of one event: what one call brings, or, with a window, what comes until that ends or the event is full.
func (p *Poller) gatherBatch(ctx context.Context) ([]types.Message, error) {
	batch, err := p.receiveMessages(ctx, p.BatchSize, longPoll)
	if err != nil || len(batch) == 0 {
		return nil, err
	}
	end, size := time.Now().Add(p.Window), bodyBytes(batch)
	for len(batch) < p.BatchSize && size < maxEvent-maxReceive*(1<<20) && time.Now().Before(end) {
		more, err := p.receiveMessages(ctx, p.BatchSize-len(batch), 1)
		if err != nil {
			break // what is there is enough to go on
		}
		batch, size = append(batch, more...), size+bodyBytes(more)
	}
	return batch, nil
}

func bodyBytes(batch []types.Message) (bytes int) {
	for _, message := range batch {
		bytes += len(aws.ToString(message.Body))
	}
	return bytes
}

func (p *Poller) receiveMessages(ctx context.Context, most int, wait int32) ([]types.Message, error) {
	received, err := p.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(p.Queue), MaxNumberOfMessages: int32(min(most, maxReceive)), WaitTimeSeconds: wait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		return nil, fmt.Errorf("receive messages: %w", err)
	}
	return received.Messages, nil
}

// invokeFunction answers the ids of the messages that failed. An error means all of them.
func (p *Poller) invokeFunction(ctx context.Context, batch []types.Message) (map[string]bool, error) {
	payload, err := json.Marshal(p.newEvent(batch))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	answer, err := p.Function.Invoke(ctx, payload)
	if err == nil {
		err = ctx.Err() // an answer that comes late is none
	}
	if err != nil {
		return nil, fmt.Errorf("invoke the function: %w", err)
	}
	return readFailures(batch, answer)
}

// readFailures reads the function's answer as Lambda does: an empty, null or missing list means that every message is dealt with, an id that is
// empty or no message's that none is (Lambda developer guide, "Handling errors for an SQS event source").
func readFailures(batch []types.Message, answer []byte) (map[string]bool, error) {
	sent := map[string]bool{}
	for _, message := range batch {
		sent[aws.ToString(message.MessageId)] = true
	}
	var response events.SQSEventResponse
	if text := strings.TrimSpace(string(answer)); text != "" {
		if err := json.Unmarshal([]byte(text), &response); err != nil {
			return nil, fmt.Errorf("read the function's answer: %w", err)
		}
	}
	failed := map[string]bool{}
	for _, failure := range response.BatchItemFailures {
		if !sent[failure.ItemIdentifier] {
			return nil, fmt.Errorf("the function reports %q, which was not sent", failure.ItemIdentifier)
		}
		failed[failure.ItemIdentifier] = true
	}
	return failed, nil
}

// newEvent is what Lambda invokes a function with.
func (p *Poller) newEvent(batch []types.Message) events.SQSEvent {
	event := events.SQSEvent{Records: make([]events.SQSMessage, len(batch))}
	for i, message := range batch {
		event.Records[i] = events.SQSMessage{
			MessageId: aws.ToString(message.MessageId), ReceiptHandle: aws.ToString(message.ReceiptHandle), Body: aws.ToString(message.Body),
			Md5OfBody: aws.ToString(message.MD5OfBody), Md5OfMessageAttributes: aws.ToString(message.MD5OfMessageAttributes),
			Attributes: message.Attributes, MessageAttributes: messageAttributes(message), EventSourceARN: p.arn,
			EventSource: "aws:sqs", AWSRegion: regionOfARN(p.arn),
		}
	}
	return event
}

func messageAttributes(message types.Message) map[string]events.SQSMessageAttribute {
	all := map[string]events.SQSMessageAttribute{}
	for name, value := range message.MessageAttributes {
		all[name] = events.SQSMessageAttribute{
			StringValue: value.StringValue, BinaryValue: value.BinaryValue, DataType: aws.ToString(value.DataType),
			StringListValues: value.StringListValues, BinaryListValues: value.BinaryListValues,
		}
	}
	return all
}

// regionOfARN is the region of an ARN: arn:aws:sqs:region:account:name.
func regionOfARN(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// deleteMessages deletes messages, so many at a time as a call takes.
func (p *Poller) deleteMessages(ctx context.Context, batch []types.Message) error {
	for len(batch) > 0 {
		part := batch[:min(len(batch), maxReceive)]
		batch = batch[len(part):]
		entries := make([]types.DeleteMessageBatchRequestEntry, len(part))
		for i, message := range part {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: message.ReceiptHandle}
		}
		removed, err := p.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: aws.String(p.Queue), Entries: entries})
		if err != nil {
			return fmt.Errorf("delete messages: %w", err)
		}
		if len(removed.Failed) > 0 {
			return fmt.Errorf("delete messages: %d of %d refused", len(removed.Failed), len(part))
		}
	}
	return nil
}
