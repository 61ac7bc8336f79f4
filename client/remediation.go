package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// MaxBatch is how many records CreateRemediations takes at once.
const MaxBatch = 500

// Written is what the service answers to a write.
type Written struct {
	Receipt
	// Replayed is whether the service had accepted this very content before, and stored nothing now. Receipt is then the
	// first answer's.
	Replayed bool
}

// Updated is a remediation after an update.
type Updated struct {
	Remediation
	// Replayed is whether the update changed nothing, because the remediation was already as it says.
	Replayed bool
}

// RemediationDetail is a remediation with its children.
type RemediationDetail struct {
	Remediation
	RemediationChildren
}

// CreateRemediation records a remediation. The same record may be sent any number of times; another one under its
// remediation id is ErrConflict.
func (c *Client) CreateRemediation(ctx context.Context, record RemediationInput) (*Written, error) {
	return c.write(ctx, createRemediationCall(record))
}

// CreateRemediations records up to MaxBatch remediations and returns what became of each, in their order. The error is
// that of the request; that of a record is its result's Err.
func (c *Client) CreateRemediations(ctx context.Context, records []RemediationInput) ([]BatchResult, error) {
	if records == nil {
		records = []RemediationInput{}
	}
	return c.writeBatch(ctx, createRemediationsCall(BatchInput{Records: records}), len(records))
}

// CreateRemediationsJSON is CreateRemediations for records that are JSON already, such as lines of a file: they reach the
// service as they are, with every digit and with fields that this client does not know.
func (c *Client) CreateRemediationsJSON(ctx context.Context, records []json.RawMessage) ([]BatchResult, error) {
	if records == nil {
		records = []json.RawMessage{}
	}
	call := createRemediationsCall(BatchInput{})
	call.body = struct {
		Records []json.RawMessage `json:"records"`
	}{records}
	return c.writeBatch(ctx, call, len(records))
}

// UpdateRemediation changes the fields that the update sets. ErrConflict means that the remediation has ended or that its
// phase would go back.
func (c *Client) UpdateRemediation(ctx context.Context, remediationID string, update RemediationUpdate) (*Updated, error) {
	updated := new(Updated)
	answer, err := c.do(ctx, updateRemediationCall(remediationID, update), &updated.Remediation)
	if err != nil {
		return nil, err
	}
	updated.Replayed = answer.replayed()
	return updated, nil
}

// GetRemediation is a remediation with its children, or ErrNotFound.
func (c *Client) GetRemediation(ctx context.Context, remediationID string) (*RemediationDetail, error) {
	return read[RemediationDetail](ctx, c, getRemediationCall(remediationID))
}

// ListRemediations is one page of the remediations that pass the filters, newest first unless params.Sort says otherwise.
func (c *Client) ListRemediations(ctx context.Context, params ListRemediationsParams) (*RemediationList, error) {
	return read[RemediationList](ctx, c, listRemediationsCall(params))
}

// AllRemediations walks every page of ListRemediations from the one that params names, params.Limit records at a time. It
// reads a page when it is needed and ends with the first error.
func (c *Client) AllRemediations(ctx context.Context, params ListRemediationsParams) iter.Seq2[Remediation, error] {
	first := place{params.Cursor, params.Offset}
	return pages(first, func(at place) ([]Remediation, Pagination, error) {
		page := params
		page.Cursor, page.Offset = at.cursor, at.offset
		// The total was told with the first page, and costs as much each time.
		page.IncludeTotal = params.IncludeTotal && at == first
		list, err := c.ListRemediations(ctx, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}

// Err is why the record was refused, as an *Error, or nil when it is stored.
func (r BatchResult) Err() error {
	if r.Problem == nil {
		return nil
	}
	return &Error{StatusCode: r.Status, Problem: *r.Problem, RequestID: r.Problem.RequestID}
}

// Replayed is whether the service had accepted this very record before.
func (r BatchResult) Replayed() bool { return r.Problem == nil && r.Status == 200 }

func (c *Client) write(ctx context.Context, call call) (*Written, error) {
	written := new(Written)
	answer, err := c.do(ctx, call, &written.Receipt)
	if err != nil {
		return nil, err
	}
	written.Replayed = answer.replayed()
	return written, nil
}

func (c *Client) writeBatch(ctx context.Context, call call, records int) ([]BatchResult, error) {
	batch, err := read[BatchResults](ctx, c, call)
	if err != nil {
		return nil, err
	}
	if len(batch.Results) != records {
		return nil, fmt.Errorf("%s: %d results for %d records", call.operation, len(batch.Results), records)
	}
	return batch.Results, nil
}

func (a *answer) replayed() bool { return a.header.Get("Idempotency-Replayed") == "true" }

func read[T any](ctx context.Context, c *Client, call call) (*T, error) {
	result := new(T)
	if _, err := c.do(ctx, call, result); err != nil {
		return nil, err
	}
	return result, nil
}
