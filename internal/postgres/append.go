package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// Vectors are the vectors of signatures, each as long as the store's model has dimensions.
type Vectors map[audit.ID][]float32

// Written is what became of one entry.
type Written struct {
	// Err is nil when the entry is stored, now or before. Else it is the reason, which concerns this entry alone: a
	// audit.Conflict, audit.ErrNotFound for a child or an update of an unknown remediation, audit.Faults, or audit.ErrRefused.
	Err error
	// Replayed says that the same content had been accepted before; the fields below are those of the first time.
	Replayed bool
	// ID is the number of the row.
	ID int64
	// Receipt names the journal entry; for a replayed update it is the zero value, since nothing was journaled.
	Receipt audit.Receipt
	// Remediation is the new state after an update, nil for other kinds.
	Remediation *audit.Stored
}

// Append writes entries in one transaction: records, signatures, the vectors given, and the journal, whatever the kinds and
// however many. Entries of one kind take one round trip; updates lock and read their rows first. A signature without a vector in
// vectors is stored without one unless the table has it.
//
// The results are in the order of the entries. With an error nothing is stored, or, when the connection broke at the worst
// moment, all of it: sending the same entries again finds out. An entry that the database refuses is stood apart by splitting the batch, and
// only then are several transactions used.
func (s *Store) Append(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]Written, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	written, err := retry(ctx, "append", func(ctx context.Context) ([]Written, error) {
		return s.append(ctx, entries, vectors)
	})
	if !errors.Is(err, audit.ErrRefused) {
		return written, err
	}
	if len(entries) == 1 {
		return []Written{{Err: err}}, nil
	}
	half := len(entries) / 2
	first, err := s.Append(ctx, entries[:half], vectors)
	if err != nil {
		return nil, err
	}
	second, err := s.Append(ctx, entries[half:], vectors)
	return append(first, second...), err
}

// append is one attempt.
func (s *Store) append(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]Written, error) {
	groups := group(entries)
	written := make([]Written, len(entries))
	if len(groups) == 1 && entries[0].Kind != audit.KindUpdate {
		// One statement is a transaction by itself.
		return written, s.appendGroup(ctx, s.pool, entries, groups[0], vectors, written)
	}
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		for _, places := range groups {
			if err := s.appendGroup(ctx, tx, entries, places, vectors, written); err != nil {
				return err
			}
		}
		return nil
	})
	return written, err
}

// group answers the places of the entries by kind: updates first, because their locks come before any insertion, then parents
// before their children.
func group(entries []audit.Entry) [][]int {
	var groups [][]int
	for _, kind := range []audit.Kind{
		audit.KindUpdate, audit.KindRemediation, audit.KindAIAnalysis, audit.KindWorkflow, audit.KindExecution,
	} {
		var places []int
		for place, entry := range entries {
			if entry.Kind == kind {
				places = append(places, place)
			}
		}
		if places != nil {
			groups = append(groups, places)
		}
	}
	return groups
}

func (s *Store) appendGroup(
	ctx context.Context, db dbsqlc.DBTX, entries []audit.Entry, places []int, vectors Vectors, written []Written,
) error {
	if entries[places[0]].Kind == audit.KindUpdate {
		return s.appendUpdates(ctx, db, entries, places, vectors, written)
	}
	missing, err := s.appendOnce(ctx, db, entries, places, vectors, written)
	if err != nil || len(missing) == 0 {
		return err
	}
	// Missing are those that lost a race against a transaction that has committed by now, those that stand twice in the batch, and
	// children without a parent. A second look sees the first two.
	missing, err = s.appendOnce(ctx, db, entries, missing, vectors, written)
	for _, place := range missing {
		written[place].Err = audit.ErrNotFound
	}
	return err
}

// appendOnce runs the statement of the entries' kind, fills in what became of them, and answers the places it says nothing about.
func (s *Store) appendOnce(
	ctx context.Context, db dbsqlc.DBTX, entries []audit.Entry, places []int, vectors Vectors, written []Written,
) ([]int, error) {
	batch := newBatch(entries, places)
	rows, err := s.insert(ctx, db, entries[places[0]].Kind, batch, vectors)
	if err != nil {
		return nil, err
	}
	byEvent := make(map[audit.ID]dbsqlc.RemediationAppendRow, len(rows))
	for _, row := range rows {
		byEvent[row.SentEventID] = row
	}
	var missing []int
	for _, place := range places {
		row, ok := byEvent[entries[place].EventID]
		if !ok {
			missing = append(missing, place)
			continue
		}
		written[place] = outcome(entries[place], row)
	}
	return missing, nil
}

