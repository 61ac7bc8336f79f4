package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// AppendOptions are the options of an append. Nil means the zero value.
type AppendOptions struct {
	// Vectors holds vectors of the entries' signatures. A signature that has none here is stored
	// without a vector, unless the database already has one.
	Vectors Vectors
	// Redelivered accepts an update that conflicts with the stored remediation if the journal holds
	// the same content: a source that delivers at least once, such as SQS, sent it again after
	// later updates.
	Redelivered bool
}

// Append writes any number of entries of any kinds in one transaction: records, signatures, vectors
// and the journal. New entries of one kind take one round trip, already stored ones a second;
// updates first lock and read their remediations. An entry may depend on others of the same call,
// in any order: for example, a child or an update on a remediation that the same call creates.
//
// The results are in the order of the entries. After an error, nothing is stored or, if the
// connection broke during the commit, possibly everything. Appending the same entries again is safe
// and returns their outcome. If the database refuses an entry, the batch is split into several
// transactions until that entry is alone.
func (s *Store) Append(ctx context.Context, entries []audit.Entry, options *AppendOptions) ([]audit.Written, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if options == nil {
		options = new(AppendOptions)
	}
	written, err := s.appendOrSplit(ctx, entries, options)
	reportDualWrites(ctx, entries, written, err)
	return written, err
}

// appendOrSplit writes entries in one transaction, or in halves if the database refuses one of
// them.
func (s *Store) appendOrSplit(
	ctx context.Context, entries []audit.Entry, options *AppendOptions,
) ([]audit.Written, error) {
	if err := options.Vectors.checkLengths(); err != nil {
		return nil, err
	}
	written, err := retry(ctx, s, "append", func(ctx context.Context) ([]audit.Written, error) {
		return s.appendOnce(ctx, entries, options)
	})
	switch {
	case !errors.Is(err, audit.ErrRefused):
		return written, err
	case len(entries) == 1:
		return []audit.Written{{Err: err}}, nil
	default:
		return s.appendHalves(ctx, entries, options)
	}
}

// appendHalves splits a batch in the order in which a transaction writes it, so that no child or
// update comes before its remediation.
func (s *Store) appendHalves(
	ctx context.Context, entries []audit.Entry, options *AppendOptions,
) ([]audit.Written, error) {
	written := make([]audit.Written, len(entries))
	order := slices.Concat(groupByKind(entries)...)
	for indexes := range slices.Chunk(order, (len(order)+1)/2) {
		half := make([]audit.Entry, len(indexes))
		for i, index := range indexes {
			half[i] = entries[index]
		}
		outcomes, err := s.appendOrSplit(ctx, half, options)
		if err != nil {
			return nil, err
		}
		for i, index := range indexes {
			written[index] = outcomes[i]
		}
	}
	return written, nil
}

// appendOnce makes one attempt to write entries in one transaction.
func (s *Store) appendOnce(
	ctx context.Context, entries []audit.Entry, options *AppendOptions,
) ([]audit.Written, error) {
	a := attempt{store: s, db: s.pool, entries: entries, options: options, written: make([]audit.Written, len(entries))}
	err := a.execute(ctx)
	switch {
	case err == nil:
		a.rememberSignatures()
	case isSignatureGone(err):
		a.forgetSignatures()
	}
	return a.written, err
}

// attempt is one try at writing entries in one transaction.
type attempt struct {
	store   *Store
	db      dbsqlc.DBTX
	entries []audit.Entry
	options *AppendOptions
	written []audit.Written
	changes changes
}

func (a *attempt) execute(ctx context.Context) error {
	groups := groupByKind(a.entries)
	if len(groups) == 1 && a.entries[0].Kind != audit.KindUpdate {
		// A single statement is its own transaction.
		return a.writeRecords(ctx, groups[0])
	}
	return pgx.BeginTxFunc(ctx, a.store.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		a.db = tx
		return a.writeGroups(ctx, groups)
	})
}

// groupByKind returns the indexes of the entries by kind, in the order in which they are written:
// remediations, their updates, children.
func groupByKind(entries []audit.Entry) [][]int {
	var groups [][]int
	for _, kind := range []audit.Kind{
		audit.KindRemediation, audit.KindUpdate, audit.KindAIAnalysis, audit.KindWorkflow, audit.KindExecution,
	} {
		if indexes := indexesOfKind(kind, entries); indexes != nil {
			groups = append(groups, indexes)
		}
	}
	return groups
}

