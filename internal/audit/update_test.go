package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/redact"
)

func storedRemediation() Stored {
	record := validRemediation()
	record.Metadata = "{}"
	record.ErrorMessage = new("boom")
	return Stored{Remediation: record, ID: 7, Actor: "a"}
}

func TestUpdateApply(t *testing.T) {
	t.Parallel()
	end := start.Add(1500 * time.Millisecond)
	tests := []struct {
		name    string
		from    Phase
		update  Update
		want    func(*Stored)
		changed bool
		err     error
	}{
		{
			name: "moves on", from: PhasePending, changed: true,
			update: Update{Phase: new(PhaseCompleted), Status: new(StatusSuccess), EndTime: Optional[time.Time]{Set: true, Value: &end}},
			want: func(s *Stored) {
				s.Phase, s.Status, s.EndTime, s.DurationMS = PhaseCompleted, StatusSuccess, &end, new(int64(1500))
			},
		},
		{
			name: "clears", from: PhaseProcessing, changed: true,
			update: Update{ErrorMessage: Optional[string]{Set: true}},
			want:   func(s *Stored) { s.ErrorMessage = nil },
		},
		{
			name: "replaces metadata", from: PhaseProcessing, changed: true,
			update: Update{Metadata: new(Metadata(`{"a":1}`))},
			want:   func(s *Stored) { s.Metadata = `{"a":1}` },
		},
		{
			name: "the same again changes nothing", from: PhaseCompleted,
			update: Update{Phase: new(PhaseCompleted), ErrorMessage: Optional[string]{Set: true, Value: new("boom")}},
			want:   func(*Stored) {},
		},
		{
			name: "a terminal remediation cannot change", from: PhaseFailed, err: ErrConflict,
			update: Update{ErrorMessage: Optional[string]{Set: true, Value: new("other")}},
		},
		{
			name: "going back", from: PhaseProcessing, err: ErrConflict,
			update: Update{Phase: new(PhasePending)},
		},
		{
			name: "end before the stored start", from: PhaseProcessing,
			update: Update{EndTime: Optional[time.Time]{Set: true, Value: new(start.Add(-time.Second))}},
			err:    Contradiction{Errors: ValidationErrors{{Field: "end_time", Code: CodeOrder}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := storedRemediation()
			before.Phase = test.from
			next, changed, err := test.update.Apply(before)
			if want, ok := errors.AsType[Contradiction](test.err); ok {
				got, ok := errors.AsType[Contradiction](err)
				if !ok || got.Errors[0].Field != want.Errors[0].Field || got.Errors[0].Code != want.Errors[0].Code {
					t.Errorf("error %v, want %v", err, test.err)
				}
				return
			}
			if !errors.Is(err, test.err) || changed != test.changed {
				t.Fatalf("changed %v, error %v", changed, err)
			}
			want := storedRemediation()
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
	var invalid ValidationErrors
	(&Update{RemediationID: "r-1"}).Check(Checker{Errors: &invalid, Actions: redact.Actions{}}, nil)
	if len(invalid) != 1 || invalid[0].Code != CodeEmpty || invalid[0].Field != "" {
		t.Errorf("errors %v", invalid)
	}
}
