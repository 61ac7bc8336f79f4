package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"
)

func newEntry(t *testing.T, record Record, actor string, now time.Time) Entry {
	t.Helper()
	e, err := NewEntry(record, actor, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestCanonicalIsRFC8785 compares the bytes of every kind of entry with another implementation of
// RFC 8785.
func TestCanonicalIsRFC8785(t *testing.T) {
	t.Parallel()
	record := validRemediation()
	record.ErrorMessage = new("naïve \"quoted\" <tag> \u2028 تعليق 😀\n")
	record.Metadata = `{"big":1700000000123456789,"e":1e21,"f":1.50,"z":-0.0,"é":[null,true,{"a":1}]}`
	records := []Record{
		&record,
		&Update{
			RemediationID: "r-1", Phase: new(PhaseFailed), ErrorMessage: Optional[string]{Set: true},
			EndTime: Optional[time.Time]{Set: true, Value: new(start)},
		},
		&AIAnalysis{RemediationID: "r-1", AnalysisID: "a", Provider: "p", Model: "m", ConfidenceScore: new(0.1), TokensUsed: new(int64(7)), Metadata: "{}"},
		&Workflow{RemediationID: "r-1", WorkflowID: "w", Phase: "completed", TotalSteps: 3, CompletedSteps: 2, StartTime: start, Metadata: "{}"},
		&Execution{RemediationID: "r-1", WorkflowID: "w", ExecutionID: "e", ActionType: "a", Success: true, StartTime: start, Metadata: "{}"},
	}
	for _, record := range records {
		canonical := newEntry(t, record, "arn:aws:iam::1:role/\"x\"", start).Canonical()
		again, err := jcs.Transform(canonical)
		if err != nil {
			t.Fatalf("%s: %v", canonical, err)
		}
		if diff := cmp.Diff(string(again), string(canonical)); diff != "" {
			t.Errorf("%T: %s", record, diff)
		}
	}
}

func TestCanonicalDistinguishesAllDigits(t *testing.T) {
	t.Parallel()
	one, other := validRemediation(), validRemediation()
	one.Metadata, other.Metadata = `{"n":9007199254740993}`, `{"n":9007199254740992}`
	first, second := newEntry(t, &one, "a", start), newEntry(t, &other, "a", start)
	if first.ContentHash == second.ContentHash {
		t.Error("two numbers with the same float64 have the same hash")
	}
	var document struct {
		Content struct {
			ExactNumbers map[string]string `json:"exact_numbers"`
		} `json:"content"`
	}
	if err := json.Unmarshal(first.Canonical(), &document); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/metadata/n": "9007199254740993"}
	if diff := cmp.Diff(want, document.Content.ExactNumbers); diff != "" {
		t.Error(diff)
	}
}

func TestContentHashIgnoresActorAndTime(t *testing.T) {
	t.Parallel()
	record := validRemediation()
	first := newEntry(t, &record, "a", start)
	later := newEntry(t, &record, "b", start.Add(time.Hour))
	if first.ContentHash != later.ContentHash {
		t.Error("the hash depends on the actor or the time")
	}
	if string(first.Canonical()) == string(later.Canonical()) || first.EventID == later.EventID {
		t.Error("two entries have the same bytes or the same ID")
	}
	changed := validRemediation()
	changed.Namespace = "shop2"
	if newEntry(t, &changed, "a", start).ContentHash == first.ContentHash {
		t.Error("different content has the same hash")
	}
	if want := sha256.Sum256(append([]byte{0}, first.Canonical()...)); LeafHash(first.Canonical()) != want {
		t.Error("the leaf hash is not the SHA-256 of a zero byte and the canonical bytes")
	}
}

func TestNewIDSortsByTime(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	last := ""
	for i := range 1000 {
		id := NewID(start.Add(time.Duration(i) * time.Millisecond))
		text := id.String()
		if text <= last || seen[id] || text[14] != '7' || (text[19] != '8' && text[19] != '9' && text[19] != 'a' && text[19] != 'b') {
			t.Fatalf("id %s after %s", text, last)
		}
		back, err := ParseID(text)
		if err != nil || back != id {
			t.Fatalf("%s was parsed as %s, %v", text, back, err)
		}
		seen[id], last = true, text
	}
	for _, text := range []string{"", "x", last + "0", last[:35] + "g", "0123456789012345678901234567890123456"} {
		if _, err := ParseID(text); !errors.Is(err, errNotUUID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
