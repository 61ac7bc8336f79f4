package audit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/redact"
)

func stored() audit.Stored {
	record := valid()
	record.Metadata = "{}"
	record.ErrorMessage = ptr("boom")
	return audit.Stored{Remediation: record, ID: 7, Actor: "a"}
}

func TestUpdateApply(t *testing.T) {
	t.Parallel()
	end := start.Add(1500 * time.Millisecond)
	tests := []struct {
		name    string
		from    audit.Phase
		update  audit.Update
		want    func(*audit.Stored)
		changed bool
		err     error
	}{
		{
			name: "moves on", from: audit.PhasePending, changed: true,
			update: audit.Update{Phase: ptr(audit.PhaseCompleted), Status: ptr(audit.StatusSuccess), EndTime: audit.Optional[time.Time]{Set: true, Value: &end}},
			want: func(s *audit.Stored) {
				s.Phase, s.Status, s.EndTime, s.DurationMS = audit.PhaseCompleted, audit.StatusSuccess, &end, ptr(int64(1500))
			},
		},
		{
			name: "clears", from: audit.PhaseProcessing, changed: true,
			update: audit.Update{ErrorMessage: audit.Optional[string]{Set: true}},
			want:   func(s *audit.Stored) { s.ErrorMessage = nil },
		},
		{
			name: "replaces metadata", from: audit.PhaseProcessing, changed: true,
			update: audit.Update{Metadata: ptr(audit.Metadata(`{"a":1}`))},
			want:   func(s *audit.Stored) { s.Metadata = `{"a":1}` },
		},
		{
			name: "the same again changes nothing", from: audit.PhaseCompleted,
			update: audit.Update{Phase: ptr(audit.PhaseCompleted), ErrorMessage: audit.Optional[string]{Set: true, Value: ptr("boom")}},
			want:   func(*audit.Stored) {},
		},
		{
			name: "a terminal remediation changes no more", from: audit.PhaseFailed, err: audit.ErrConflict,
			update: audit.Update{ErrorMessage: audit.Optional[string]{Set: true, Value: ptr("other")}},
		},
		{
			name: "going back", from: audit.PhaseProcessing, err: audit.ErrConflict,
			update: audit.Update{Phase: ptr(audit.PhasePending)},
		},
		{
			name: "end before the stored start", from: audit.PhaseProcessing,
			update: audit.Update{EndTime: audit.Optional[time.Time]{Set: true, Value: ptr(start.Add(-time.Second))}},
			err:    audit.Contradiction{Errors: audit.ValidationErrors{{Field: "end_time", Code: audit.CodeOrder}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := stored()
			before.Phase = test.from
			next, changed, err := test.update.Apply(before)
			if want, ok := errors.AsType[audit.Contradiction](test.err); ok {
				got, ok := errors.AsType[audit.Contradiction](err)
				if !ok || got.Errors[0].Field != want.Errors[0].Field || got.Errors[0].Code != want.Errors[0].Code {
					t.Errorf("error %v, wanted %v", err, test.err)
				}
				return
			}
			if !errors.Is(err, test.err) || changed != test.changed {
				t.Fatalf("changed %v, error %v", changed, err)
			}
			want := stored()
			want.Phase = test.from
			if test.want != nil {
				test.want(&want)
			}
			if diff := cmp.Diff(want, next); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpdateMustChangeSomething(t *testing.T) {
	t.Parallel()
	var faults audit.ValidationErrors
	(&audit.Update{RemediationID: "r-1"}).Check(audit.Checker{Errors: &faults, Actions: redact.Actions{}}, nil)
	if len(faults) != 1 || faults[0].Code != audit.CodeEmpty || faults[0].Field != "" {
		t.Errorf("faults %v", faults)
	}
}
