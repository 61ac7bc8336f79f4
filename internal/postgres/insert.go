package postgres

import (
	"context"
	"fmt"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/lexical"
	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// batch holds entries of one kind as the parallel arrays that the statements take.
type batch struct {
	entries     []audit.Entry
	canonical   [][]byte
	contentHash [][]byte
	metadata    []string
}

func newBatch(entries []audit.Entry, indexes []int) batch {
	var b batch
	for _, index := range indexes {
		entry := entries[index]
		b.entries = append(b.entries, entry)
		b.canonical = append(b.canonical, entry.Canonical())
		b.contentHash = append(b.contentHash, entry.ContentHash[:])
		b.metadata = append(b.metadata, string(entry.Metadata))
	}
	return b
}

// insertRecords writes entries of one kind and returns a row for each entry that it wrote.
func (a *attempt) insertRecords(ctx context.Context, kind audit.Kind, b batch) ([]dbsqlc.RemediationAppendRow, error) {
	queries, db := a.store.queries, a.db
	switch kind {
	case audit.KindRemediation:
		return a.insertRemediations(ctx, b)
	case audit.KindAIAnalysis:
		rows, err := queries.AIAnalysisAppend(ctx, db, dbsqlc.AIAnalysisAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return commonRows(rows, func(r dbsqlc.AIAnalysisAppendRow) childRow { return childRow(r) }), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowAppend(ctx, db, dbsqlc.WorkflowAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return commonRows(rows, func(r dbsqlc.WorkflowAppendRow) childRow { return childRow(r) }), err
	case audit.KindExecution:
		rows, err := queries.ExecutionAppend(ctx, db, dbsqlc.ExecutionAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return commonRows(rows, func(r dbsqlc.ExecutionAppendRow) childRow { return childRow(r) }), err
	default:
		return nil, fmt.Errorf("append an entry of unknown kind %q", kind)
	}
}

// findReceipts returns a row for each entry whose key is stored, regardless of who wrote it.
func (a *attempt) findReceipts(ctx context.Context, kind audit.Kind, b batch) ([]dbsqlc.RemediationAppendRow, error) {
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
		return commonRows(rows, func(r dbsqlc.AIAnalysisReceiptsRow) childRow { return childRow(r) }), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowReceipts(ctx, db, dbsqlc.WorkflowReceiptsParams{Canonical: b.canonical})
		return commonRows(rows, func(r dbsqlc.WorkflowReceiptsRow) childRow { return childRow(r) }), err
	case audit.KindExecution:
		rows, err := queries.ExecutionReceipts(ctx, db, dbsqlc.ExecutionReceiptsParams{Canonical: b.canonical})
		return commonRows(rows, func(r dbsqlc.ExecutionReceiptsRow) childRow { return childRow(r) }), err
	default:
		return nil, fmt.Errorf("look for an entry of unknown kind %q", kind)
	}
}

// childRow has the columns that the append statements of all children return.
type childRow = dbsqlc.ExecutionAppendRow

// commonRows converts rows of children to rows of remediations, with an empty embedding.
func commonRows[T any](rows []T, convert func(T) childRow) []dbsqlc.RemediationAppendRow {
	out := make([]dbsqlc.RemediationAppendRow, len(rows))
	for i, row := range rows {
		child := convert(row)
		out[i] = dbsqlc.RemediationAppendRow{
			ID: child.ID, SentEventID: child.SentEventID, EventID: child.EventID, RecordedAt: child.RecordedAt,
			LeafHash: child.LeafHash, ContentHash: child.ContentHash,
		}
	}
	return out
}

// insertRemediations writes remediations with their signatures and those of the updates.
func (a *attempt) insertRemediations(ctx context.Context, b batch) ([]dbsqlc.RemediationAppendRow, error) {
	signatures := a.changes.newSignatures()
	ids := make([]audit.ID, len(b.entries))
	for i, entry := range b.entries {
		signatures = append(signatures, entry.Signature)
		ids[i] = entry.Signature.ID
	}
	distinct := a.distinctSignatures(signatures)
	defer timeVectors(ctx, distinct.vectorIDs)()
	rows, err := a.store.queries.RemediationAppend(ctx, a.db, dbsqlc.RemediationAppendParams{
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
	if err != nil {
		return nil, err
	}
	return rows, a.changes.confirmCreated(rows)
}

// signatureArrays holds each signature once, except those known to be stored, and the concatenated
// vectors of all of them.
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

func (a *attempt) distinctSignatures(signatures []audit.Signature) signatureArrays {
	// Empty arrays, not null: the statements take their length.
	arrays := signatureArrays{
		ids: []audit.ID{}, incidents: []audit.ID{}, texts: []string{}, terms: []string{}, counts: []string{},
		lengths: []int32{}, vectorIDs: []audit.ID{}, vectors: []float32{},
	}
	seen := make(map[audit.ID]bool, len(signatures))
	for _, signature := range signatures {
		if seen[signature.ID] {
			continue
		}
		seen[signature.ID] = true
		if !a.store.known.Contains(signature.ID) {
			arrays.add(signature)
		}
		if vector, ok := a.options.Vectors[signature.ID]; ok {
			arrays.vectorIDs = append(arrays.vectorIDs, signature.ID)
			arrays.vectors = append(arrays.vectors, vector...)
		}
	}
	return arrays
}

func (a *signatureArrays) add(signature audit.Signature) {
	document := signature.Terms()
	a.ids = append(a.ids, signature.ID)
	a.incidents = append(a.incidents, signature.IncidentID)
	a.texts = append(a.texts, signature.Text)
	a.terms = append(a.terms, formatArray(document.Terms))
	a.counts = append(a.counts, formatArray(document.Counts))
	a.lengths = append(a.lengths, document.Length)
}
