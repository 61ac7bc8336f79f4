package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/datastorage-service/datastorage/internal/localstack"
)

// queueFunction is the logical id of the function that handles messages of the queue.
const queueFunction = "WriteFunction"

// The settings of the local queue. Its visibility timeout is shorter than a deployment's, so that
// the user need not wait long for redelivery.
const (
	queueName        = "datastorage-records"
	queueVisibility  = 30 * time.Second
	queueMaxReceives = 5
)

// stackQueue has the queues of a stack with their server and client.
type stackQueue struct {
	Queues
	server *localstack.Server
	client *sqs.Client
}

// makeQueues starts LocalStack and makes the queues, whose URLs the functions need.
func (s *stack) makeQueues(ctx context.Context) error {
	server, err := localstack.Start(ctx, localstack.Config{Dir: s.Dir, Services: []string{"sqs"}, URL: s.LocalStackURL, Progress: s.Out})
	if err != nil {
		return err
	}
	s.addCleanup(server.Close)
	client := sqs.NewFromConfig(server.Config())
	queues, err := MakeQueues(ctx, client, QueuesConfig{Name: queueName, Visibility: queueVisibility, MaxReceives: queueMaxReceives})
	if err != nil {
		return fmt.Errorf("make the queues in LocalStack: %w", err)
	}
	s.queue = &stackQueue{Queues: queues, server: server, client: client}
	return nil
}

// startPoller starts to invoke the function with the messages of the queue, until the stack stops.
func (s *stack) startPoller(ctx context.Context, function lambda.Handler) error {
	if function == nil {
		return errors.New("local stack: the queue needs a function " + queueFunction)
	}
	poller, err := NewPoller(ctx, PollerConfig{Client: s.queue.client, Queue: s.queue.Records, Function: function, Log: s.Log})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		poller.Run(ctx)
	}()
	s.addCleanup(func() error {
		stop()
		<-ended
		return nil
	})
	return nil
}

// printBanner prints a command that sends a message, and the queues of messages that are not stored.
func (q *stackQueue) printBanner(say func(string, ...any)) {
	say(`Send a record through the queue; the API returns it a moment later:

  curl -s %s --data-urlencode Action=SendMessage --data-urlencode 'MessageBody={"kind":"remediation","record":{"remediation_id":"by-queue","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod","phase":"completed","status":"success","start_time":"2026-01-15T08:00:00Z"}}'

Messages that can never be stored: %s (after %d tries, %v each)
Invalid records of arrays:         %s
`, q.Records, q.DeadLetters, queueMaxReceives, queueVisibility, q.Rejects)
}
