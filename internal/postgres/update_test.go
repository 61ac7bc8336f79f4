package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func toPhase(id string, phase audit.Phase) *audit.Update {
	return &audit.Update{RemediationID: id, Phase: &phase}
}

func toError(id, message string) *audit.Update {
	return &audit.Update{RemediationID: id, ErrorMessage: audit.Optional[string]{Set: true, Value: &message}}
}

func TestPhasesMoveForward(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	const (
		ok       = "changed"
		replay   = "replayed"
		conflict = "conflict"
	)
	for from, targets := range map[audit.Phase]map[audit.Phase]string{
		"pending":    {"pending": replay, "processing": ok, "completed": ok, "failed": ok},
		"processing": {"pending": conflict, "processing": replay, "completed": ok, "failed": ok},
		"completed":  {"pending": conflict, "processing": conflict, "completed": replay, "failed": conflict},
		"failed":     {"pending": conflict, "processing": conflict, "completed": conflict, "failed": replay},
	} {
		for to, want := range targets {
			record := minimalRemediation(fmt.Sprint(from, " to ", to))
			record.Phase = from
			store.mustAppend(t, nil, record)
			written, err := store.Append(t.Context(), newEntries(t, toPhase(record.RemediationID, to)), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ok
			switch w := written[0]; {
			case errors.Is(w.Err, audit.ErrConflict):
				got = conflict
			case w.Replayed:
				got = replay
			}
			if got != want {
				t.Errorf("%s: %s (%v), want %s", record.RemediationID, got, written[0].Err, want)
			}
		}
	}
	checkJournal(t, db)
}

func TestTerminalRemediationsChangeNoMore(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, fullRemediation("r"))
	before := countRows(t, db)
	for name, update := range map[string]*audit.Update{
		"status":   {RemediationID: "r", Status: new(audit.Status("failure"))},
		"end":      {RemediationID: "r", EndTime: audit.Optional[time.Time]{Set: true}},
		"error":    toError("r", "another"),
		"workflow": {RemediationID: "r", WorkflowYAML: audit.Optional[string]{Set: true}},
		"metadata": {RemediationID: "r", Metadata: new(audit.Metadata(`{"a":1}`))},
	} {
		written, err := store.Append(t.Context(), newEntries(t, update), nil)
		if err != nil || !errors.Is(written[0].Err, audit.ErrConflict) {
			t.Errorf("%s: %v, %+v, want a conflict", name, err, written)
		}
	}
	if diff := cmp.Diff(before, countRows(t, db)); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
}

func TestEndBeforeTheStoredStart(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	store.mustAppend(t, nil, minimalRemediation("r"))
	update := &audit.Update{RemediationID: "r", EndTime: audit.Optional[time.Time]{Set: true, Value: new(start.Add(-time.Microsecond))}}
	written, err := store.Append(t.Context(), newEntries(t, update), nil)
	if err != nil {
		t.Fatal(err)
	}
	contradiction, ok := errors.AsType[audit.Contradiction](written[0].Err)
	if !ok || contradiction.Errors[0].Field != "end_time" {
		t.Errorf("%v, want a contradiction of end_time", written[0].Err)
	}
}

// TestUpdateKeepsEveryField changes and clears every field that an update can change, and reads it
// back.
func TestUpdateKeepsEveryField(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	created := store.mustAppend(t, nil, minimalRemediation("r"))[0]
	want := audit.Stored{
		Remediation: *minimalRemediation("r"), ID: created.ID, Actor: "tester", CreatedAt: created.Receipt.RecordedAt,
	}
	want.Severity, want.Metadata = audit.SeverityUnknown, "{}"
	end := start.Add(90 * time.Second)
	for _, step := range []struct {
		update *audit.Update
		change func(*audit.Stored)
	}{
		{&audit.Update{Phase: new(audit.PhaseProcessing), Status: new(audit.Status("running"))}, func(s *audit.Stored) {
			s.Phase, s.Status = audit.PhaseProcessing, "running"
		}},
		{&audit.Update{ErrorMessage: audit.Optional[string]{Set: true, Value: new(unicode)}}, func(s *audit.Stored) {
			s.ErrorMessage = new(unicode)
		}},
		{&audit.Update{WorkflowYAML: audit.Optional[string]{Set: true, Value: new("a: " + unicode)}}, func(s *audit.Stored) {
			s.WorkflowYAML = new("a: " + unicode)
		}},
		{&audit.Update{Metadata: new(audit.Metadata(`{"n":1700000000123456789}`))}, func(s *audit.Stored) {
			s.Metadata = `{"n":1700000000123456789}`
		}},
		{&audit.Update{EndTime: audit.Optional[time.Time]{Set: true, Value: &end}}, func(s *audit.Stored) {
			s.EndTime, s.DurationMS = &end, new(int64(90_000))
		}},
		{&audit.Update{
			EndTime: audit.Optional[time.Time]{Set: true}, ErrorMessage: audit.Optional[string]{Set: true},
			WorkflowYAML: audit.Optional[string]{Set: true}, Metadata: new(audit.EmptyMetadata),
		}, func(s *audit.Stored) {
			s.EndTime, s.DurationMS, s.ErrorMessage, s.WorkflowYAML, s.Metadata = nil, nil, nil, nil, "{}"
		}},
		{toPhase("r", audit.PhaseFailed), func(s *audit.Stored) { s.Phase = audit.PhaseFailed }},
	} {
		step.update.RemediationID = "r"
		e := newEntry(t, step.update)
		written, err := store.Append(t.Context(), []audit.Entry{e}, nil)
		if err != nil || written[0].Err != nil {
			t.Fatal(err, written)
		}
		step.change(&want)
		want.UpdatedAt, want.SignatureID = e.RecordedAt, want.Signature().ID
		checkUpdated(t, store, e, want, written[0])
	}
	checkJournal(t, db)
}