// outcome compares what was sent with what stands in the journal. The same event is this very write, though it may have needed a
// second attempt to learn so.
func outcome(entry audit.Entry, row dbsqlc.RemediationAppendRow) Written {
	if row.EventID != entry.EventID && !bytes.Equal(row.ContentHash, entry.ContentHash[:]) {
		return Written{Err: audit.Conflict(fmt.Sprintf("this %s is stored already with other content", entry.Kind))}
	}
	return Written{
		Replayed: row.EventID != entry.EventID,
		ID:       row.ID,
		Receipt: audit.Receipt{
			EventID:    row.EventID,
			RecordedAt: row.RecordedAt,
			LeafHash:   [32]byte(row.LeafHash),
			Embedding:  audit.EmbeddingState(row.Embedding),
		},
	}
}

// batch is entries of one kind as the parallel arrays of the statements.
type batch struct {
	entries     []audit.Entry
	canonical   [][]byte
	contentHash [][]byte
	metadata    []string
}

func newBatch(entries []audit.Entry, places []int) batch {
	var b batch
	for _, place := range places {
		entry := entries[place]
		b.entries = append(b.entries, entry)
		b.canonical = append(b.canonical, entry.Canonical())
		b.contentHash = append(b.contentHash, entry.ContentHash[:])
		b.metadata = append(b.metadata, string(entry.Metadata))
	}
	return b
}

func (s *Store) insert(
	ctx context.Context, db dbsqlc.DBTX, kind audit.Kind, b batch, vectors Vectors,
) ([]dbsqlc.RemediationAppendRow, error) {
	switch kind {
	case audit.KindRemediation:
		return s.insertRemediations(ctx, db, b, vectors)
	case audit.KindAIAnalysis:
		rows, err := s.queries.AIAnalysisAppend(ctx, db, dbsqlc.AIAnalysisAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.AIAnalysisAppendRow) childRow { return childRow(r) }), err
	case audit.KindWorkflow:
		rows, err := s.queries.WorkflowAppend(ctx, db, dbsqlc.WorkflowAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.WorkflowAppendRow) childRow { return childRow(r) }), err
	case audit.KindExecution:
		rows, err := s.queries.ExecutionAppend(ctx, db, dbsqlc.ExecutionAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.ExecutionAppendRow) childRow { return childRow(r) }), err
	default:
		return nil, fmt.Errorf("append an entry of unknown kind %q", kind)
	}
}

// childRow is what the statements of all children answer.
type childRow = dbsqlc.ExecutionAppendRow

func common[T any](rows []T, as func(T) childRow) []dbsqlc.RemediationAppendRow {
	out := make([]dbsqlc.RemediationAppendRow, len(rows))
	for i, row := range rows {
		child := as(row)
		out[i] = dbsqlc.RemediationAppendRow{
			ID: child.ID, SentEventID: child.SentEventID, EventID: child.EventID, RecordedAt: child.RecordedAt,
			LeafHash: child.LeafHash, ContentHash: child.ContentHash,
		}
	}
	return out
}

func (s *Store) insertRemediations(
	ctx context.Context, db dbsqlc.DBTX, b batch, vectors Vectors,
) ([]dbsqlc.RemediationAppendRow, error) {
	signatures := make([]audit.Signature, len(b.entries))
	ids := make([]audit.ID, len(b.entries))
	for i, entry := range b.entries {
		signatures[i] = entry.Signature
		ids[i] = entry.Signature.ID
	}
	distinct := newSignatureArrays(signatures, vectors)
	return s.queries.RemediationAppend(ctx, db, dbsqlc.RemediationAppendParams{
		Canonical:         b.canonical,
		ContentHash:       b.contentHash,
		Metadata:          b.metadata,
		SignatureID:       ids,
		Normalizer:        audit.Normalizer,
		NewSignatureID:    distinct.ids,
		NewSignatureText:  distinct.texts,
		VectorSignatureID: distinct.vectorIDs,
		Vectors:           distinct.vectors,
		Model:             s.model,
	})
}

// signatureArrays holds each signature of a batch once, and the vectors there are for them, one after the other.
type signatureArrays struct {
	ids       []audit.ID
	texts     []string
	vectorIDs []audit.ID
	vectors   []float32
}

func newSignatureArrays(signatures []audit.Signature, vectors Vectors) signatureArrays {
	// Empty arrays, not null: the statements take the length of them.
	arrays := signatureArrays{ids: []audit.ID{}, texts: []string{}, vectorIDs: []audit.ID{}, vectors: []float32{}}
	seen := make(map[audit.ID]bool, len(signatures))
	for _, signature := range signatures {
		if seen[signature.ID] {
			continue
		}
		seen[signature.ID] = true
		arrays.ids = append(arrays.ids, signature.ID)
		arrays.texts = append(arrays.texts, signature.Text)
		if vector, ok := vectors[signature.ID]; ok {
			arrays.vectorIDs = append(arrays.vectorIDs, signature.ID)
			arrays.vectors = append(arrays.vectors, vector...)
		}
	}
	return arrays
}
