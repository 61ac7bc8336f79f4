package postgres

import (
	"context"
	"math"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// List returns a page of the remediations that match the filter, ordered by start_time and id. The
// page ends early, with HasMore set, once its records hold PageBytes of free text.
func (s *Store) List(ctx context.Context, f audit.Filter, p audit.PageRequest) (audit.Page[audit.Stored], error) {
	if f.All() && !p.Ascending && p.Offset == 0 && !p.Total {
		return s.newest(ctx, p)
	}
	params := listParams(f, p)
	return retry(ctx, s, "list remediations", func(ctx context.Context) (audit.Page[audit.Stored], error) {
		rows, err := s.queries.RemediationList(ctx, s.pool, params)
		if err != nil {
			return audit.Page[audit.Stored]{}, err
		}
		page := firstPage(rows, p.Limit,
			func(r dbsqlc.RemediationListRow) int64 { return r.Fetched },
			func(r dbsqlc.RemediationListRow) audit.Stored { return storedRemediation(r.RemediationAudit) })
		if p.Total {
			total, err := s.queries.RemediationCount(ctx, s.pool, dbsqlc.RemediationCountParams{Filter: params.Filter, MaxCount: math.MaxInt64})
			if err != nil {
				return audit.Page[audit.Stored]{}, err
			}
			page.Total = &total
		}
		return page, nil
	})
}

// newest returns a page of all remediations, newest first.
func (s *Store) newest(ctx context.Context, p audit.PageRequest) (audit.Page[audit.Stored], error) {
	params := dbsqlc.RemediationNewestParams{PageSize: int64(p.Limit) + 1, Budget: PageBytes}
	if p.After != nil {
		params.AfterTime, params.AfterID = &p.After.Time, &p.After.ID
	}
	return retry(ctx, s, "list remediations", func(ctx context.Context) (audit.Page[audit.Stored], error) {
		rows, err := s.queries.RemediationNewest(ctx, s.pool, params)
		return pageWithin(rows, p.Limit), err
	})
}

// pageWithin converts at most limit rows, cut where their free text together exceeds PageBytes, but
// at least one.
func pageWithin(rows []dbsqlc.RemediationAudit, limit int) audit.Page[audit.Stored] {
	page := audit.Page[audit.Stored]{Data: make([]audit.Stored, 0, min(len(rows), limit))}
	size := 0
	for _, row := range rows {
		stored := storedRemediation(row)
		size += textBytes(stored)
		if page.HasMore = len(page.Data) == limit || len(page.Data) > 0 && size > PageBytes; page.HasMore {
			break
		}
		page.Data = append(page.Data, stored)
	}
	return page
}

// textBytes returns the size of the free text of a remediation.
func textBytes(r audit.Stored) int {
	size := len(r.Metadata)
	for _, text := range []*string{r.ErrorMessage, r.WorkflowYAML} {
		if text != nil {
			size += len(*text)
		}
	}
	return size
}

func listParams(f audit.Filter, p audit.PageRequest) dbsqlc.RemediationListParams {
	params := dbsqlc.RemediationListParams{
		Filter:    filterJSON(f),
		Ascending: p.Ascending, PageSize: int64(p.Limit) + 1, Skip: int64(p.Offset), Budget: PageBytes,
	}
	if p.After != nil {
		params.AfterTime, params.AfterID = &p.After.Time, &p.After.ID
	}
	return params
}

// IncidentFilter selects rows of the incident_events view, with Since <= created_at < Until.
type IncidentFilter struct {
	AlertNames, Namespaces, WorkflowStatuses []string
	Since, Until                             *time.Time
}

// IncidentEvents returns a page of the incident_events view, newest first by created_at and id.
func (s *Store) IncidentEvents(
	ctx context.Context, f IncidentFilter, limit int, after *audit.Position,
) (audit.Page[audit.IncidentEvent], error) {
	params := dbsqlc.IncidentEventListParams{
		AlertNames: f.AlertNames, Namespaces: f.Namespaces, Statuses: f.WorkflowStatuses, Since: f.Since, Until: f.Until,
		PageSize: int64(limit) + 1, Budget: PageBytes,
	}
	if after != nil {
		params.AfterTime, params.AfterID = &after.Time, &after.ID
	}
	return retry(ctx, s, "list incident events", func(ctx context.Context) (audit.Page[audit.IncidentEvent], error) {
		rows, err := s.queries.IncidentEventList(ctx, s.pool, params)
		return firstPage(rows, limit,
			func(r dbsqlc.IncidentEventListRow) int64 { return r.Fetched }, incidentEvent), err
	})
}