func checkUpdated(t *testing.T, store tapped, e audit.Entry, want audit.Stored, written audit.Written) {
	t.Helper()
	got, err := store.Remediation(t.Context(), want.RemediationID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	outcome := audit.Written{ID: want.ID, Remediation: &want, Receipt: audit.Receipt{
		EventID: e.EventID, RecordedAt: e.RecordedAt, LeafHash: audit.LeafHash(e.Canonical()),
	}}
	if diff := cmp.Diff(outcome, written); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestSeveralUpdatesOfOneRemediationInABatch(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("r"), minimalRemediation("other"))
	before := countRows(t, db)["audit_event"]
	written, err := store.Append(t.Context(), newEntries(t,
		toPhase("r", audit.PhasePending),
		toPhase("r", audit.PhaseProcessing),
		toError("other", "first"),
		toError("r", "disk full"),
		toPhase("r", audit.PhaseProcessing),
		toPhase("r", audit.PhasePending),
		toError("other", "second"),
		toPhase("r", audit.PhaseCompleted),
		toError("r", "too late"),
	), nil)
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		Replayed, Conflict bool
		Phase              audit.Phase
		Error              string
	}
	var got []outcome
	for _, w := range written {
		a := outcome{Replayed: w.Replayed, Conflict: errors.Is(w.Err, audit.ErrConflict)}
		if w.Remediation != nil {
			a.Phase = w.Remediation.Phase
			if w.Remediation.ErrorMessage != nil {
				a.Error = *w.Remediation.ErrorMessage
			}
		}
		got = append(got, a)
	}
	want := []outcome{
		{Replayed: true, Phase: "pending"},
		{Phase: "processing"},
		{Phase: "pending", Error: "first"},
		{Phase: "processing", Error: "disk full"},
		{Replayed: true, Phase: "processing", Error: "disk full"},
		{Conflict: true},
		{Phase: "pending", Error: "second"},
		{Phase: "completed", Error: "disk full"},
		{Conflict: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if made := countRows(t, db)["audit_event"] - before; made != 5 {
		t.Errorf("%d journal entries, want 5", made)
	}
	checkJournal(t, db)
}

func TestUpdateChangesTheSignature(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	first := newEntry(t, minimalRemediation("r"))
	changed := *minimalRemediation("r")
	changed.ErrorMessage = new("disk full")
	second := changed.Signature()
	if first.Signature.ID == second.ID {
		t.Fatal("the fixture's signature does not depend on the error message")
	}
	if _, err := store.Append(t.Context(), []audit.Entry{first}, withVectors(postgres.Vectors{first.Signature.ID: numberedVector(1)})); err != nil {
		t.Fatal(err)
	}
	store.mustAppend(t, postgres.Vectors{second.ID: numberedVector(2)}, toError("r", "disk full"))
	got, err := store.Remediation(t.Context(), "r")
	if err != nil || got.SignatureID != second.ID {
		t.Errorf("signature %s, want %s (%v)", got.SignatureID, second.ID, err)
	}
	nearest, err := store.Nearest(t.Context(), numberedVector(2), audit.Filter{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	// No remediation refers to the first signature any more.
	if len(nearest) != 1 || nearest[0].SignatureID != second.ID || nearest[0].Text != second.Text {
		t.Errorf("nearest %+v, want %s alone", nearest, second.ID)
	}
	if got := countRows(t, db); got["signature"] != 2 || got["embedding"] != 2 {
		t.Errorf("rows %v", got)
	}
}

// TestUpdateByAClockThatIsBehind checks that the journal is in the order of the changes although
// the clocks of two functions differ.
func TestUpdateByAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	created := store.mustAppend(t, nil, minimalRemediation("r"))[0].Receipt.RecordedAt
	last := created
	for i, behind := range []time.Duration{time.Hour, 0, time.Nanosecond} {
		e := newEntryAt(t, toError("r", fmt.Sprint(i)), last.Add(-behind))
		written, err := store.Append(t.Context(), []audit.Entry{e}, nil)
		if err != nil || written[0].Err != nil {
			t.Fatal(err, written)
		}
		receipt, now := written[0].Receipt, written[0].Remediation
		if want := last.Add(time.Microsecond); !receipt.RecordedAt.Equal(want) || !now.UpdatedAt.Equal(want) {
			t.Errorf("recorded at %s, updated at %s, want %s", receipt.RecordedAt, now.UpdatedAt, want)
		}
		last = receipt.RecordedAt
	}
	checkJournal(t, db)
}

func TestConcurrentUpdatesAreJournaledInTheOrderOfChanges(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 10
	db := postgrestest.New(t)
	store := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model, MaxConns: writers})
	store.mustAppend(t, nil, minimalRemediation("a"), minimalRemediation("b"), minimalRemediation("c"))
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				// Two orders, which the store sorts into one.
				ids := []string{"a", "b", "c"}
				if writer%2 == 1 {
					ids = []string{"c", "b", "a"}
				}
				var batch []audit.Entry
				for _, id := range ids {
					batch = append(batch, newEntry(t, toError(id, fmt.Sprint("error ", writer, " of round ", i))))
				}
				written, err := store.Append(t.Context(), batch, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for _, w := range written {
					if w.Err != nil {
						t.Error(w.Err)
					}
				}
			}
		})
	}
	group.Wait()
	if got, want := countRows(t, db)["audit_event"], 3+3*writers*each; got != want {
		t.Errorf("%d journal entries, want %d", got, want)
	}
	checkJournal(t, db)
	checkNoDeadlock(t, db, store)
}

