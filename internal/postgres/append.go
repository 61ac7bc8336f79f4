package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// Vectors are the vectors of signatures, each as long as the store's model has dimensions.
type Vectors map[audit.ID][]float32

// check refuses vectors of different lengths: laid end to end they would be cut in the wrong places. Their length itself is judged
// by the database.
func (v Vectors) check() error {
	length := -1
	for id, vector := range v {
		if length >= 0 && len(vector) != length {
			return fmt.Errorf("the vector of signature %s has %d dimensions, another has %d", id, len(vector), length)
		}
		length = len(vector)
	}
	return nil
}

// Append writes entries in one transaction: records, signatures, the vectors given, and the journal, whatever the kinds and
// however many. New entries of one kind take one round trip, known ones a second; updates lock and read their rows first. A signature without a vector in
// vectors is stored without one unless the table has it.
//
// The results are in the order of the entries. With an error nothing is stored, or, when the connection broke at the worst
// moment, all of it: sending the same entries again finds out. An entry that the database refuses is stood apart by splitting the batch, and
// only then are several transactions used.
func (s *Store) Append(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]audit.Written, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	written, err := s.appendOrSplit(ctx, entries, vectors)
	reportDualWrites(ctx, entries, written, err)
	return written, err
}

func (s *Store) appendOrSplit(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]audit.Written, error) {
	if err := vectors.check(); err != nil {
		return nil, err
	}
	written, err := s.try(ctx, entries, vectors)
	if !errors.Is(err, audit.ErrRefused) {
		return written, err
	}
	if len(entries) == 1 {
		return []audit.Written{{Err: err}}, nil
	}
	return s.appendHalves(ctx, entries, vectors)
}

// try writes entries in one transaction, or none of them.
func (s *Store) try(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]audit.Written, error) {
	written, err := retry(ctx, "append", func(ctx context.Context) ([]audit.Written, error) {
		return s.append(ctx, entries, vectors)
	})
	if err != nil {
		return written, err
	}
	for i, entry := range entries {
		if entry.Kind == audit.KindRemediation && written[i].Err == nil {
			s.known.Add(entry.Signature.ID, struct{}{})
		}
	}
	return written, nil
}

// appendHalves splits a batch in the order in which one transaction writes it, so that no child is tried before its parent.
func (s *Store) appendHalves(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]audit.Written, error) {
	written := make([]audit.Written, len(entries))
	order := slices.Concat(group(entries)...)
	for half := range slices.Chunk(order, (len(order)+1)/2) {
		part := make([]audit.Entry, len(half))
		for i, place := range half {
			part[i] = entries[place]
		}
		became, err := s.appendOrSplit(ctx, part, vectors)
		if err != nil {
			return nil, err
		}
		for i, place := range half {
			written[place] = became[i]
		}
	}
	return written, nil
}

// attempt is one try at writing entries, in one transaction.
type attempt struct {
	store   *Store
	db      dbsqlc.DBTX
	entries []audit.Entry
	vectors Vectors
	written []audit.Written
	changes changes
}

func (s *Store) append(ctx context.Context, entries []audit.Entry, vectors Vectors) ([]audit.Written, error) {
	a := attempt{store: s, db: s.pool, entries: entries, vectors: vectors, written: make([]audit.Written, len(entries))}
	err := a.run(ctx)
	if signatureGone(err) {
		a.forget()
	}
	return a.written, err
}

func (a *attempt) run(ctx context.Context) error {
	groups := group(a.entries)
	if len(groups) == 1 && a.entries[0].Kind != audit.KindUpdate {
		// One statement is a transaction by itself.
		return a.append(ctx, groups[0])
	}
	return pgx.BeginTxFunc(ctx, a.store.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		a.db = tx
		return a.appendAll(ctx, groups)
	})
}

// forget makes the next attempt send all signatures.
func (a *attempt) forget() {
	for _, signature := range a.changes.signatures() {
		a.store.known.Remove(signature.ID)
	}
	for _, entry := range a.entries {
		a.store.known.Remove(entry.Signature.ID)
	}
}

