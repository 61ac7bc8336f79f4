package audit

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

// Kind says what an entry of the journal is about.
type Kind string

// The kinds of entries.
const (
	KindRemediation Kind = "remediation"
	KindUpdate      Kind = "update"
	KindAIAnalysis  Kind = "ai_analysis"
	KindWorkflow    Kind = "workflow"
	KindExecution   Kind = "execution"
)

// Record is what an entry carries: *Remediation, *Update, *AIAnalysis, *Workflow or *Execution, checked.
type Record interface {
	entryKind() Kind
	remediationID() string
	metadataText() Metadata
	// writeFields writes the fields that were sent.
	writeFields(d *document)
}

// Entry is one write on its way to the journal. Its canonical bytes are the RFC 8785 text of
//
//	{"actor", "content": {"exact_numbers"?, "kind", "record", "remediation_id"}, "event_id", "recorded_at"}
//
// where record holds the fields that were sent, by the API's names. RFC 8785 writes numbers as 64-bit floating point; a number of
// the metadata that such a text would change is given digit for digit in exact_numbers, by its JSON Pointer within record.
type Entry struct {
	Kind          Kind
	RemediationID string
	Actor         string
	EventID       ID
	// RecordedAt is when the service accepted the write, to the microsecond.
	RecordedAt time.Time
	Record     Record
	// Metadata is the record's, with all digits; empty when an update leaves it alone.
	Metadata Metadata
	// Signature is the zero value but for a remediation.
	Signature Signature
	// ContentHash is SHA-256 over the canonical content: equal when the same is sent again by whomever and whenever.
	ContentHash [sha256.Size]byte

	content []byte
}

// NewEntry makes the entry of a checked record that actor sent at the given time.
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

// Canonical is the bytes that the journal keeps and hashes.
func (e Entry) Canonical() []byte {
	out := append(make([]byte, 0, len(e.content)+len(e.Actor)+128), `{"actor":`...)
	out = jcs.AppendQuote(out, e.Actor)
	out = append(append(out, `,"content":`...), e.content...)
	out = append(append(append(out, `,"event_id":"`...), e.EventID.String()...), `","recorded_at":"`...)
	return append(append(out, FormatTime(e.RecordedAt)...), `"}`...)
}

func canonicalContent(record Record) ([]byte, error) {
	fields := document{out: make([]byte, 0, 1024)}
	record.writeFields(&fields)
	if fields.err != nil {
		return nil, fmt.Errorf("write the canonical form: %w", fields.err)
	}
	out := make([]byte, 0, len(fields.out)+256)
	out = append(out, '{')
	if len(fields.inexact) > 0 {
		exact, err := jcs.Append(nil, fields.inexact)
		if err != nil {
			return nil, fmt.Errorf("write the exact numbers: %w", err)
		}
		out = append(append(append(out, `"exact_numbers":`...), exact...), ',')
	}
	out = jcs.AppendQuote(append(out, `"kind":`...), string(record.entryKind()))
	out = append(append(append(out, `,"record":{`...), fields.out...), '}')
	out, err := jcs.AppendString(append(out, `,"remediation_id":`...), record.remediationID())
	return append(out, '}'), err
}

// FormatTime is how times are written wherever the service writes them: RFC 3339 in UTC with six digits.
func FormatTime(t time.Time) string {
	return t.UTC().Format(timeLayout)
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

// EmbeddingState says whether a remediation's vector was there when it was recorded.
type EmbeddingState string

// The states of an embedding; empty where a record has none.
const (
	EmbeddingStored  EmbeddingState = "stored"
	EmbeddingPending EmbeddingState = "pending"
)

// Receipt names the journal entry of a write.
type Receipt struct {
	EventID    ID
	RecordedAt time.Time
	LeafHash   [sha256.Size]byte
	Embedding  EmbeddingState
}

// HistoryEntry is one row of the journal as it is read back.
type HistoryEntry struct {
	Kind       Kind
	Actor      string
	EventID    ID
	RecordedAt time.Time
	LeafHash   [sha256.Size]byte
	// Canonical is the exact text that LeafHash was computed from.
	Canonical string
}

// IncidentEvent is a row of the incident_events view. Pointers are nil and Embedding is empty where there is no value.
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

// LeafHash is the Merkle tree leaf hash of canonical bytes (RFC 6962, section 2.1): SHA-256(0x00 ‖ canonical).
func LeafHash(canonical []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(canonical)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}
