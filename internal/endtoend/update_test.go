package endtoend_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/endtoend"
)

// TestPhases tries every transition. Skipping forward is allowed; going back, and
// changing a completed remediation, is not.
func TestPhases(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	const changed, replayed, conflict = "changed", "replayed", "conflict"
	for from, ways := range map[client.Phase]map[client.Phase]string{
		client.PhasePending: {
			client.PhasePending: replayed, client.PhaseProcessing: changed, client.PhaseCompleted: changed, client.PhaseFailed: changed,
		},
		client.PhaseProcessing: {
			client.PhasePending: conflict, client.PhaseProcessing: replayed, client.PhaseCompleted: changed, client.PhaseFailed: changed,
		},
		client.PhaseCompleted: {
			client.PhasePending: conflict, client.PhaseProcessing: conflict, client.PhaseCompleted: replayed,
			client.PhaseFailed: conflict,
		},
		client.PhaseFailed: {
			client.PhasePending: conflict, client.PhaseProcessing: conflict, client.PhaseCompleted: conflict,
			client.PhaseFailed: replayed,
		},
	} {
		for to, want := range ways {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				t.Parallel()
				record := minimalRecord(fmt.Sprintf("%s to %s", from, to))
				record.Phase = from
				createRecord(t, stack, record)
				updated, err := stack.Client.UpdateRemediation(t.Context(), record.RemediationID, client.RemediationUpdate{Phase: &to})
				got, phase := changed, to
				switch {
				case errors.Is(err, client.ErrConflict):
					got, phase = conflict, from
				case err != nil:
					t.Fatal(err)
				case updated.Replayed:
					got = replayed
				}
				if got != want {
					t.Errorf("%s, want %s", got, want)
				}
				wantJournal(t, stack, record.RemediationID, map[string]int{changed: 2}[got]+map[string]int{replayed: 1, conflict: 1}[got])
				if now, err := stack.Client.GetRemediation(t.Context(), record.RemediationID); err != nil || now.Phase != phase {
					t.Errorf("phase %s %v, want %s", now.Phase, err, phase)
				}
			})
		}
	}
}

func wantJournal(t *testing.T, stack *endtoend.Stack, id string, want int) {
	t.Helper()
	history, err := stack.Client.History(t.Context(), id, client.GetHistoryParams{})
	if err != nil {
		t.Fatal(err)
	}
	if len(history.Data) != want {
		t.Errorf("%d journal entries, want %d", len(history.Data), want)
	}
}

// updateCase is an update and its effect on the fields of a remediation.
type updateCase struct {
	update client.RemediationUpdate
	want   func(*client.Remediation)
}

// updateCases change each field on its own, and all together.
func updateCases() map[string]updateCase {
	type update = client.RemediationUpdate
	type stored = client.Remediation
	end := start.Add(90*time.Second + 500*time.Microsecond)
	none := client.Null[string]()
	return map[string]updateCase{
		"status":                {update{Status: new(client.StatusFailure)}, func(r *stored) { r.Status = client.StatusFailure }},
		"end_time":              {update{EndTime: client.Set(end)}, func(r *stored) { r.EndTime, r.DurationMS = &end, new(int64(90_000)) }},
		"end_time cleared":      {update{EndTime: client.Null[time.Time]()}, func(r *stored) { r.EndTime, r.DurationMS = nil, nil }},
		"error_message":         {newMessage(unicode), func(r *stored) { r.ErrorMessage = new(unicode) }},
		"error_message emptied": {newMessage(""), func(r *stored) { r.ErrorMessage = new("") }},
		"error_message cleared": {update{ErrorMessage: none}, func(r *stored) { r.ErrorMessage = nil }},
		"workflow_yaml":         {update{WorkflowYAML: client.Set("steps: []\n")}, func(r *stored) { r.WorkflowYAML = new("steps: []\n") }},
		"workflow_yaml cleared": {update{WorkflowYAML: none}, func(r *stored) { r.WorkflowYAML = nil }},
		"metadata":              {update{Metadata: []byte(`{"n":0.100}`)}, func(r *stored) { r.Metadata = []byte(`{"n":0.100}`) }},
		"metadata emptied":      {update{Metadata: []byte(`{}`)}, func(r *stored) { r.Metadata = []byte(`{}`) }},
		"all": {
			update{
				Phase: new(client.PhaseCompleted), Status: new(client.StatusSuccess), EndTime: client.Set(end),
				ErrorMessage: none, WorkflowYAML: client.Set("x"), Metadata: []byte(`{"done":true}`),
			},
			func(r *stored) {
				r.Phase, r.Status, r.EndTime, r.DurationMS = client.PhaseCompleted, client.StatusSuccess, &end, new(int64(90_000))
				r.ErrorMessage, r.WorkflowYAML, r.Metadata = nil, new("x"), []byte(`{"done":true}`)
			},
		},
	}
}

