package postgres

import (
	"context"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// Limits of a result, so that its size does not grow with the stored data.
const (
	// PageBytes limits the free text of the records on a page, in bytes. A page always has at least
	// one record.
	PageBytes = 4 << 20
	// ChildLimit and childBytes limit the children of each kind that are read with a remediation.
	ChildLimit = 1000
	childBytes = 1 << 20
)

// Remediation reads a remediation. It returns audit.ErrNotFound if there is none.
func (s *Store) Remediation(ctx context.Context, remediationID string) (audit.Stored, error) {
	return retry(ctx, s, "read a remediation", func(ctx context.Context) (audit.Stored, error) {
		row, err := s.queries.RemediationGet(ctx, s.pool, dbsqlc.RemediationGetParams{RemediationID: remediationID})
		return storedRemediation(row), err
	})
}

// Children reads the children of a remediation, at most ChildLimit records and 1 MiB of free text
// of each kind.
func (s *Store) Children(ctx context.Context, remediationID string) (audit.Children, error) {
	return retry(ctx, s, "read the children of a remediation", func(ctx context.Context) (audit.Children, error) {
		children := audit.Children{
			AIAnalyses: []audit.StoredAIAnalysis{}, Workflows: []audit.StoredWorkflow{}, Executions: []audit.StoredExecution{},
		}
		kinds, err := s.queries.RemediationChildKinds(ctx, s.pool, dbsqlc.RemediationChildKindsParams{RemediationID: remediationID})
		if err != nil {
			return audit.Children{}, err
		}
		read := map[audit.Kind]func(context.Context, string, *audit.Children) error{
			audit.KindAIAnalysis: s.readAIAnalyses, audit.KindWorkflow: s.readWorkflows, audit.KindExecution: s.readExecutions,
		}
		for _, kind := range kinds {
			if err := read[audit.Kind(kind)](ctx, remediationID, &children); err != nil {
				return audit.Children{}, err
			}
		}
		return children, nil
	})
}

func (s *Store) readAIAnalyses(ctx context.Context, remediationID string, into *audit.Children) error {
	rows, err := s.queries.AIAnalysisList(ctx, s.pool, dbsqlc.AIAnalysisListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.AIAnalysisListRow) int64 { return r.Fetched }, storedAIAnalysis)
	into.AIAnalyses = page.Data
	noteTruncated(into, audit.KindAIAnalysis, page.HasMore)
	return err
}

func (s *Store) readWorkflows(ctx context.Context, remediationID string, into *audit.Children) error {
	rows, err := s.queries.WorkflowList(ctx, s.pool, dbsqlc.WorkflowListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.WorkflowListRow) int64 { return r.Fetched }, storedWorkflow)
	into.Workflows = page.Data
	noteTruncated(into, audit.KindWorkflow, page.HasMore)
	return err
}

func (s *Store) readExecutions(ctx context.Context, remediationID string, into *audit.Children) error {
	rows, err := s.queries.ExecutionList(ctx, s.pool, dbsqlc.ExecutionListParams{
		RemediationID: remediationID, PageSize: ChildLimit + 1, Budget: childBytes,
	})
	page := firstPage(rows, ChildLimit, func(r dbsqlc.ExecutionListRow) int64 { return r.Fetched }, storedExecution)
	into.Executions = page.Data
	noteTruncated(into, audit.KindExecution, page.HasMore)
	return err
}

func noteTruncated(children *audit.Children, kind audit.Kind, hasMore bool) {
	if hasMore {
		children.Truncated = append(children.Truncated, kind)
	}
}

// firstPage converts at most limit rows to a page. The statement asks for limit+1 rows; fetched is
// the number of rows it found before cutting them to the byte budget.
func firstPage[R, T any](rows []R, limit int, fetched func(R) int64, convert func(R) T) audit.Page[T] {
	page := audit.Page[T]{Data: make([]T, 0, min(len(rows), limit))}
	for _, row := range rows[:min(len(rows), limit)] {
		page.Data = append(page.Data, convert(row))
	}
	page.HasMore = len(rows) > 0 && fetched(rows[0]) > int64(len(page.Data))
	return page
}
