package postgres_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// journalRow is a row of audit_event.
type journalRow struct {
	EventID       string
	RecordedAt    time.Time
	Kind          string
	RemediationID string
	Actor         string
	Canonical     []byte
	LeafHash      []byte
	ContentHash   []byte
}

// document is the decoded canonical text.
type document struct {
	Actor   string `json:"actor"`
	Content struct {
		ExactNumbers  map[string]string `json:"exact_numbers"`
		Kind          string            `json:"kind"`
		Record        map[string]any    `json:"record"`
		RemediationID string            `json:"remediation_id"`
	} `json:"content"`
	EventID    string `json:"event_id"`
	RecordedAt string `json:"recorded_at"`
}

func readJournal(tb testing.TB, db *postgrestest.Database) []journalRow {
	tb.Helper()
	found, err := connectTo(tb, db.ReaderURL()).Query(tb.Context(), `SELECT event_id::text, recorded_at, kind, remediation_id, actor,
		canonical, leaf_hash, content_hash FROM audit_event ORDER BY recorded_at, event_id`)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[journalRow])
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// checkJournal verifies the journal: hashes that a reader can recompute, columns that agree with
// the canonical text, one creation for each row of the tables, and changes that, applied in the
// journal's order, yield the rows of the tables.
func checkJournal(tb testing.TB, db *postgrestest.Database) {
	tb.Helper()
	states := map[string]map[string]any{}
	last := map[string]time.Time{}
	for _, row := range readJournal(tb, db) {
		doc := checkRow(tb, row)
		key := row.Kind + " " + row.EventID
		switch row.Kind {
		case "update":
			key = "remediation " + row.RemediationID
			if !row.RecordedAt.After(last[key]) {
				tb.Errorf("%s: changes at %s and %s", key, last[key], row.RecordedAt)
			}
		case "remediation":
			key = "remediation " + row.RemediationID
			if states[key] != nil {
				tb.Errorf("%s was created twice", key)
			}
		}
		last[key] = row.RecordedAt
		states[key] = applyRecord(states[key], doc.Content.Record)
	}
	compareTables(tb, db, states)
}

func checkRow(tb testing.TB, row journalRow) document {
	tb.Helper()
	if leaf := audit.LeafHash(row.Canonical); !bytes.Equal(leaf[:], row.LeafHash) {
		tb.Errorf("leaf hash of %s is %x, recomputed %x", row.EventID, row.LeafHash, leaf)
	}
	var doc document
	var parts struct{ Content json.RawMessage }
	if err := json.Unmarshal(row.Canonical, &doc); err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(row.Canonical, &parts); err != nil {
		tb.Fatal(err)
	}
	if hash := sha256.Sum256(parts.Content); !bytes.Equal(hash[:], row.ContentHash) {
		tb.Errorf("content hash of %s is %x, recomputed %x", row.EventID, row.ContentHash, hash)
	}
	canonical := []string{doc.EventID, doc.RecordedAt, doc.Content.Kind, doc.Content.RemediationID, doc.Actor}
	columns := []string{row.EventID, audit.FormatTime(row.RecordedAt), row.Kind, row.RemediationID, row.Actor}
	if diff := cmp.Diff(canonical, columns); diff != "" {
		tb.Errorf("the canonical bytes and the columns differ (-canonical +columns):\n%s", diff)
	}
	return doc
}

// applyRecord applies an update to a state: a null clears a field, and an end time sets the
// duration.
func applyRecord(state, record map[string]any) map[string]any {
	if state == nil {
		return record
	}
	for field, value := range record {
		if field == "end_time" {
			delete(state, "duration_ms")
		}
		if value == nil {
			delete(state, field)
			continue
		}
		state[field] = value
	}
	if end, ok := state["end_time"].(string); ok {
		state["duration_ms"] = float64(parseTime(end).Sub(parseTime(state["start_time"].(string))) / time.Millisecond)
	}
	return state
}

func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// housekeeping are columns that are not fields of a record.
var housekeeping = []string{"id", "remediation_id", "signature_id", "actor", "event_id", "created_at", "updated_at"}

func compareTables(tb testing.TB, db *postgrestest.Database, states map[string]map[string]any) {
	tb.Helper()
	stored := map[string]map[string]any{}
	for kind, table := range map[string]string{
		"remediation": "remediation_audit", "ai_analysis": "ai_analysis_audit", "workflow": "workflow_audit",
		"execution": "execution_audit",
	} {
		for _, row := range queryRows[string](tb, db.ReaderURL(), "SELECT row_to_json(t)::text FROM "+table+" AS t") {
			var columns map[string]any
			if err := json.Unmarshal([]byte(row), &columns); err != nil {
				tb.Fatal(err)
			}
			key := fmt.Sprintf("%s %s", kind, columns["event_id"])
			if kind == "remediation" {
				key = fmt.Sprintf("%s %s", kind, columns["remediation_id"])
			}
			stored[key] = fieldsOf(columns)
		}
	}
	if diff := cmp.Diff(states, stored, cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("the journal and the tables differ (-journal +tables):\n%.4000s", diff)
	}
}

// fieldsOf returns the columns that the record set, formatted like the canonical text.
func fieldsOf(columns map[string]any) map[string]any {
	for _, column := range housekeeping {
		delete(columns, column)
	}
	for column, value := range columns {
		text, isText := value.(string)
		switch {
		case value == nil:
			delete(columns, column)
		case isText && (column == "start_time" || column == "end_time"):
			columns[column] = audit.FormatTime(parseTime(text))
		}
	}
	return columns
}
