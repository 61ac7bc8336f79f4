package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// Limits of a page.
const (
	MaxPage     = 1000
	defaultPage = 100
	// MaxOffset ends offset paging where its cost stops being reasonable; a cursor goes on.
	MaxOffset = 1_000_000
)

// CursorKey answers the key that signs cursors.
type CursorKey func(context.Context) ([]byte, error)

// Paging is what a list's parameters say about pages, and what the links of its answer need.
type Paging struct {
	Limit  int
	Offset int

	byOffset   bool
	after      *place
	path       string
	parameters *parameters
	key        []byte
}

// newPaging reads limit, cursor and, where the list has it, offset. An error is the key's; faults go to the parameters.
func newPaging(ctx context.Context, r *Request, p *parameters, key CursorKey, offsets bool) (*Paging, error) {
	paging := &Paging{Limit: p.number("limit", 1, MaxPage, defaultPage), path: r.Path(), parameters: p}
	if _, given := p.values["offset"]; given && offsets {
		paging.byOffset = true
		paging.Offset = p.number("offset", 0, MaxOffset, 0)
	}
	p.consistency()
	cursor, given := p.get("cursor")
	if given && paging.byOffset {
		p.fault("offset", audit.CodeOrder, "cannot go with cursor")
	}
	var err error
	if paging.key, err = key(ctx); err != nil {
		return nil, fmt.Errorf("read the cursor key: %w", err)
	}
	if given {
		after, ok := openCursor(paging.key, paging.binding(), cursor)
		if !ok {
			p.fault("cursor", audit.CodeMismatch, "is not a cursor of this service for this path, these filters and this order")
		}
		paging.after = &after
	}
	return paging, nil
}

// binding is what a cursor belongs to: the path, the filters and the order, not the size of the page, how it was reached or where it is read.
func (p *Paging) binding() string {
	return p.path + "?" + p.parameters.encode("cursor", "offset", "limit", "include_total", "consistency")
}

// Position is where the page before ended, nil on the first page.
func (p *Paging) Position() *audit.Position {
	if p.after == nil {
		return nil
	}
	return p.after.position()
}

// HistoryPosition is where the previous page of a journal ended, nil on the first page.
func (p *Paging) HistoryPosition() *audit.HistoryPosition {
	if p.after == nil {
		return nil
	}
	return &audit.HistoryPosition{RecordedAt: p.after.time, EventID: p.after.key}
}

type pageBody struct {
	Data       []json.RawMessage `json:"data"`
	Pagination client.Pagination `json:"pagination"`
}

// pageMargin is what the pagination and the brackets of a page take at the most.
const pageMargin = 10_000

// answerPage writes a page. One whose records would make it too large to be sent ends before them: escaping can make a text several
// times as long as it is stored.
func answerPage[T, W any](p *Paging, rows audit.Page[T], wire func(T) W, at func(T) place) (*Response, error) {
	body := pageBody{Data: make([]json.RawMessage, 0, len(rows.Data))}
	size := pageMargin
	for _, row := range rows.Data {
		record, err := json.Marshal(wire(row))
		if err != nil {
			return nil, fmt.Errorf("write a record: %w", err)
		}
		if size += len(record) + 1; size > maxAnswer && len(body.Data) > 0 {
			rows.HasMore = true
			break
		}
		body.Data = append(body.Data, record)
	}
	body.Pagination = client.Pagination{Limit: p.Limit, HasMore: rows.HasMore, Total: rows.Total}
	answer := NewAnswer(http.StatusOK, nil)
	if p.byOffset {
		body.Pagination.Offset = &p.Offset
	}
	if rows.HasMore {
		body.Pagination.NextCursor = sealCursor(p.key, p.binding(), at(rows.Data[len(body.Data)-1]))
		answer.header("Link", p.link(body.Pagination.NextCursor, len(body.Data)))
	}
	answer.Body = body
	return answer, nil
}

// link is the request for the page behind this one: by offset if this one was and offsets go so far, else by cursor.
func (p *Paging) link(cursor string, rows int) string {
	query := p.parameters.with("cursor", cursor, "offset")
	if next := p.Offset + rows; p.byOffset && next <= MaxOffset {
		query = p.parameters.with("offset", strconv.Itoa(next), "cursor")
	}
	return "<" + p.path + "?" + query + `>; rel="next"`
}
