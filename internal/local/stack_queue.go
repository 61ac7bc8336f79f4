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

// queueFunction is the function that the queue's events go to, by its logical id in the template.
const queueFunction = "WriteFunction"

// What the local queue has in place of a deployment's settings: nobody here wants to wait for minutes until a message comes again.
const (
	queueName        = "datastorage-records"
	queueVisibility  = 30 * time.Second
	queueMaxReceives = 5
)

// stackQueue is a stack's queue of records with what belongs to it.
type stackQueue struct {
	Queues
	server *localstack.Server
	client *sqs.Client
}

// makeQueues starts LocalStack and makes the queues: their URLs must be known when the functions are wired.
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

// startPoller invokes the function with what comes through the queue, until the end.
func (s *stack) startPoller(ctx context.Context, function lambda.Handler) error {
	if function == nil {
		return errors.New("local stack: there is no function " + queueFunction + " for the queue")
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

// printBanner shows how a message is sent, and where those that are not stored go to.
func (q *stackQueue) printBanner(say func(string, ...any)) {
	say(`Send a record through the queue; it is in the API a moment later:

  curl -s %s --data-urlencode Action=SendMessage --data-urlencode 'MessageBody={"kind":"remediation","record":{"remediation_id":"by-queue","name":"KubePodCrashLooping","namespace":"shop","action_type":"restart_pod","phase":"completed","status":"success","start_time":"2026-01-15T08:00:00Z"}}'

Messages that can never be stored: %s (after %d tries, %v each)
Bad records of arrays:             %s
`, q.Records, q.DeadLetters, queueMaxReceives, queueVisibility, q.Rejects)
}
