package postgres

import (
	"context"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// Bounds of what one answer holds, so that memory does not grow with what is stored.
const (
	// PageBytes is how much free text the records of one page hold at the most; a page always has one record.
	PageBytes = 4 << 20
	// ChildLimit and childBytes bound the children of each kind that come with a remediation.
	ChildLimit = 1000
	childBytes = 1 << 20
)

// Remediation reads one remediation. audit.ErrNotFound when there is none.
func (s *Store) Remediation(ctx context.Context, remediationID string) (audit.Stored, error) {
	return retry(ctx, "read a remediation", func(ctx context.Context) (audit.Stored, error) {
		row, err := s.queries.RemediationGet(ctx, s.pool, dbsqlc.RemediationGetParams{RemediationID: remediationID})
		return stored(row), err
	})
}

// Children are what belongs to a remediation, oldest first. Truncated names the kinds of which there are more.
type Children struct {
	AIAnalyses []audit.StoredAIAnalysis
	Workflows  []audit.StoredWorkflow
	Executions []audit.StoredExecution
	Truncated  []audit.Kind
}

// Children reads what belongs to a remediation, at most ChildLimit and 1 MiB of free text of each kind.
func (s *Store) Children(ctx context.Context, remediationID string) (Children, error) {
	return retry(ctx, "read the children of a remediation", func(ctx context.Context) (Children, error) {
		var children Children
		for _, read := range []func(context.Context, string, *Children) error{s.aiAnalyses, s.workflows, s.executions} {
			if err := read(ctx, remediationID, &children); err != nil {
				return Children{}, err
			}
		}
		return children, nil
	})
}

func (s *Store) aiAnalyses(ctx context.Context, remediationID string, into *Children) error {
	rows, err := s.queries.AIAnalysisList(ctx, s.pool, dbsqlc.AIAnalysisListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.AIAnalysisListRow) int64 { return r.Fetched }, storedAIAnalysis)
	into.AIAnalyses = page.Data
	into.truncated(audit.KindAIAnalysis, page.HasMore)
	return err
}

func (s *Store) workflows(ctx context.Context, remediationID string, into *Children) error {
	rows, err := s.queries.WorkflowList(ctx, s.pool, dbsqlc.WorkflowListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.WorkflowListRow) int64 { return r.Fetched }, storedWorkflow)
	into.Workflows = page.Data
	into.truncated(audit.KindWorkflow, page.HasMore)
	return err
}

func (s *Store) executions(ctx context.Context, remediationID string, into *Children) error {
	rows, err := s.queries.ExecutionList(ctx, s.pool, dbsqlc.ExecutionListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.ExecutionListRow) int64 { return r.Fetched }, storedExecution)
	into.Executions = page.Data
	into.truncated(audit.KindExecution, page.HasMore)
	return err
}

func (c *Children) truncated(kind audit.Kind, hasMore bool) {
	if hasMore {
		c.Truncated = append(c.Truncated, kind)
	}
}

// Page is one page of a list.
type Page[T any] struct {
	Data    []T
	HasMore bool
	// Total is the number of all rows that match, where it was asked for.
	Total *int64
}

// firstPage makes a page of at most limit of the rows. The statement was asked for one row more than the limit; fetched tells how many
// it found before it cut them to the budget of bytes.
func firstPage[R, T any](rows []R, limit int, fetched func(R) int64, as func(R) T) Page[T] {
	page := Page[T]{Data: make([]T, 0, min(len(rows), limit))}
	for _, row := range rows[:min(len(rows), limit)] {
		page.Data = append(page.Data, as(row))
	}
	page.HasMore = len(rows) > 0 && fetched(rows[0]) > int64(len(page.Data))
	return page
}

// HistoryAfter is a place in a journal: behind the entry with this time and id.
type HistoryAfter struct {
	RecordedAt time.Time
	EventID    audit.ID
}

// History reads a page of a remediation's journal, from the beginning or from after a place in it. A remediation that does not exist
// is audit.ErrNotFound.
func (s *Store) History(ctx context.Context, remediationID string, limit int, after *HistoryAfter) (Page[audit.HistoryEntry], error) {
	params := dbsqlc.AuditEventHistoryParams{RemediationID: remediationID, PageSize: int64(limit) + 1, Budget: PageBytes}
	if after != nil {
		params.AfterTime, params.AfterID = &after.RecordedAt, &after.EventID
	}
	return retry(ctx, "read the history of a remediation", func(ctx context.Context) (Page[audit.HistoryEntry], error) {
		rows, err := s.queries.AuditEventHistory(ctx, s.pool, params)
		if err == nil && len(rows) == 0 && after == nil {
			err = audit.ErrNotFound
		}
		return firstPage(rows, limit, func(r dbsqlc.AuditEventHistoryRow) int64 { return r.Fetched }, historyEntry), err
	})
}
