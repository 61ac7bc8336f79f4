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
	// MaxOffset limits offset paging, whose cost grows with the offset; a cursor has no limit.
	MaxOffset = 1_000_000
)

// CursorKey returns the key that signs cursors.
type CursorKey func(context.Context) ([]byte, error)

// Paging is the page that the parameters of a list request, with the data for the links of the
// response.
type Paging struct {
	Limit  int
	Offset int

	byOffset   bool
	after      *cursorPosition
	path       string
	parameters *parameterReader
	key        []byte
}

// readPaging reads limit, cursor, consistency and, if allowed, offset. Validation errors are added
// to p; the returned error is from key.
func readPaging(ctx context.Context, r *Request, p *parameterReader, key CursorKey, allowOffset bool) (*Paging, error) {
	paging := &Paging{Limit: p.readInteger("limit", 1, MaxPage, defaultPage), path: r.Path(), parameters: p}
	p.checkConsistency()
	cursor, given := p.readString("cursor")
	if allowOffset {
		paging.readOffset(p, given)
	}
	var err error
	if paging.key, err = key(ctx); err != nil {
		return nil, fmt.Errorf("read the cursor key: %w", err)
	}
	if given {
		after, ok := verifyCursor(paging.key, paging.cursorBinding(), cursor)
		if !ok {
			p.addError("cursor", audit.CodeMismatch, "must be a next_cursor of this path, with the same filters and order")
		}
		paging.after = &after
	}
	return paging, nil
}

// readOffset reads the offset. Beside a cursor it may be 0, which skips nothing: clients that were
// generated when 0 was the contract's default send it with every page.
func (p *Paging) readOffset(parameters *parameterReader, hasCursor bool) {
	p.Offset = parameters.readInteger("offset", 0, MaxOffset, 0)
	p.byOffset = parameters.isGiven("offset") && !hasCursor
	if hasCursor && p.Offset > 0 {
		parameters.addError("offset", audit.CodeOrder, "must not be combined with cursor")
	}
}

// cursorBinding returns what a cursor is bound to: path, filters and order. Page size, offset and
// consistency may change from page to page.
func (p *Paging) cursorBinding() string {
	return p.path + "?" + p.parameters.encodeWithout("cursor", "offset", "limit", "include_total", "consistency")
}

// Position returns the position of the last row of the previous page, or nil on the first page.
func (p *Paging) Position() *audit.Position {
	if p.after == nil {
		return nil
	}
	return p.after.rowPosition()
}

// HistoryPosition returns the position of the last entry of the previous page, or nil on the first
// page.
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

// pageMargin is the maximum size of the rest of the body, in bytes.
const pageMargin = 10_000

// pageResponse returns a page. It ends early if its records would exceed the size of a response:
// JSON escapes can make a stored string several times longer.
func pageResponse[T, W any](
	p *Paging, rows audit.Page[T], wire func(T) W, positionOf func(T) cursorPosition,
) (*Response, error) {
	body := pageBody{Data: make([]json.RawMessage, 0, len(rows.Data))}
	size := pageMargin
	for _, row := range rows.Data {
		record, err := json.Marshal(wire(row))
		if err != nil {
			return nil, fmt.Errorf("encode a record: %w", err)
		}
		if size += len(record) + 1; size > maxResponse && len(body.Data) > 0 {
			rows.HasMore = true
			break
		}
		body.Data = append(body.Data, record)
	}
	body.Pagination = client.Pagination{Limit: p.Limit, HasMore: rows.HasMore, Total: rows.Total}
	response := NewResponse(http.StatusOK, nil)
	if p.byOffset {
		body.Pagination.Offset = &p.Offset
	}
	if next := p.Offset + len(body.Data); p.byOffset && rows.HasMore && next <= MaxOffset {
		body.Pagination.NextOffset = &next
	}
	if rows.HasMore {
		body.Pagination.NextCursor = encodeCursor(p.key, p.cursorBinding(), positionOf(rows.Data[len(body.Data)-1]))
		response.setHeader("Link", p.nextPageLink(body.Pagination))
	}
	response.Body = body
	return response, nil
}

// nextPageLink returns the Link to the next page: by offset if this page was requested by offset
// and MaxOffset allows it, else by cursor.
func (p *Paging) nextPageLink(page client.Pagination) string {
	query := p.parameters.encodeWith("cursor", page.NextCursor, "offset")
	if page.NextOffset != nil {
		query = p.parameters.encodeWith("offset", strconv.Itoa(*page.NextOffset), "cursor")
	}
	return "<" + escapePath(p.path) + "?" + query + `>; rel="next"`
}
