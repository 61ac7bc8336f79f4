package postgres

import (
	"context"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// History reads a page of a remediation's journal, from the beginning or after a position. It
// returns audit.ErrNotFound if the remediation does not exist.
func (s *Store) History(
	ctx context.Context, remediationID string, limit int, after *audit.HistoryPosition,
) (audit.Page[audit.HistoryEntry], error) {
	params := dbsqlc.AuditEventHistoryParams{
		RemediationID: remediationID, PageSize: int64(limit) + 1, Budget: PageBytes,
	}
	if after != nil {
		params.AfterTime, params.AfterID = &after.RecordedAt, &after.EventID
	}
	return retry(ctx, s, "read a history", func(ctx context.Context) (audit.Page[audit.HistoryEntry], error) {
		rows, err := s.queries.AuditEventHistory(ctx, s.pool, params)
		if err == nil && len(rows) == 0 && after == nil {
			err = audit.ErrNotFound
		}
		fetched := func(r dbsqlc.AuditEventHistoryRow) int64 { return r.Fetched }
		return firstPage(rows, limit, fetched, historyEntry), err
	})
}

// PartitionsAhead creates the journal's partitions of this month and of the given number of months
// after it, and returns how many were missing. It waits at most one second for the lock; if a
// reader holds the journal longer, it returns audit.ErrUnavailable.
func (s *Store) PartitionsAhead(ctx context.Context, months int32) (int, error) {
	return retry(ctx, s, "create the journal's partitions", func(ctx context.Context) (int, error) {
		params := dbsqlc.AuditEventPartitionsAheadParams{Months: months}
		created, err := s.queries.AuditEventPartitionsAhead(ctx, s.pool, params)
		return int(created), err
	})
}
