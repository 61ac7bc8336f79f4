package write

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/datastorage-service/datastorage/internal/api"
)

// maxSend is the number of messages that SQS accepts in one call. Together they may be as large as
// one message.
const maxSend = 10

// Rejects is the queue for bad records of messages whose other records are stored. It is safe for
// concurrent use.
type Rejects struct {
	url    string
	client func() (*sqs.Client, error)
}

// NewRejects returns the standard queue with the URL, or nil if the URL is empty. The region and
// the credentials come from the environment, as usual for the AWS SDK, unless the options set them;
// they are loaded at the first use. The endpoint is the URL's.
func NewRejects(queueURL string, options ...func(*awsconfig.LoadOptions) error) *Rejects {
	if queueURL == "" {
		return nil
	}
	return &Rejects{url: queueURL, client: sync.OnceValues(func() (*sqs.Client, error) {
		endpoint, err := url.Parse(queueURL)
		if err != nil {
			return nil, fmt.Errorf("parse the URL of the rejects queue: %w", err)
		}
		config, err := awsconfig.LoadDefaultConfig(context.Background(), options...)
		if err != nil {
			return nil, fmt.Errorf("configure the AWS SDK: %w", err)
		}
		return sqs.NewFromConfig(config, func(o *sqs.Options) {
			o.BaseEndpoint = aws.String(endpoint.Scheme + "://" + endpoint.Host)
		}), nil
	})}
}

// reject is the message for a bad record.
type reject struct {
	// ID is the SHA-256 of the record as it was sent, so that the record has the same ID if its
	// message is redelivered or sent again.
	ID        string          `json:"reject_id"`
	Queue     string          `json:"queue"`
	MessageID string          `json:"message_id"`
	Index     int             `json:"index"`
	Actor     string          `json:"actor"`
	Problem   any             `json:"problem"`
	Message   json.RawMessage `json:"message"`
}

var errNoRejects = errors.New("there is no rejects queue")

// sendRejects sends the bad records of a message to the rejects queue.
func (d *delivery) sendRejects(ctx context.Context, m *message) error {
	if d.Rejects == nil {
		return errNoRejects
	}
	if d.rejectsErr != nil {
		return d.rejectsErr
	}
	var bodies []string
	for i, record := range m.records {
		if record.err == nil {
			continue
		}
		sum := sha256.Sum256(record.item.Text)
		body, err := encodeReject(reject{
			ID: hex.EncodeToString(sum[:]), Queue: m.EventSourceARN, MessageID: m.MessageId, Index: i,
			Actor: record.actor, Problem: api.Problem(record.err), Message: record.item.Text,
		})
		if err != nil {
			return err
		}
		bodies = append(bodies, body)
	}
	d.rejectsErr = d.Rejects.sendBodies(ctx, bodies)
	return d.rejectsErr
}

// encodeReject does not escape HTML characters, so that the message does not grow.
func encodeReject(r reject) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return "", fmt.Errorf("encode a reject: %w", err)
	}
	if out.Len() > api.MaxMessage {
		return "", fmt.Errorf("a reject of %d bytes exceeds the size limit of a message", out.Len())
	}
	return out.String(), nil
}

// sendBodies sends every body. After an error, some of them may have been sent.
func (r *Rejects) sendBodies(ctx context.Context, bodies []string) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	for len(bodies) > 0 {
		n := countFitting(bodies)
		if err := r.sendBatch(ctx, client, bodies[:n]); err != nil {
			return err
		}
		bodies = bodies[n:]
	}
	return nil
}

// countFitting returns how many of the bodies fit into one call, at least one.
func countFitting(bodies []string) int {
	size := 0
	for n, body := range bodies[:min(len(bodies), maxSend)] {
		if size += len(body); n > 0 && size > api.MaxMessage {
			return n
		}
	}
	return min(len(bodies), maxSend)
}

func (r *Rejects) sendBatch(ctx context.Context, client *sqs.Client, bodies []string) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(bodies))
	for i, body := range bodies {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(body)}
	}
	sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(r.url), Entries: entries})
	if err != nil {
		return fmt.Errorf("send to the rejects queue: %w", err)
	}
	if len(sent.Failed) > 0 {
		first := sent.Failed[0]
		return fmt.Errorf("send to the rejects queue: %d of %d refused, %s: %s",
			len(sent.Failed), len(bodies), aws.ToString(first.Code), aws.ToString(first.Message))
	}
	return nil
}
