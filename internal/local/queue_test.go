package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/localstack"
	"github.com/datastorage-service/datastorage/internal/program"
)

// polled is a function that records its events and returns what respond returns.
type polled struct {
	mu      sync.Mutex
	events  []events.SQSEvent
	respond func(context.Context, events.SQSEvent) (string, error)
}

func (p *polled) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, event)
	response, err := p.respond(ctx, event)
	return []byte(response), err
}

// countMessages returns the number of messages in a queue, including those that were received but
// not deleted.
func countMessages(t *testing.T, client *sqs.Client, queue string) int {
	t.Helper()
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(queue), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiting, _ := strconv.Atoi(got.Attributes["ApproximateNumberOfMessages"])
	received, _ := strconv.Atoi(got.Attributes["ApproximateNumberOfMessagesNotVisible"])
	return waiting + received
}

func sendMessages(t *testing.T, client *sqs.Client, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(queue), MessageBody: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
	}
}

// reportFailures responds like a function that reports the messages with these ids; "first" is the
// first message of the event.
func reportFailures(ids ...string) func(context.Context, events.SQSEvent) (string, error) {
	return func(_ context.Context, event events.SQSEvent) (string, error) {
		response := events.SQSEventResponse{}
		for _, id := range ids {
			if id == "first" {
				id = event.Records[0].MessageId
			}
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		payload, err := json.Marshal(response)
		return string(payload), err
	}
}

// TestPoller checks that exactly the messages that the function does not report are deleted, and
// the contents of an event.
func TestPoller(t *testing.T) {
	t.Parallel()
	client := sqs.NewFromConfig(startLocalStack(t).Config())
	for name, c := range map[string]struct {
		respond func(context.Context, events.SQSEvent) (string, error)
		left    int
	}{
		"null":          {func(context.Context, events.SQSEvent) (string, error) { return "null", nil }, 0},
		"a null list":   {reportFailures(), 0},
		"an empty list": {func(context.Context, events.SQSEvent) (string, error) { return `{"batchItemFailures":[]}`, nil }, 0},
		"one":           {reportFailures("first"), 1},
		"one twice":     {reportFailures("first", "first"), 1},
		"unknown":       {reportFailures("first", "unknown-id"), 3},
		"empty":         {reportFailures(""), 3},
		"no JSON":       {func(context.Context, events.SQSEvent) (string, error) { return "done", nil }, 3},
		"an error":      {func(context.Context, events.SQSEvent) (string, error) { return "", errors.New("killed") }, 3},
		"late": {func(ctx context.Context, _ events.SQSEvent) (string, error) {
			<-ctx.Done()
			return "", nil
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queues, err := MakeQueues(t.Context(), client, QueuesConfig{
				Name: strings.ReplaceAll(name, " ", "-"), Visibility: time.Minute, MaxReceives: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			sendMessages(t, client, queues.Records, "a", "b", "c")
			function, timeout := &polled{respond: c.respond}, time.Minute
			if name == "late" {
				timeout = 100 * time.Millisecond
			}
			poller, err := NewPoller(t.Context(), PollerConfig{
				Client: client, Queue: queues.Records, Function: function, Timeout: timeout, BatchSize: 100, Window: 2 * time.Second,
				Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			poller.handleNextEvent(t.Context())
			if left := countMessages(t, client, queues.Records); left != c.left {
				t.Errorf("%d messages are left, want %d", left, c.left)
			}
			if len(function.events) != 1 || len(function.events[0].Records) != 3 {
				t.Fatalf("the function got %v", function.events)
			}
			first := function.events[0].Records[0]
			if first.EventSource != "aws:sqs" || first.AWSRegion != localstack.Region || first.Body == "" || first.Attributes["SenderId"] == "" ||
				first.EventSourceARN != "arn:aws:sqs:"+localstack.Region+":000000000000:"+strings.ReplaceAll(name, " ", "-") {
				t.Errorf("a message of an event is %+v", first)
			}
		})
	}
}

// TestPollerKeepsGroupsInOrder checks that a reported message of a FIFO queue is received again
// before the rest of its group.
func TestPollerKeepsGroupsInOrder(t *testing.T) {
	t.Parallel()
	client := sqs.NewFromConfig(startLocalStack(t).Config())
	queues, err := MakeQueues(t.Context(), client, QueuesConfig{Name: "ordered", FIFO: true, Visibility: time.Second, MaxReceives: 5})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: aws.String(queues.Records), MessageBody: aws.String(fmt.Sprint(i)), MessageGroupId: aws.String("g"),
			MessageDeduplicationId: aws.String(fmt.Sprint(i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	failing := true
	function := &polled{respond: func(ctx context.Context, event events.SQSEvent) (string, error) {
		var ids []string
		for _, record := range event.Records {
			seen = append(seen, record.Body)
			if failing {
				ids = append(ids, record.MessageId)
			}
		}
		failing = false
		return reportFailures(ids...)(ctx, event)
	}}
	poller, err := NewPoller(t.Context(), PollerConfig{Client: client, Queue: queues.Records, Function: function})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for countMessages(t, client, queues.Records) > 0 && ctx.Err() == nil {
		poller.handleNextEvent(ctx)
	}
	if diff := cmp.Diff("0 1 2 0 1 2", strings.Join(seen, " ")); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// TestPollerRequiresConfig checks that an incomplete configuration is rejected.
func TestPollerRequiresConfig(t *testing.T) {
	t.Parallel()
	if _, err := NewPoller(t.Context(), PollerConfig{Client: &sqs.Client{}, Function: lambda.NewHandler(nil)}); err == nil {
		t.Error("a poller without a queue")
	}
}

// TestStackQueue runs the command of the banner that sends a message, and sends an array with an
// invalid record.
func TestStackQueue(t *testing.T) {
	t.Parallel()
	server := startLocalStack(t)
	root, err := program.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join(filepath.Dir(root), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	service := Service(func(string) string { return "" }, slog.New(slog.DiscardHandler), nil)
	r := startStack(t, StackConfig{Dir: stackDir(t), Template: template, Functions: service, Queue: true, LocalStackURL: server.Endpoint()})
	command := regexp.MustCompile(`curl -s (\S+) --data-urlencode (Action=SendMessage) --data-urlencode '(MessageBody=([^']*))'\n`)
	banner := command.FindStringSubmatch(r.out.String())
	if banner == nil {
		t.Fatalf("the banner is %s", r.out)
	}
	post := func(body string) {
		form := newRequest(t, http.MethodPost, banner[1], "Action=SendMessage&MessageBody="+url.QueryEscape(body))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if response, text := sendRequest(t, form); response.StatusCode != http.StatusOK {
			t.Fatalf("send: %d %s", response.StatusCode, text)
		}
	}
	post("[" + strings.Replace(banner[4], "by-queue", "by-array", 1) + `,{"kind":"remediation","record":{"remediation_id":"bad"}}]`)
	post(banner[4])
	for _, id := range []string{"by-queue", "by-array"} {
		waitUntil(t, id+" is not in the API", func() bool {
			response, _ := sendRequest(t, newRequest(t, http.MethodGet, r.api+"/v1/remediations/"+id, ""))
			return response.StatusCode == http.StatusOK
		})
	}
	client := sqs.NewFromConfig(server.Config())
	rejected, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(queueName + "-rejects")})
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "no reject", func() bool { return countMessages(t, client, aws.ToString(rejected.QueueUrl)) == 1 })
	waitUntil(t, "messages stay", func() bool { return countMessages(t, client, banner[1]) == 0 })
	r.stopStack(t)
}

func waitUntil(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}
