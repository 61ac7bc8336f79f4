package postgres

import (
	"context"
	"fmt"
	"time"

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

// appendedRow is the outcome of an entry.
type appendedRow struct {
	journaledRow
	Embedding audit.EmbeddingState // empty for children
}

// journaledRow is the record of an entry, by the event ID that was sent, and the journal entry that
// created it: the columns that the statements of all children return.
type journaledRow struct {
	ID          int64
	SentEventID audit.ID
	EventID     audit.ID
	RecordedAt  time.Time
	LeafHash    []byte
	ContentHash []byte
}

// insertRecords writes entries of one kind and returns a row for each entry that it wrote.
func (a *attempt) insertRecords(ctx context.Context, kind audit.Kind, b batch) ([]appendedRow, error) {
	queries, db := a.store.queries, a.db
	switch kind {
	case audit.KindRemediation:
		return a.insertRemediations(ctx, b)
	case audit.KindAIAnalysis:
		rows, err := queries.AIAnalysisAppend(ctx, db, dbsqlc.AIAnalysisAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return childRows(rows), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowAppend(ctx, db, dbsqlc.WorkflowAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return childRows(rows), err
	case audit.KindExecution:
		rows, err := queries.ExecutionAppend(ctx, db, dbsqlc.ExecutionAppendParams{
			Canonical: b.canonical, ContentHash: b.contentHash, Metadata: b.metadata,
		})
		return childRows(rows), err
	default:
		return nil, fmt.Errorf("append an entry of unknown kind %q", kind)
	}
}

// findReceipts returns a row for each entry whose key is stored, regardless of who wrote it.
func (a *attempt) findReceipts(ctx context.Context, kind audit.Kind, b batch) ([]appendedRow, error) {
	queries, db := a.store.queries, a.db
	switch kind {
	case audit.KindRemediation:
		rows, err := queries.RemediationReceipts(ctx, db, dbsqlc.RemediationReceiptsParams{Canonical: b.canonical})
		return remediationRows(rows), err
	case audit.KindAIAnalysis:
		rows, err := queries.AIAnalysisReceipts(ctx, db, dbsqlc.AIAnalysisReceiptsParams{Canonical: b.canonical})
		return childRows(rows), err
	case audit.KindWorkflow:
		rows, err := queries.WorkflowReceipts(ctx, db, dbsqlc.WorkflowReceiptsParams{Canonical: b.canonical})
		return childRows(rows), err
	case audit.KindExecution:
		rows, err := queries.ExecutionReceipts(ctx, db, dbsqlc.ExecutionReceiptsParams{Canonical: b.canonical})
		return childRows(rows), err
	default:
		return nil, fmt.Errorf("look for an entry of unknown kind %q", kind)
	}
}

// childRow is a row that a statement of children returns.
type childRow interface {
	dbsqlc.AIAnalysisAppendRow | dbsqlc.WorkflowAppendRow | dbsqlc.ExecutionAppendRow |
		dbsqlc.AIAnalysisReceiptsRow | dbsqlc.WorkflowReceiptsRow | dbsqlc.ExecutionReceiptsRow
}

func childRows[R childRow](rows []R) []appendedRow {
	appended := make([]appendedRow, len(rows))
	for i, row := range rows {
		appended[i] = appendedRow{journaledRow: journaledRow(row)}
	}
	return appended
}

func remediationRows(rows []dbsqlc.RemediationReceiptsRow) []appendedRow {
	appended := make([]appendedRow, len(rows))
	for i, row := range rows {
		appended[i] = appendedRow{
			journaledRow: journaledRow{row.ID, row.SentEventID, row.EventID, row.RecordedAt, row.LeafHash, row.ContentHash},
			Embedding:    audit.EmbeddingState(row.Embedding),
		}
	}
	return appended
}

// insertRemediations writes remediations with their signatures and those of the updates.
func (a *attempt) insertRemediations(ctx context.Context, b batch) ([]appendedRow, error) {
	signatures := a.changes.newSignatures()
	for _, entry := range b.entries {
		signatures = append(signatures, entry.Signature)
	}
	distinct := a.distinctSignatures(signatures)
	if len(b.entries) == 1 && len(distinct.ids) == 0 && len(distinct.vectorIDs) == 0 {
		return a.insertKnown(ctx, b)
	}
	defer timeVectors(ctx, distinct.vectorIDs)()
	params, err := b.remediationArrays()
	if err != nil {
		return nil, err
	}
	params.Normalizer, params.Analyzer = signature.Version, lexical.Analyzer
	params.NewSignatureIds, params.NewSignatureIncidents = distinct.ids, distinct.incidents
	params.NewSignatureTexts, params.NewSignatureTerms = distinct.texts, distinct.terms
	params.NewSignatureCounts, params.NewSignatureLengths = distinct.counts, distinct.lengths
	params.VectorSignatureIds, params.Vectors, params.Model = distinct.vectorIDs, distinct.vectors, a.store.model
	written, err := a.store.queries.RemediationAppend(ctx, a.db, params)
	if err != nil {
		return nil, err
	}
	index := make(map[audit.ID]int, len(b.entries))
	for i, entry := range b.entries {
		index[entry.EventID] = i
	}
	rows := make([]appendedRow, len(written))
	for i, w := range written {
		rows[i] = b.writtenRow(index[w.EventID], w.ID, audit.EmbeddingState(w.Embedding))
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

// remediationArrays returns the remediations as the parallel arrays that RemediationAppend takes.
func (b batch) remediationArrays() (dbsqlc.RemediationAppendParams, error) {
	params := dbsqlc.RemediationAppendParams{Canonical: b.canonical, ContentHashes: b.contentHash, Metadata: b.metadata}
	for i, entry := range b.entries {
		r, err := b.remediation(i)
		if err != nil {
			return params, err
		}
		params.EventIds = append(params.EventIds, entry.EventID)
		params.RecordedAt = append(params.RecordedAt, entry.RecordedAt)
		params.Actors = append(params.Actors, entry.Actor)
		params.RemediationIds = append(params.RemediationIds, r.RemediationID)
		params.Names = append(params.Names, r.Name)
		params.Namespaces = append(params.Namespaces, r.Namespace)
		params.ClusterNames = append(params.ClusterNames, r.ClusterName)
		params.Environments = append(params.Environments, (*string)(r.Environment))
		params.Severities = append(params.Severities, string(r.Severity))
		params.AlertFingerprints = append(params.AlertFingerprints, r.AlertFingerprint)
		params.ActionTypes = append(params.ActionTypes, r.ActionType)
		params.TargetResources = append(params.TargetResources, r.TargetResource)
		params.Phases = append(params.Phases, string(r.Phase))
		params.Statuses = append(params.Statuses, string(r.Status))
		params.StartTimes = append(params.StartTimes, r.StartTime)
		params.EndTimes = append(params.EndTimes, r.EndTime)
		params.DurationsMs = append(params.DurationsMs, r.DurationMS)
		params.ErrorMessages = append(params.ErrorMessages, r.ErrorMessage)
		params.WorkflowYamls = append(params.WorkflowYamls, r.WorkflowYAML)
		params.SignatureIds = append(params.SignatureIds, entry.Signature.ID)
	}
	return params, nil
}

// remediation returns the record of the entry at the index.
func (b batch) remediation(index int) (*audit.Remediation, error) {
	remediation, ok := b.entries[index].Record.(*audit.Remediation)
	if !ok {
		return nil, fmt.Errorf("a remediation entry carries a %T", b.entries[index].Record)
	}
	return remediation, nil
}

// writtenRow is the outcome of the entry at the index if this write created its record.
func (b batch) writtenRow(index int, id int64, embedding audit.EmbeddingState) appendedRow {
	entry, hash := b.entries[index], audit.LeafHash(b.canonical[index])
	return appendedRow{
		journaledRow: journaledRow{id, entry.EventID, entry.EventID, entry.RecordedAt, hash[:], b.contentHash[index]},
		Embedding:    embedding,
	}
}

// insertKnown writes one remediation whose signature is stored.
func (a *attempt) insertKnown(ctx context.Context, b batch) ([]appendedRow, error) {
	entry := b.entries[0]
	r, err := b.remediation(0)
	if err != nil {
		return nil, err
	}
	written, err := a.store.queries.RemediationAppendKnown(ctx, a.db, dbsqlc.RemediationAppendKnownParams{
		EventID:          entry.EventID,
		RecordedAt:       entry.RecordedAt,
		Actor:            entry.Actor,
		Canonical:        b.canonical[0],
		ContentHash:      b.contentHash[0],
		RemediationID:    r.RemediationID,
		Name:             r.Name,
		Namespace:        r.Namespace,
		ClusterName:      r.ClusterName,
		Environment:      (*string)(r.Environment),
		Severity:         string(r.Severity),
		AlertFingerprint: r.AlertFingerprint,
		ActionType:       r.ActionType,
		TargetResource:   r.TargetResource,
		Phase:            string(r.Phase),
		Status:           string(r.Status),
		StartTime:        r.StartTime,
		EndTime:          r.EndTime,
		DurationMs:       r.DurationMS,
		ErrorMessage:     r.ErrorMessage,
		WorkflowYaml:     r.WorkflowYAML,
		Metadata:         string(r.Metadata),
		SignatureID:      entry.Signature.ID,
		Model:            a.store.model,
	})
	if err != nil || len(written) == 0 {
		return nil, err
	}
	state := audit.EmbeddingPending
	if written[1] > 0 {
		state = audit.EmbeddingStored
	}
	rows := []appendedRow{b.writtenRow(0, written[0], state)}
	return rows, a.changes.confirmCreated(rows)
}