// TestRedeliveredUpdates checks that an update followed by later ones is a replay if the journal or
// an earlier entry of the append has the same content, and that every other conflict remains one.
func TestRedeliveredUpdates(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("a"), minimalRemediation("b"), minimalRemediation("c"))
	store.mustAppend(t, nil, toPhase("a", audit.PhaseProcessing))
	store.mustAppend(t, nil, toPhase("a", audit.PhaseCompleted), toPhase("c", audit.PhaseProcessing))
	before := countRows(t, db)
	type outcome struct {
		Conflict, NotFound, Replayed bool
		Phase                        audit.Phase
	}
	cases := []struct {
		update  *audit.Update
		want    outcome
		without outcome
	}{
		{toPhase("a", audit.PhaseProcessing), outcome{Replayed: true, Phase: "completed"}, outcome{Conflict: true}},
		{toPhase("a", audit.PhaseProcessing), outcome{Replayed: true, Phase: "completed"}, outcome{Conflict: true}},
		{toPhase("a", audit.PhaseFailed), outcome{Conflict: true}, outcome{Conflict: true}},
		{toPhase("a", audit.PhaseCompleted), outcome{Replayed: true, Phase: "completed"}, outcome{Replayed: true, Phase: "completed"}},
		{toPhase("b", audit.PhaseProcessing), outcome{Phase: "processing"}, outcome{Replayed: true, Phase: "processing"}},
		{toPhase("b", audit.PhaseFailed), outcome{Phase: "failed"}, outcome{Replayed: true, Phase: "failed"}},
		{toPhase("b", audit.PhaseProcessing), outcome{Replayed: true, Phase: "failed"}, outcome{Conflict: true}},
		{toPhase("c", audit.PhasePending), outcome{Conflict: true}, outcome{Conflict: true}},
		{toPhase("none", audit.PhaseProcessing), outcome{NotFound: true}, outcome{NotFound: true}},
	}
	for _, redelivered := range []bool{true, false} {
		var sent []audit.Entry
		var want, got []outcome
		for _, c := range cases {
			sent = append(sent, newEntry(t, c.update))
			if redelivered {
				want = append(want, c.want)
			} else {
				want = append(want, c.without)
			}
		}
		// The second round, without the option, finds b updated by the first.
		written, err := store.Append(t.Context(), sent, &postgres.AppendOptions{Redelivered: redelivered})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range written {
			o := outcome{Conflict: errors.Is(w.Err, audit.ErrConflict), NotFound: errors.Is(w.Err, audit.ErrNotFound), Replayed: w.Replayed}
			if w.Remediation != nil {
				o.Phase = w.Remediation.Phase
			}
			got = append(got, o)
		}
		if !redelivered {
			// The first round left it failed.
			want[4] = outcome{Conflict: true}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("redelivered %v (-want +got):\n%s", redelivered, diff)
		}
	}
	if made := countRows(t, db)["audit_event"] - before["audit_event"]; made != 2 {
		t.Errorf("%d journal entries, want those of b's two updates", made)
	}
	checkJournal(t, db)
}