// appendAll writes the groups in one transaction. What other writers may wait for is taken in the same order by each of them,
// each sorted: locks of updates, new remediations, vectors, signatures, children. So the updates are worked out first and
// written later, and their signatures go in with those of the new remediations.
func (a *attempt) appendAll(ctx context.Context, groups [][]int) error {
	if err := a.applyUpdates(ctx); err != nil {
		return err
	}
	for _, places := range groups {
		write := a.append
		if a.entries[places[0]].Kind == audit.KindUpdate {
			write = a.writeChanges
		}
		if err := write(ctx, places); err != nil {
			return err
		}
	}
	return nil
}

// group answers the places of the entries by kind, in the order in which they are written: parents before their children.
func group(entries []audit.Entry) [][]int {
	var groups [][]int
	for _, kind := range []audit.Kind{
		audit.KindRemediation, audit.KindUpdate, audit.KindAIAnalysis, audit.KindWorkflow, audit.KindExecution,
	} {
		if places := placesOf(kind, entries); places != nil {
			groups = append(groups, places)
		}
	}
	return groups
}

func placesOf(kind audit.Kind, entries []audit.Entry) []int {
	var places []int
	for place, entry := range entries {
		if entry.Kind == kind {
			places = append(places, place)
		}
	}
	return places
}

// append writes the entries at the places, all of one kind.
func (a *attempt) append(ctx context.Context, places []int) error {
	// Those that the statement says nothing about were known before, or stand twice in the batch, or lost a race against a
	// transaction that has committed by now: the journal has their receipts. What is left are children without a parent, unless it
	// has come in the meantime.
	for _, look := range []look{a.insert, a.receipts, a.insert} {
		rows, err := look(ctx, a.entries[places[0]].Kind, newBatch(a.entries, places))
		if err != nil {
			return err
		}
		if places = a.take(places, rows); len(places) == 0 {
			return nil
		}
	}
	for _, place := range places {
		a.written[place].Err = audit.ErrNotFound
	}
	return nil
}

// look runs a statement for entries of one kind.
type look func(context.Context, audit.Kind, batch) ([]dbsqlc.RemediationAppendRow, error)

// take fills in what became of the entries at the places, and answers the places that the rows say nothing about.
func (a *attempt) take(places []int, rows []dbsqlc.RemediationAppendRow) []int {
	byEvent := make(map[audit.ID]dbsqlc.RemediationAppendRow, len(rows))
	for _, row := range rows {
		byEvent[row.SentEventID] = row
	}
	var missing []int
	for _, place := range places {
		row, ok := byEvent[a.entries[place].EventID]
		if !ok {
			missing = append(missing, place)
			continue
		}
		a.written[place] = outcome(a.entries[place], row)
	}
	return missing
}

