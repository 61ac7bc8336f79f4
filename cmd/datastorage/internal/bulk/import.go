package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/client"
)

// maxRequest is the maximum size of one request's records in bytes. Lambda takes 6 MB, and API Gateway wraps the body in a JSON string,
// where every quotation mark is two bytes.
const maxRequest = 4_000_000

// Sender records a batch and returns one result for each record, in their order.
type Sender func(ctx context.Context, records []json.RawMessage) ([]client.BatchResult, error)

// Config configures an import. All fields are required.
type Config struct {
	Send Sender
	// InFlight is the maximum number of concurrent batches, at least 1.
	InFlight int
	// Refused is called with every refused record, in the order of the input. Its error stops the import.
	Refused func(Refusal) error
	// Progress is called after every batch, in the order of the input.
	Progress func(Progress)
}

func (c Config) validate() error {
	switch {
	case c.Send == nil:
		return errors.New("bulk: Send is nil")
	case c.InFlight < 1:
		return fmt.Errorf("bulk: InFlight is %d, and must be 1 or more", c.InFlight)
	case c.Refused == nil:
		return errors.New("bulk: Refused is nil")
	case c.Progress == nil:
		return errors.New("bulk: Progress is nil")
	}
	return nil
}

// Refusal is a record that was not stored, and why.
type Refusal struct {
	Line int64 `json:"line"`
	// Record is the line; a JSON string if it is not JSON; null if it was too long.
	Record  json.RawMessage `json:"record"`
	Problem client.Problem  `json:"problem"`
}

// Summary counts records by outcome.
type Summary struct {
	Records      int64 `json:"records"`
	Stored       int64 `json:"stored"`
	AlreadyThere int64 `json:"already_there"`
	Refused      int64 `json:"refused"`
}

// Progress is how far an import has come.
type Progress struct {
	Summary
	// Bytes is the number of input bytes processed.
	Bytes int64
}

// outcome is what happened to one line: it was refused with a problem, stored before (replay), or stored.
type outcome struct {
	problem *client.Problem
	replay  bool
}

// batch holds the lines of one request; done receives their outcomes.
type batch struct {
	lines []line
	done  chan result
}

type result struct {
	outcomes []outcome
	err      error
}

// Import sends every line of input. The summary counts the records known to be stored, even if Import returns an error. After an error,
// the same input can be imported again.
func Import(ctx context.Context, input io.Reader, config Config) (Summary, error) {
	if err := config.validate(); err != nil {
		return Summary{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	// The collector holds one more batch, so the queue's capacity is one less than InFlight.
	queue := make(chan batch, config.InFlight-1)
	group.Go(func() error {
		defer close(queue)
		return produceBatches(ctx, group, newLineReader(input), config.Send, queue)
	})
	var progress Progress
	group.Go(func() error { return collectResults(ctx, queue, config, &progress) })
	err := group.Wait()
	return progress.Summary, err
}

// produceBatches queues batches in the order of the input and starts each once it is queued.
func produceBatches(ctx context.Context, group *errgroup.Group, input *lineReader, send Sender, queue chan<- batch) error {
	cutter := batchCutter{input: input}
	for {
		lines, err := cutter.nextBatch()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the input: %w", err)
		}
		next := batch{lines: lines, done: make(chan result, 1)}
		select {
		case queue <- next:
		case <-ctx.Done():
			return ctx.Err()
		}
		group.Go(func() error {
			outcomes, err := deliverLines(ctx, send, next.lines)
			next.done <- result{outcomes, err}
			return nil
		})
	}
}

// collectResults reports the results in the order of the input.
func collectResults(ctx context.Context, queue <-chan batch, config Config, progress *Progress) error {
	for batch := range queue {
		var result result
		select {
		case result = <-batch.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if result.err != nil {
			return fmt.Errorf("send lines %d to %d: %w", batch.lines[0].number, batch.lines[len(batch.lines)-1].number, result.err)
		}
		for i, line := range batch.lines {
			if err := progress.countOutcome(line, result.outcomes[i], config.Refused); err != nil {
				return err
			}
		}
		config.Progress(*progress)
	}
	return nil
}

func (p *Progress) countOutcome(line line, outcome outcome, refused func(Refusal) error) error {
	p.Records++
	p.Bytes += line.size
	switch {
	case outcome.problem != nil:
		p.Refused++
		if err := refused(Refusal{Line: line.number, Record: line.recordJSON(), Problem: *outcome.problem}); err != nil {
			return fmt.Errorf("keep the refused line %d: %w", line.number, err)
		}
	case outcome.replay:
		p.AlreadyThere++
	default:
		p.Stored++
	}
	return nil
}

// recordJSON returns the line as a JSON value.
func (l line) recordJSON() json.RawMessage {
	if l.text == nil || json.Valid(l.text) {
		return l.text
	}
	text, err := json.Marshal(string(l.text))
	if err != nil {
		return nil
	}
	return text
}

// batchCutter divides the input into batches that fit into a request.
type batchCutter struct {
	input *lineReader
	// left is the line that did not fit into the previous batch.
	left *line
}

// nextBatch returns the next batch, or io.EOF.
func (c *batchCutter) nextBatch() ([]line, error) {
	var batch []line
	size := 0
	if c.left != nil {
		batch, size, c.left = append(batch, *c.left), len(c.left.text), nil
	}
	for len(batch) < client.MaxBatch {
		line, err := c.input.nextNonBlankLine()
		if errors.Is(err, io.EOF) && len(batch) > 0 {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		if size += len(line.text) + 1; size > maxRequest && len(batch) > 0 {
			c.left = &line
			return batch, nil
		}
		batch = append(batch, line)
	}
	return batch, nil
}