// TestUpdatesOfARemediationCreatedWithThem checks that a remediation and its updates, in any order,
// are written in one transaction, and that the updates have the outcomes that they have on a stored
// remediation.
func TestUpdatesOfARemediationCreatedWithThem(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	batch := func(id string) []audit.Entry {
		return newEntries(t, toPhase(id, audit.PhaseProcessing), minimalRemediation(id), toError(id, "disk full"), minimalAnalysis(id, "a"),
			toPhase(id, audit.PhaseProcessing), toPhase(id, audit.PhaseCompleted), toPhase(id, audit.PhaseFailed))
	}
	// The first execution on a connection also describes the statement.
	if _, err := store.Append(t.Context(), batch("first"), nil); err != nil {
		t.Fatal(err)
	}
	store.Tap.Reset()
	written, err := store.Append(t.Context(), batch("second"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// begin, lock, create, update, the child, commit.
	if got := store.Tap.RoundTrips(); got != 6 {
		t.Errorf("%d round trips, want 6", got)
	}
	stored, err := store.Remediation(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		conflict := i == len(written)-1
		if errors.Is(w.Err, audit.ErrConflict) != conflict || !conflict && w.Err != nil || w.Replayed != (i == 4) {
			t.Errorf("outcome %d: %+v", i, w)
		}
		if w.Remediation != nil && (w.ID != stored.ID || w.Remediation.ID != stored.ID) {
			t.Errorf("outcome %d has the IDs %d and %d, want %d", i, w.ID, w.Remediation.ID, stored.ID)
		}
	}
	if diff := cmp.Diff(stored, *written[5].Remediation); diff != "" {
		t.Errorf("the last update's remediation (-stored +returned):\n%s", diff)
	}
	if stored.Phase != audit.PhaseCompleted || *stored.ErrorMessage != "disk full" || stored.SignatureID != stored.Signature().ID {
		t.Errorf("stored %+v", stored)
	}
	transactions := queryValue[int](t, db.ReaderURL(), `SELECT count(DISTINCT x) FROM (SELECT xmin::text AS x FROM audit_event WHERE remediation_id = 'second'
		UNION ALL SELECT xmin::text FROM remediation_audit WHERE remediation_id = 'second') AS rows`)
	if transactions != 1 {
		t.Errorf("the rows are of %d transactions, want 1", transactions)
	}
	checkJournal(t, db)
}

// TestUpdateOfARemediationThatAnotherWriterCreates checks that an append which creates and updates
// a remediation starts again if another writer creates it first, and then updates the stored one.
func TestUpdateOfARemediationThatAnotherWriterCreates(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store, other := openStore(t, db.WriterURL()), openStore(t, db.WriterURL())
	for _, outcome := range []string{"same content", "other content", "rolled back", "before"} {
		theirs := minimalRemediation(outcome)
		if outcome == "other content" {
			theirs.Status = "running"
		}
		tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		end := tx.Commit
		switch outcome {
		case "rolled back":
			end = tx.Rollback
			fallthrough
		default:
			other.appendInTransaction(t, tx, newEntry(t, theirs))
		case "before":
			// Committed between the lock and the creation.
			store.Tap.Before("RemediationAppend", 0, func() {
				if _, err := other.Append(t.Context(), newEntries(t, theirs), nil); err != nil {
					t.Error(err)
				}
			})
		}
		results := store.startAppend(t, newEntries(t, toError(outcome, "disk full"), minimalRemediation(outcome), toPhase(outcome, audit.PhaseFailed))...)
		if outcome != "before" {
			db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := <-results
		if got.err != nil {
			t.Fatal(outcome, got.err)
		}
		first, created, last := got.written[0], got.written[1], got.written[2]
		if conflict := errors.Is(created.Err, audit.ErrConflict); conflict != (outcome == "other content") ||
			created.Replayed != (outcome == "same content" || outcome == "before") {
			t.Errorf("%s: created %+v", outcome, created)
		}
		if first.Err != nil || last.Err != nil || first.Replayed || last.Replayed {
			t.Errorf("%s: updates %+v, %+v", outcome, first, last)
			continue
		}
		stored, err := store.Remediation(t.Context(), outcome)
		if err != nil {
			t.Fatal(err)
		}
		want := *theirs
		if outcome == "rolled back" {
			want = *minimalRemediation(outcome)
		}
		if stored.Phase != audit.PhaseFailed || *stored.ErrorMessage != "disk full" || stored.Status != want.Status {
			t.Errorf("%s: stored %+v", outcome, stored)
		}
		if diff := cmp.Diff(stored, *last.Remediation); diff != "" {
			t.Errorf("%s: the last update's remediation (-stored +returned):\n%s", outcome, diff)
		}
	}
	checkJournal(t, db)
}
