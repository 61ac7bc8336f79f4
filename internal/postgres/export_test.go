package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// Translate exports translate to the tests.
var Translate = translate

// AppendIn writes an entry other than an update in a transaction, which it leaves open.
func (s *Store) AppendIn(ctx context.Context, tx pgx.Tx, entry audit.Entry) (audit.Written, error) {
	a := attempt{store: s, db: tx, entries: []audit.Entry{entry}, options: new(AppendOptions), written: make([]audit.Written, 1)}
	err := a.writeRecords(ctx, []int{0})
	return a.written[0], err
}
