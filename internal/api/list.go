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

// ListQuery reads the parameters of the list.
func (r *Request) ListQuery(ctx context.Context, key CursorKey, now time.Time) (*ListQuery, error) {
	var faults audit.ValidationErrors
	p := queryParameters(r.event.RawQueryString, &faults)
	query := &ListQuery{Filter: p.filter(now)}
	query.Page.Ascending = ascending(p)
	query.Page.Total = p.flag("include_total")
	paging, err := newPaging(ctx, r, p, key, true)
	if err != nil {
		return nil, err
	}
	p.finish()
	query.paging = paging
	query.Page.Limit, query.Page.Offset, query.Page.After = paging.Limit, paging.Offset, paging.Position()
	return query, faults.Err()
}

// Respond writes the page that the query asked for.
func (q *ListQuery) Respond(rows audit.Page[audit.Stored]) (*Response, error) {
	return answerPage(q.paging, rows, wireRemediation, func(s audit.Stored) place { return rowPlace(s.StartTime, s.ID) })
}

func ascending(p *parameters) bool {
	sort, ok := p.get("sort")
	if !ok {
		return false
	}
	// A plus sign that was not percent-encoded arrives as a space.
	switch strings.Replace(sort, " ", "+", 1) {
	case "start_time", "+start_time":
		return true
	case "-start_time":
		return false
	}
	p.fault("sort", audit.CodeEnum, "must be start_time, +start_time or -start_time")
	return false
}

// HistoryQuery reads whose history is asked for, and the parameters of its page.
func (r *Request) HistoryQuery(ctx context.Context, key CursorKey) (string, *Paging, error) {
	var faults audit.ValidationErrors
	id := r.remediationID(&faults)
	p := queryParameters(r.event.RawQueryString, &faults)
	paging, err := newPaging(ctx, r, p, key, false)
	if err != nil {
		return "", nil, err
	}
	p.finish()
	return id, paging, faults.Err()
}

// RespondHistory writes a page of a journal.
func (p *Paging) RespondHistory(rows audit.Page[audit.HistoryEntry]) (*Response, error) {
	return answerPage(p, rows, wireHistoryEntry, func(e audit.HistoryEntry) place {
		return place{time: e.RecordedAt, key: e.EventID}
	})
}

// IncidentQuery is a parsed GET /v1/incident-events.
type IncidentQuery struct {
	AlertNames, Namespaces, WorkflowStatuses []string
	Since, Until                             *time.Time
	*Paging
}

// IncidentQuery reads the parameters of the view's list.
func (r *Request) IncidentQuery(ctx context.Context, key CursorKey, now time.Time) (*IncidentQuery, error) {
	var faults audit.ValidationErrors
	p := queryParameters(r.event.RawQueryString, &faults)
	query := &IncidentQuery{
		AlertNames:       p.identifiers("alert_name", audit.MaxIdentifier),
		Namespaces:       p.identifiers("namespace", audit.MaxIdentifier),
		WorkflowStatuses: words(p, "workflow_status", audit.Statuses()),
	}
	query.Since, query.Until = p.window(now)
	var err error
	if query.Paging, err = newPaging(ctx, r, p, key, false); err != nil {
		return nil, err
	}
	p.finish()
	return query, faults.Err()
}

// Respond writes the page that the query asked for.
func (q *IncidentQuery) Respond(rows audit.Page[audit.IncidentEvent]) (*Response, error) {
	return answerPage(q.Paging, rows, wireIncidentEvent, func(e audit.IncidentEvent) place { return rowPlace(e.CreatedAt, e.ID) })
}
