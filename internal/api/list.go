package api

import (
	"context"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// ListQuery is a parsed GET /v1/remediations.
type ListQuery struct {
	Filter audit.Filter
	Page   audit.PageRequest
	paging *Paging
}

// ListQuery reads the parameters of GET /v1/remediations.
func (r *Request) ListQuery(ctx context.Context, key CursorKey, now time.Time) (*ListQuery, error) {
	var errs audit.ValidationErrors
	p := r.queryParameters(&errs)
	query := &ListQuery{Filter: p.readFilter(now)}
	query.Page.Ascending = readSortOrder(p)
	query.Page.Total = p.readBoolean("include_total")
	paging, err := readPaging(ctx, r, p, key, true)
	if err != nil {
		return nil, err
	}
	p.reportUnread()
	query.paging = paging
	query.Page.Limit, query.Page.Offset, query.Page.After = paging.Limit, paging.Offset, paging.Position()
	return query, errs.Err()
}

// Respond returns the requested page.
func (q *ListQuery) Respond(rows audit.Page[audit.Stored]) (*Response, error) {
	return pageResponse(q.paging, rows, wireRemediation, func(s audit.Stored) cursorPosition {
		return rowCursorPosition(s.StartTime, s.ID)
	})
}

func readSortOrder(p *parameterReader) (ascending bool) {
	sort, ok := p.readString("sort")
	if !ok {
		return false
	}
	// A plus sign that is not percent-encoded arrives as a space.
	switch strings.Replace(sort, " ", "+", 1) {
	case "start_time", "+start_time":
		return true
	case "-start_time":
		return false
	}
	p.addError("sort", audit.CodeEnum, "must be one of start_time, +start_time, -start_time")
	return false
}

// HistoryQuery reads the remediation id and the parameters of GET
// /v1/remediations/{remediation_id}/history.
func (r *Request) HistoryQuery(ctx context.Context, key CursorKey) (string, *Paging, error) {
	var errs audit.ValidationErrors
	id := r.checkedRemediationID(&errs)
	p := r.queryParameters(&errs)
	paging, err := readPaging(ctx, r, p, key, false)
	if err != nil {
		return "", nil, err
	}
	p.reportUnread()
	return id, paging, errs.Err()
}

// RespondHistory returns the requested page of a journal.
func (p *Paging) RespondHistory(rows audit.Page[audit.HistoryEntry]) (*Response, error) {
	return pageResponse(p, rows, wireHistoryEntry, func(e audit.HistoryEntry) cursorPosition {
		return cursorPosition{time: e.RecordedAt, key: e.EventID}
	})
}

// IncidentQuery is a parsed GET /v1/incident-events.
type IncidentQuery struct {
	AlertNames, Namespaces, WorkflowStatuses []string
	Since, Until                             *time.Time
	*Paging
}

// IncidentQuery reads the parameters of GET /v1/incident-events.
func (r *Request) IncidentQuery(ctx context.Context, key CursorKey, now time.Time) (*IncidentQuery, error) {
	var errs audit.ValidationErrors
	p := r.queryParameters(&errs)
	query := &IncidentQuery{
		AlertNames:       p.readAlertNames("alert_name"),
		Namespaces:       p.readIdentifiers("namespace", audit.MaxIdentifier),
		WorkflowStatuses: readEnumList(p, "workflow_status", audit.Statuses()),
	}
	query.Since, query.Until = p.readTimeRange(now)
	var err error
	if query.Paging, err = readPaging(ctx, r, p, key, false); err != nil {
		return nil, err
	}
	p.reportUnread()
	return query, errs.Err()
}

// Respond returns the requested page.
func (q *IncidentQuery) Respond(rows audit.Page[audit.IncidentEvent]) (*Response, error) {
	return pageResponse(q.Paging, rows, wireIncidentEvent, func(e audit.IncidentEvent) cursorPosition {
		return rowCursorPosition(e.CreatedAt, e.ID)
	})
}
