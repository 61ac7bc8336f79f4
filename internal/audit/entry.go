package audit

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

// Kind is the type of record in a journal entry.
type Kind string

// The kinds of journal entries.
const (
	KindRemediation Kind = "remediation"
	KindUpdate      Kind = "update"
	KindAIAnalysis  Kind = "ai_analysis"
	KindWorkflow    Kind = "workflow"
	KindExecution   Kind = "execution"
)

// Record is the content of a journal entry: a checked *Remediation, *Update, *AIAnalysis, *Workflow
// or *Execution.
type Record interface {
	entryKind() Kind
	remediationID() string
	metadataText() Metadata
	// writeFields writes the fields that the request contained.
	writeFields(d *document)
}

// Entry is one write to be stored and journaled. Its canonical bytes are the RFC 8785 form of
//
//	{"actor", "content": {"exact_numbers"?, "kind", "record", "remediation_id"}, "event_id", "recorded_at"}
//
// where record has the fields that the request contained, under the API's names. RFC 8785 writes
// numbers as 64-bit floating point; exact_numbers has the original digits of each metadata number
// that this changes, by JSON Pointer within record.
type Entry struct {
	Kind          Kind
	RemediationID string
	Actor         string
	EventID       ID
	// RecordedAt is when the service accepted the write, to the microsecond.
	RecordedAt time.Time
	Record     Record
	// Metadata is the record's metadata, empty if an update does not change it.
	Metadata Metadata
	// Signature is set for a remediation only.
	Signature Signature
	// ContentHash is the SHA-256 of the canonical content. It depends on neither actor nor time, so
	// it identifies a repeated write.
	ContentHash [sha256.Size]byte

	content []byte
}

// NewEntry returns the journal entry for a checked record that actor sent. Its event ID and
// RecordedAt are derived from now.
func NewEntry(record Record, actor string, now time.Time) (Entry, error) {
	content, err := canonicalContent(record)
	if err != nil {
		return Entry{}, err
	}
	now = Microseconds(now)
	entry := Entry{
		Kind:          record.entryKind(),
		RemediationID: record.remediationID(),
		Actor:         actor,
		EventID:       NewID(now),
		RecordedAt:    now,
		Record:        record,
		Metadata:      record.metadataText(),
		ContentHash:   sha256.Sum256(content),
		content:       content,
	}
	if remediation, ok := record.(*Remediation); ok {
		entry.Signature = remediation.Signature()
	}
	return entry, nil
}

// Canonical returns the bytes that the journal stores and hashes.
func (e Entry) Canonical() []byte {
	out := append(make([]byte, 0, len(e.content)+len(e.Actor)+128), `{"actor":`...)
	out = jcs.AppendQuote(out, e.Actor)
	out = append(append(out, `,"content":`...), e.content...)
	out = append(append(append(out, `,"event_id":"`...), e.EventID.String()...), `","recorded_at":"`...)
	return append(append(out, FormatTime(e.RecordedAt)...), `"}`...)
}

func canonicalContent(record Record) ([]byte, error) {
	fields := document{out: append(make([]byte, 0, 2048), `{"kind":`...)}
	fields.out = append(jcs.AppendQuote(fields.out, string(record.entryKind())), `,"record":{`...)
	record.writeFields(&fields)
	if fields.err != nil {
		return nil, fmt.Errorf("write the canonical form: %w", fields.err)
	}
	out, err := jcs.AppendString(append(fields.out, `},"remediation_id":`...), record.remediationID())
	if err != nil || len(fields.inexact) == 0 {
		return append(out, '}'), err
	}
	exact, err := jcs.Append([]byte(`"exact_numbers":`), fields.inexact)
	if err != nil {
		return nil, fmt.Errorf("write the exact numbers: %w", err)
	}
	return append(slices.Insert(out, len("{"), append(exact, ',')...), '}'), nil
}

// FormatTime formats t as RFC 3339 in UTC with microseconds, the format of all times in the
// service.
func FormatTime(t time.Time) string {
	return t.UTC().Format(timeLayout)
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

// EmbeddingState is the state of the signature's vector at the time the remediation was stored.
type EmbeddingState string

// The embedding states; empty for records without a signature.
const (
	EmbeddingStored  EmbeddingState = "stored"
	EmbeddingPending EmbeddingState = "pending"
)

// Receipt identifies the journal entry of a write.
type Receipt struct {
	EventID    ID
	RecordedAt time.Time
	LeafHash   [sha256.Size]byte
	Embedding  EmbeddingState
}

// HistoryEntry is one journal entry read from the store.
type HistoryEntry struct {
	Kind       Kind
	Actor      string
	EventID    ID
	RecordedAt time.Time
	LeafHash   [sha256.Size]byte
	// Canonical is the exact text whose hash is LeafHash.
	Canonical string
}

// IncidentEvent is a row of the incident_events view. Embedding is empty if the signature has no
// vector yet.
type IncidentEvent struct {
	ID             int64
	RemediationID  string
	AlertName      string
	Namespace      string
	PodName        *string
	WorkflowStatus Status
	WorkflowYAML   *string
	ErrorMessage   *string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	Embedding      []float32
}

// LeafHash returns the Merkle tree leaf hash of canonical bytes (RFC 6962, section 2.1):
// SHA-256(0x00 ‖ canonical).
func LeafHash(canonical []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(canonical)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}
