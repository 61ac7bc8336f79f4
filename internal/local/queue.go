package local

import (
	"bytes"
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

// RejectsOptions returns the client options for a rejects queue. A queue on the loopback interface
// belongs to LocalStack and needs its credentials.
func RejectsOptions(queueURL string) []func(*awsconfig.LoadOptions) error {
	address, err := url.Parse(queueURL)
	if err != nil || address.Hostname() != "127.0.0.1" {
		return nil
	}
	return []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(localstack.Region), awsconfig.WithCredentialsProvider(localstack.Credentials()),
	}
}

// Queues has the URLs of a deployment's queues.
type Queues struct {
	// Records receives the records; a message that was received MaxReceives times moves to DeadLetters.
	Records, DeadLetters string
	// Rejects receives the invalid records of array messages.
	Rejects string
}

// QueuesConfig describes the queues that MakeQueues makes.
type QueuesConfig struct {
	// Name of the queue of records; the other names begin with it.
	Name string
	// FIFO makes the queue of records and its dead-letter queue FIFO queues.
	FIFO bool
	// Visibility is the visibility timeout. AWS recommends six times the timeout of the function.
	Visibility time.Duration
	// MaxReceives is the number of receives before a message moves to the dead-letter queue.
	MaxReceives int
}

// MakeQueues creates the missing queues.
func MakeQueues(ctx context.Context, client *sqs.Client, config QueuesConfig) (Queues, error) {
	suffix, attributes := "", map[string]string{}
	if config.FIFO {
		suffix, attributes["FifoQueue"] = ".fifo", "true"
	}
	deadLetters, err := makeQueueIfMissing(ctx, client, config.Name+"-dlq"+suffix, attributes)
	if err != nil {
		return Queues{}, err
	}
	rejected, err := makeQueueIfMissing(ctx, client, config.Name+"-rejects", nil)
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
	records, err := makeQueueIfMissing(ctx, client, config.Name+suffix, attributes)
	return Queues{Records: records, DeadLetters: deadLetters, Rejects: rejected}, err
}

func makeQueueIfMissing(ctx context.Context, client *sqs.Client, name string, attributes map[string]string) (string, error) {
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: attributes})
	if err != nil {
		return "", fmt.Errorf("make queue %s: %w", name, err)
	}
	return aws.ToString(made.QueueUrl), nil
}

// QueueARN returns the ARN of a queue.
func QueueARN(ctx context.Context, client *sqs.Client, queueURL string) (string, error) {
	name := types.QueueAttributeNameQueueArn
	got, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(queueURL), AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return "", fmt.Errorf("get the ARN of a queue: %w", err)
	}
	return got.Attributes[string(name)], nil
}

// pollerTimeout is the timeout of a function without a configured one.
const pollerTimeout = 30 * time.Second

// The limits of SQS and Lambda: messages per call, seconds of a long poll, and bytes of an event.
const (
	maxReceive = 10
	longPoll   = 20
	maxEvent   = 6_000_000
)

// PollerConfig configures a Poller. Client, Queue and Function are required.
type PollerConfig struct {
	Client *sqs.Client
	// Queue is the URL of the queue.
	Queue string
	// Function is invoked with the messages.
	Function lambda.Handler
	// Timeout of the function. 0 means 30 s.
	Timeout time.Duration
	// BatchSize is the maximum number of messages per event. 0 means 10.
	BatchSize int
	// Window is how long the poller collects messages for an event of more than 10. 0 means one call.
	Window time.Duration
	// InFlight is the number of concurrent events. 0 means 2, the minimum of MaximumConcurrency in
	// Lambda.
	InFlight int
	// Log receives a line for each failed event. Nil means slog.Default.
	Log *slog.Logger
}

// Poller works like an event source mapping of Lambda with ReportBatchItemFailures: it receives
// messages, invokes the function, and deletes the messages that the function did not report. The
// others become visible again after the visibility timeout.
type Poller struct {
	PollerConfig
	arn string
}

// NewPoller returns a Poller. It reads the ARN of the queue, which is part of every event.
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

// Run polls until the context ends, and returns when the events in progress are finished.
func (p *Poller) Run(ctx context.Context) {
	var running sync.WaitGroup
	for range p.InFlight {
		running.Go(func() {
			for ctx.Err() == nil {
				p.handleNextEvent(ctx)
			}
		})
	}
	running.Wait()
}