// TestUpdateFields checks that omitted fields stay, that null clears, and that a repeated
// update is a replay that is not journaled.
func TestUpdateFields(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	for name, c := range updateCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := fullRecord(name)
			want := storedRemediation(record, createRecord(t, stack, record).Receipt)
			c.want(&want)
			updated, err := stack.Client.UpdateRemediation(t.Context(), name, c.update)
			if err != nil || updated.Replayed {
				t.Fatal(updated, err)
			}
			if !updated.UpdatedAt.After(updated.CreatedAt) {
				t.Errorf("updated_at %v is not after created_at %v", updated.UpdatedAt, updated.CreatedAt)
			}
			want.UpdatedAt = updated.UpdatedAt
			if diff := gocmp.Diff(want, updated.Remediation, sameMetadata(), ignoreSignature()); diff != "" {
				t.Errorf("response:\n%s", diff)
			}
			checkReplay(t, stack, c.update, updated.Remediation)
			wantJournal(t, stack, name, 2)
		})
	}
}

// checkReplay sends an update again, and checks that nothing changes.
func checkReplay(t *testing.T, stack *endtoend.Stack, update client.RemediationUpdate, updated client.Remediation) {
	t.Helper()
	again, err := stack.Client.UpdateRemediation(t.Context(), updated.RemediationID, update)
	if err != nil || !again.Replayed {
		t.Fatalf("the same again: %+v %v", again, err)
	}
	if diff := gocmp.Diff(updated, again.Remediation, sameMetadata()); diff != "" {
		t.Errorf("response to the same update again:\n%s", diff)
	}
	got, err := stack.Client.GetRemediation(t.Context(), updated.RemediationID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(updated, got.Remediation, sameMetadata()); diff != "" {
		t.Errorf("read afterwards:\n%s", diff)
	}
}

// TestUpdateMovesToAnotherSignature checks that a new error message moves the remediation to another incident,
// with a vector, that search finds.
func TestUpdateMovesToAnotherSignature(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	record := minimalRecord("r")
	record.ErrorMessage = new("disk is full")
	createRecord(t, stack, record)
	before, err := stack.Client.GetRemediation(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	updated, err := stack.Client.UpdateRemediation(t.Context(), "r", newMessage("certificate has expired"))
	if err != nil {
		t.Fatal(err)
	}
	if updated.SignatureID == before.SignatureID {
		t.Error("the signature is the same")
	}
	found := searchIncidents(t, stack, client.SearchInput{Query: "certificate has expired"})
	if len(found) != 1 || found[0].SignatureID != updated.SignatureID || found[0].Occurrences != 1 {
		t.Errorf("found %+v, want the new signature alone", found)
	}
	if n := queryValue[int](t, stack.Database.ReaderURL(), "SELECT count(*) FROM embedding"); n != 2 {
		t.Errorf("%d vectors, want one for each signature", n)
	}
}

// TestReplayAfterUpdate checks that a repeated create is still a replay after the remediation was updated.
func TestReplayAfterUpdate(t *testing.T) {
	t.Parallel()
	stack := endtoend.New(t, endtoend.Options{})
	first := createRecord(t, stack, minimalRecord("r"))
	if _, err := stack.Client.UpdateRemediation(t.Context(), "r", newPhase(client.PhaseFailed)); err != nil {
		t.Fatal(err)
	}
	again, err := stack.Client.CreateRemediation(t.Context(), minimalRecord("r"))
	if err != nil {
		t.Fatal(err)
	}
	want := *first
	want.Replayed = true
	if diff := gocmp.Diff(&want, again); diff != "" {
		t.Error(diff)
	}
	if now, err := stack.Client.GetRemediation(t.Context(), "r"); err != nil || now.Phase != client.PhaseFailed {
		t.Errorf("%v %v", now, err)
	}
}