// outcome compares what was sent with what stands in the journal. The same event is this very write, though it may have needed a
// second attempt to learn so.
func outcome(entry audit.Entry, row dbsqlc.RemediationAppendRow) audit.Written {
	if row.EventID != entry.EventID && !bytes.Equal(row.ContentHash, entry.ContentHash[:]) {
		return audit.Written{Err: audit.Conflict(fmt.Sprintf("this %s is stored already with other content", entry.Kind))}
	}
	return audit.Written{
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

func (a *attempt) insert(ctx context.Context, kind audit.Kind, b batch) ([]dbsqlc.RemediationAppendRow, error) {
	queries, db := a.store.queries, a.db
	switch kind {
	case audit.KindRemediation:
		return a.insertRemediations(ctx, b)
	case audit.KindAIAnalysis:
		rows, err := queries.AIAnalysisAppend(ctx, db, dbsqlc.AIAnalysisAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.AIAnalysisAppendRow) childRow { return childRow(r) }), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowAppend(ctx, db, dbsqlc.WorkflowAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.WorkflowAppendRow) childRow { return childRow(r) }), err
	case audit.KindExecution:
		rows, err := queries.ExecutionAppend(ctx, db, dbsqlc.ExecutionAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return common(rows, func(r dbsqlc.ExecutionAppendRow) childRow { return childRow(r) }), err
	default:
		return nil, fmt.Errorf("append an entry of unknown kind %q", kind)
	}
}

// receipts answers what is stored under the keys of entries of one kind.
func (a *attempt) receipts(ctx context.Context, kind audit.Kind, b batch) ([]dbsqlc.RemediationAppendRow, error) {
	queries, db := a.store.queries, a.db
	switch kind {
	case audit.KindRemediation:
		rows, err := queries.RemediationReceipts(ctx, db, dbsqlc.RemediationReceiptsParams{Canonical: b.canonical})
		out := make([]dbsqlc.RemediationAppendRow, len(rows))
		for i, row := range rows {
			out[i] = dbsqlc.RemediationAppendRow(row)
		}
		return out, err
	case audit.KindAIAnalysis:
		rows, err := queries.AIAnalysisReceipts(ctx, db, dbsqlc.AIAnalysisReceiptsParams{Canonical: b.canonical})
		return common(rows, func(r dbsqlc.AIAnalysisReceiptsRow) childRow { return childRow(r) }), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowReceipts(ctx, db, dbsqlc.WorkflowReceiptsParams{Canonical: b.canonical})
		return common(rows, func(r dbsqlc.WorkflowReceiptsRow) childRow { return childRow(r) }), err
	case audit.KindExecution:
		rows, err := queries.ExecutionReceipts(ctx, db, dbsqlc.ExecutionReceiptsParams{Canonical: b.canonical})
		return common(rows, func(r dbsqlc.ExecutionReceiptsRow) childRow { return childRow(r) }), err
	default:
		return nil, fmt.Errorf("look for an entry of unknown kind %q", kind)
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

func (a *attempt) insertRemediations(ctx context.Context, b batch) ([]dbsqlc.RemediationAppendRow, error) {
	signatures := a.changes.signatures()
	ids := make([]audit.ID, len(b.entries))
	for i, entry := range b.entries {
		signatures = append(signatures, entry.Signature)
		ids[i] = entry.Signature.ID
	}
	distinct := newSignatureArrays(signatures, a.vectors, a.store.known.Contains)
	defer timeVectors(ctx, distinct.vectorIDs)()
	return a.store.queries.RemediationAppend(ctx, a.db, dbsqlc.RemediationAppendParams{
		Canonical:            b.canonical,
		ContentHash:          b.contentHash,
		Metadata:             b.metadata,
		SignatureID:          ids,
		Normalizer:           signature.Version,
		Analyzer:             lexical.Analyzer,
		NewSignatureID:       distinct.ids,
		NewSignatureIncident: distinct.incidents,
		NewSignatureText:     distinct.texts,
		NewSignatureTerms:    distinct.terms,
		NewSignatureCounts:   distinct.counts,
		NewSignatureLength:   distinct.lengths,
		VectorSignatureID:    distinct.vectorIDs,
		Vectors:              distinct.vectors,
		Model:                a.store.model,
	})
}

// signatureArrays holds each signature of a batch once, those that are known to be stored left out, and the vectors there are for all of
// them, one after the other.
type signatureArrays struct {
	ids       []audit.ID
	incidents []audit.ID
	texts     []string
	terms     []string
	counts    []string
	lengths   []int32
	vectorIDs []audit.ID
	vectors   []float32
}

func newSignatureArrays(signatures []audit.Signature, vectors Vectors, known func(audit.ID) bool) signatureArrays {
	// Empty arrays, not null: the statements take the length of them.
	arrays := signatureArrays{
		ids: []audit.ID{}, incidents: []audit.ID{}, texts: []string{}, terms: []string{}, counts: []string{}, lengths: []int32{}, vectorIDs: []audit.ID{},
		vectors: []float32{},
	}
	seen := make(map[audit.ID]bool, len(signatures))
	for _, signature := range signatures {
		if seen[signature.ID] {
			continue
		}
		seen[signature.ID] = true
		if !known(signature.ID) {
			arrays.add(signature)
		}
		if vector, ok := vectors[signature.ID]; ok {
			arrays.vectorIDs = append(arrays.vectorIDs, signature.ID)
			arrays.vectors = append(arrays.vectors, vector...)
		}
	}
	return arrays
}

func (a *signatureArrays) add(signature audit.Signature) {
	document := lexical.Analyze(signature.Text)
	a.ids = append(a.ids, signature.ID)
	a.incidents = append(a.incidents, signature.IncidentID)
	a.texts = append(a.texts, signature.Text)
	a.terms = append(a.terms, arrayText(document.Terms))
	a.counts = append(a.counts, arrayText(document.Counts))
	a.lengths = append(a.lengths, document.Length)
}