func indexesOfKind(kind audit.Kind, entries []audit.Entry) []int {
	var indexes []int
	for i, entry := range entries {
		if entry.Kind == kind {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// writeGroups writes the groups in one transaction. To prevent deadlocks, every transaction takes
// contended locks in the same order, sorted within each kind: updated remediations, new
// remediations, vectors, signatures, children. Therefore updates are applied in memory first and
// written later, and their new signatures are inserted along with those of the new remediations.
func (a *attempt) writeGroups(ctx context.Context, groups [][]int) error {
	if err := a.applyUpdates(ctx); err != nil {
		return err
	}
	for _, indexes := range groups {
		write := a.writeRecords
		if a.entries[indexes[0]].Kind == audit.KindUpdate {
			write = a.writeUpdates
		}
		if err := write(ctx, indexes); err != nil {
			return err
		}
	}
	return nil
}

// writeRecords writes the entries at the indexes, all of one kind other than update.
func (a *attempt) writeRecords(ctx context.Context, indexes []int) error {
	// An entry without a row in the first result was stored before, is a duplicate within the
	// batch, or lost a race against a transaction that has committed since: the second statement
	// finds its receipt. What remains is a child without a parent; the third statement finds a
	// parent that was committed in the meantime.
	for _, run := range []recordStatement{a.insertRecords, a.findReceipts, a.insertRecords} {
		rows, err := run(ctx, a.entries[indexes[0]].Kind, newBatch(a.entries, indexes))
		if err != nil {
			return err
		}
		if indexes = a.recordOutcomes(indexes, rows); len(indexes) == 0 {
			return nil
		}
	}
	for _, index := range indexes {
		a.written[index].Err = audit.ErrNotFound
	}
	return nil
}

// recordStatement runs a statement for entries of one kind.
type recordStatement func(context.Context, audit.Kind, batch) ([]appendedRow, error)

// recordOutcomes records the outcome of each entry for which there is a row, and returns the
// indexes of the others.
func (a *attempt) recordOutcomes(indexes []int, rows []appendedRow) []int {
	byEvent := make(map[audit.ID]appendedRow, len(rows))
	for _, row := range rows {
		byEvent[row.SentEventID] = row
	}
	var missing []int
	for _, index := range indexes {
		row, ok := byEvent[a.entries[index].EventID]
		if !ok {
			missing = append(missing, index)
			continue
		}
		a.written[index] = recordOutcome(a.entries[index], row)
	}
	return missing
}

// recordOutcome compares an entry with the journal entry that is stored under its key. If that has
// the same event ID, it is this write itself, committed by an earlier attempt whose connection
// broke.
func recordOutcome(entry audit.Entry, row appendedRow) audit.Written {
	if row.EventID != entry.EventID && !bytes.Equal(row.ContentHash, entry.ContentHash[:]) {
		conflict := fmt.Sprintf("this %s is stored already with other content", entry.Kind)
		return audit.Written{Err: audit.Conflict(conflict)}
	}
	return audit.Written{
		Replayed: row.EventID != entry.EventID,
		ID:       row.ID,
		Receipt: audit.Receipt{
			EventID:    row.EventID,
			RecordedAt: row.RecordedAt,
			LeafHash:   [32]byte(row.LeafHash),
			Embedding:  row.Embedding,
		},
	}
}

// rememberSignatures notes which signatures are stored now, so that the next append does not send
// them.
func (a *attempt) rememberSignatures() {
	for i, entry := range a.entries {
		if entry.Kind == audit.KindRemediation && a.written[i].Err == nil {
			a.store.known.Add(entry.Signature.ID, struct{}{})
		}
	}
}

// forgetSignatures makes the next attempt send every signature.
func (a *attempt) forgetSignatures() {
	for _, signature := range a.changes.newSignatures() {
		a.store.known.Remove(signature.ID)
	}
	for _, entry := range a.entries {
		a.store.known.Remove(entry.Signature.ID)
	}
}