// handleNextEvent handles one event.
func (p *Poller) handleNextEvent(ctx context.Context) {
	batch, err := p.gatherBatch(ctx)
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "queue receive failed", slog.Any("error", err))
		sleepUnlessDone(ctx, time.Second)
	}
	if len(batch) == 0 {
		return
	}
	// Received messages are handled even if the poller is stopped in the meantime.
	ctx = context.WithoutCancel(ctx)
	failed, err := p.invokeFunction(ctx, batch)
	if err != nil {
		p.Log.WarnContext(ctx, "queue event failed", slog.Int("messages", len(batch)), slog.Any("error", err))
		return
	}
	var handled []types.Message
	for _, message := range batch {
		if !failed[aws.ToString(message.MessageId)] {
			handled = append(handled, message)
		}
	}
	if err := p.deleteMessages(ctx, handled); err != nil {
		p.Log.WarnContext(ctx, "message deletion failed", slog.Any("error", err))
	}
}

func sleepUnlessDone(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// gatherBatch receives the messages of one event: those of one call or, with a window, those until
// its end or a full event.
func (p *Poller) gatherBatch(ctx context.Context) ([]types.Message, error) {
	batch, err := p.receiveMessages(ctx, p.BatchSize, longPoll)
	if err != nil || len(batch) == 0 {
		return nil, err
	}
	end, size := time.Now().Add(p.Window), totalBodyBytes(batch)
	for len(batch) < p.BatchSize && size < maxEvent-maxReceive*(1<<20) && time.Now().Before(end) {
		more, err := p.receiveMessages(ctx, p.BatchSize-len(batch), 1)
		if err != nil {
			break // continue with the messages received so far
		}
		batch, size = append(batch, more...), size+totalBodyBytes(more)
	}
	return batch, nil
}

func totalBodyBytes(batch []types.Message) (bytes int) {
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

// invokeFunction returns the ids of the messages that failed. An error means all of them.
func (p *Poller) invokeFunction(ctx context.Context, batch []types.Message) (map[string]bool, error) {
	payload, err := json.Marshal(p.newQueueEvent(batch))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	response, err := p.Function.Invoke(ctx, payload)
	if err == nil {
		err = ctx.Err() // a response after the timeout does not count
	}
	if err != nil {
		return nil, fmt.Errorf("invoke the function: %w", err)
	}
	return readBatchFailures(batch, response)
}

// readBatchFailures reads the function's response as Lambda does: with an empty, null or missing
// list every message has succeeded, with an empty or unknown id every message has failed (Lambda
// developer guide, "Handling errors for an SQS event source").
func readBatchFailures(batch []types.Message, payload []byte) (map[string]bool, error) {
	sent := map[string]bool{}
	for _, message := range batch {
		sent[aws.ToString(message.MessageId)] = true
	}
	var response events.SQSEventResponse
	if trimmed := bytes.TrimSpace(payload); len(trimmed) > 0 {
		if err := json.Unmarshal(trimmed, &response); err != nil {
			return nil, fmt.Errorf("read the function's response: %w", err)
		}
	}
	failed := map[string]bool{}
	for _, failure := range response.BatchItemFailures {
		if !sent[failure.ItemIdentifier] {
			return nil, fmt.Errorf("the function reported %q, which is not in the event", failure.ItemIdentifier)
		}
		failed[failure.ItemIdentifier] = true
	}
	return failed, nil
}

// newQueueEvent returns the event of a batch.
func (p *Poller) newQueueEvent(batch []types.Message) events.SQSEvent {
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
	attributes := map[string]events.SQSMessageAttribute{}
	for name, value := range message.MessageAttributes {
		attributes[name] = events.SQSMessageAttribute{
			StringValue: value.StringValue, BinaryValue: value.BinaryValue, DataType: aws.ToString(value.DataType),
			StringListValues: value.StringListValues, BinaryListValues: value.BinaryListValues,
		}
	}
	return attributes
}

// regionOfARN returns the region of an ARN, arn:aws:sqs:region:account:name.
func regionOfARN(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// deleteMessages deletes messages in calls of the maximum size that SQS allows.
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
			return fmt.Errorf("delete messages: SQS rejected %d of %d", len(removed.Failed), len(part))
		}
	}
	return nil
}
