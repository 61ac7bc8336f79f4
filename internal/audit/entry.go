package audit

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
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
	kind() Kind
	key() string
	metadata() Metadata
	document() document
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
		Kind:          record.kind(),
		RemediationID: record.key(),
		Actor:         actor,
		EventID:       NewID(now),
		RecordedAt:    now,
		Record:        record,
		Metadata:      record.metadata(),
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
	out := append([]byte(nil), `{"actor":`...)
	out = appendCanonicalString(out, e.Actor)
	out = append(append(out, `,"content":`...), e.content...)
	out = append(append(append(out, `,"event_id":"`...), e.EventID.String()...), `","recorded_at":"`...)
	return append(append(out, FormatTime(e.RecordedAt)...), `"}`...)
}

func canonicalContent(record Record) ([]byte, error) {
	fields := record.document()
	if metadata := record.metadata(); metadata != "" {
		tree, err := metadata.tree()
		if err != nil {
			return nil, err
		}
		fields["metadata"] = tree
	}
	content := map[string]any{
		"kind":           string(record.kind()),
		"record":         map[string]any(fields),
		"remediation_id": record.key(),
	}
	if exact := InexactNumbers(map[string]any(fields)); len(exact) > 0 {
		content["exact_numbers"] = asTree(exact)
	}
	canonical, err := Canonical(content)
	if err != nil {
		return nil, fmt.Errorf("write the canonical form: %w", err)
	}
	return canonical, nil
}

func asTree(texts map[string]string) map[string]any {
	tree := make(map[string]any, len(texts))
	for key, text := range texts {
		tree[key] = text
	}
	return tree
}

// FormatTime is how times are written wherever the service writes them: RFC 3339 in UTC with six digits.
func FormatTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// document is a record's fields as a JSON tree; absent fields have no member.
type document map[string]any

func (d document) text(field, value string) { d[field] = value }

func (d document) optional(field string, value *string) {
	if value != nil {
		d[field] = *value
	}
}

func (d document) null(field string, is bool) {
	if is {
		d[field] = nil
	}
}

func (d document) time(field string, t *time.Time) {
	if t != nil {
		d[field] = FormatTime(*t)
	}
}

func (d document) integer(field string, n *int64) {
	if n != nil {
		d[field] = json.Number(strconv.FormatInt(*n, 10))
	}
}

func (d document) number(field string, f *float64) {
	if f != nil {
		d[field] = json.Number(strconv.FormatFloat(*f, 'g', -1, 64))
	}
}

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
