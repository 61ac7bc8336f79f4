package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// MaxBatch is the largest number of records of CreateRemediations.
const MaxBatch = 500

// Written is the response to a write.
type Written struct {
	Receipt
	// Replayed is set if the same content was accepted before and nothing was stored now. Receipt
	// is that of the first write.
	Replayed bool
}

// Updated is a remediation after an update.
type Updated struct {
	Remediation
	// Replayed is set if the update changed nothing.
	Replayed bool
}

// RemediationDetail is a remediation with its children.
type RemediationDetail struct {
	Remediation
	RemediationChildren
}

// CreateRemediation records a remediation. Sending the same record again is safe; another record
// with its remediation id is ErrConflict.
func (c *Client) CreateRemediation(ctx context.Context, record RemediationInput) (*Written, error) {
	return c.sendRecord(ctx, createRemediationCall(record))
}

// CreateRemediations records up to MaxBatch remediations and returns the result of each, in their
// order. The error is that of the request; the error of a record is its result's Err.
func (c *Client) CreateRemediations(ctx context.Context, records []RemediationInput) ([]BatchResult, error) {
	if records == nil {
		records = []RemediationInput{}
	}
	return c.sendBatch(ctx, createRemediationsCall(BatchInput{Records: records}), len(records))
}

// CreateRemediationsJSON is CreateRemediations for records that are JSON already, such as lines of
// a file. They are sent unchanged, including all digits of numbers and fields unknown to this
// client.
func (c *Client) CreateRemediationsJSON(ctx context.Context, records []json.RawMessage) ([]BatchResult, error) {
	if records == nil {
		records = []json.RawMessage{}
	}
	call := createRemediationsCall(BatchInput{})
	call.body = struct {
		Records []json.RawMessage `json:"records"`
	}{records}
	return c.sendBatch(ctx, call, len(records))
}

// UpdateRemediation changes the fields that the update sets. ErrConflict means that the remediation
// has ended or that its phase would go back.
func (c *Client) UpdateRemediation(ctx context.Context, remediationID string, update RemediationUpdate) (*Updated, error) {
	updated := new(Updated)
	response, err := c.sendAndDecodeInto(ctx, updateRemediationCall(remediationID, update), &updated.Remediation)
	if err != nil {
		return nil, err
	}
	updated.Replayed = response.isReplayed()
	return updated, nil
}

// GetRemediation returns a remediation with its children, or ErrNotFound.
func (c *Client) GetRemediation(ctx context.Context, remediationID string) (*RemediationDetail, error) {
	return sendAndDecode[RemediationDetail](ctx, c, getRemediationCall(remediationID))
}

// ListRemediations returns one page of the remediations that match the filters, newest first unless
// params.Sort is set.
func (c *Client) ListRemediations(ctx context.Context, params ListRemediationsParams) (*RemediationList, error) {
	return sendAndDecode[RemediationList](ctx, c, listRemediationsCall(params))
}

// AllRemediations iterates over the records of ListRemediations from the page of params on,
// params.Limit at a time. It reads a page when it is needed and ends with the first error.
func (c *Client) AllRemediations(ctx context.Context, params ListRemediationsParams) iter.Seq2[Remediation, error] {
	first := pagePosition{params.Cursor, params.Offset}
	return iteratePages(first, func(at pagePosition) ([]Remediation, Pagination, error) {
		page := params
		page.Cursor, page.Offset = at.cursor, at.offset
		// A total costs one count per page, so only the first page requests it.
		page.IncludeTotal = params.IncludeTotal && at == first
		list, err := c.ListRemediations(ctx, page)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Data, list.Pagination, nil
	})
}

// Err returns an *Error if the record was not stored, else nil.
func (r BatchResult) Err() error {
	if r.Problem == nil {
		return nil
	}
	return &Error{StatusCode: r.Status, Problem: *r.Problem, RequestID: r.Problem.RequestID}
}

// Replayed reports whether the same record was accepted before.
func (r BatchResult) Replayed() bool { return r.Problem == nil && r.Status == 200 }

func (c *Client) sendRecord(ctx context.Context, call call) (*Written, error) {
	written := new(Written)
	response, err := c.sendAndDecodeInto(ctx, call, &written.Receipt)
	if err != nil {
		return nil, err
	}
	written.Replayed = response.isReplayed()
	return written, nil
}

func (c *Client) sendBatch(ctx context.Context, call call, records int) ([]BatchResult, error) {
	batch, err := sendAndDecode[BatchResults](ctx, c, call)
	if err != nil {
		return nil, err
	}
	if len(batch.Results) != records {
		return nil, fmt.Errorf("%s: %d results for %d records", call.operation, len(batch.Results), records)
	}
	return batch.Results, nil
}

func (r *fullResponse) isReplayed() bool { return r.header.Get("Idempotency-Replayed") == "true" }

func sendAndDecode[T any](ctx context.Context, c *Client, call call) (*T, error) {
	result := new(T)
	if _, err := c.sendAndDecodeInto(ctx, call, result); err != nil {
		return nil, err
	}
	return result, nil
}
