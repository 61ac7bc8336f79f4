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

// maxSend is how many messages SQS takes in one call; together they may be as large as one message.
const maxSend = 10

// Rejects is the queue that gets the bad records of messages whose other records are stored. It is safe for concurrent use.
type Rejects struct {
	url    string
	client func() (*sqs.Client, error)
}

// NewRejects makes it for the URL of a standard queue; an empty URL is nil, there is none. Region and credentials are taken from the
// environment, as the AWS SDK does, at the first use and unless the options say otherwise; the endpoint is the URL's.
func NewRejects(queueURL string, options ...func(*awsconfig.LoadOptions) error) *Rejects {
	if queueURL == "" {
		return nil
	}
	return &Rejects{url: queueURL, client: sync.OnceValues(func() (*sqs.Client, error) {
		endpoint, err := url.Parse(queueURL)
		if err != nil {
			return nil, fmt.Errorf("read the rejects queue's URL: %w", err)
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

// reject is what the queue gets of a bad record.
type reject struct {
	// ID is the SHA-256 of the record's text: when its message is delivered again, or sent again, the same record has the same id.
	ID        string          `json:"reject_id"`
	Queue     string          `json:"queue"`
	MessageID string          `json:"message_id"`
	Index     int             `json:"index"`
	Actor     string          `json:"actor"`
	Problem   any             `json:"problem"`
	Message   json.RawMessage `json:"message"`
}

var errNoRejects = errors.New("there is no rejects queue")

// reject sends the bad records of a message to the rejects queue.
func (d *delivery) reject(ctx context.Context, m *message) error {
	if d.Rejects == nil {
		return errNoRejects
	}
	if d.away != nil {
		return d.away
	}
	var bodies []string
	for i, record := range m.records {
		if record.err == nil {
			continue
		}
		sum := sha256.Sum256(record.item.Text)
		body, err := encode(reject{
			ID: hex.EncodeToString(sum[:]), Queue: m.EventSourceARN, MessageID: m.MessageId, Index: i, Actor: record.actor,
			Problem: api.Problem(record.err), Message: record.item.Text,
		})
		if err != nil {
			return err
		}
		bodies = append(bodies, body)
	}
	d.away = d.Rejects.send(ctx, bodies)
	return d.away
}

// encode leaves the message's characters as they are, so that it does not grow.
func encode(r reject) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return "", fmt.Errorf("write a reject: %w", err)
	}
	if out.Len() > api.MaxMessage {
		return "", fmt.Errorf("a reject of %d bytes is larger than a message may be", out.Len())
	}
	return out.String(), nil
}

// send sends all or answers an error; then some may have been sent.
func (r *Rejects) send(ctx context.Context, bodies []string) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	for len(bodies) > 0 {
		n := fitting(bodies)
		if err := r.sendBatch(ctx, client, bodies[:n]); err != nil {
			return err
		}
		bodies = bodies[n:]
	}
	return nil
}

// fitting is how many of the bodies go into one call, at least one.
func fitting(bodies []string) int {
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
