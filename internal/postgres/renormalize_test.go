package postgres_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/internal/signature"
)

// oldEntry returns an entry with the signature ID of normalizer 1. The store records the current
// version for it; only signature_drop compares versions, and the tests pass it a newer one as the
// current.
func oldEntry(t *testing.T, record *audit.Remediation) audit.Entry {
	t.Helper()
	e := newEntry(t, record)
	sum := sha256.Sum256(append([]byte{1}, e.Signature.Text...))
	e.Signature.ID = audit.ID(sum[:16])
	e.Signature.ID[6], e.Signature.ID[8] = e.Signature.ID[6]&0x0f|0x80, e.Signature.ID[8]&0x3f|0x80
	return e
}

// dropForNext drops signatures as a function with the next normalizer does.
var dropForNext = fmt.Sprintf("SELECT signature_drop(ARRAY(SELECT id FROM signature WHERE text LIKE '%%falls apart%%'), %d::smallint)", signature.Version+1)

// remediationWithMessage returns a remediation with this error message.
func remediationWithMessage(id, message string) *audit.Remediation {
	record := minimalRemediation(id)
	record.ErrorMessage = &message
	return record
}

// TestDropDuringWrites lets a function with a newer normalizer drop a signature while this one
// writes it. The drop succeeds because no remediation refers to it; the write waits for the drop
// and is retried, whether or not the store remembers the signature.
func TestDropDuringWrites(t *testing.T) {
	t.Parallel()
	writes := map[string]func(t *testing.T) []audit.Entry{
		"create": func(t *testing.T) []audit.Entry {
			return []audit.Entry{oldEntry(t, remediationWithMessage("new", "falls apart"))}
		},
		"create with others": func(t *testing.T) []audit.Entry {
			return append(newEntries(t, remediationWithMessage("other", "fails"), minimalAnalysis("new", "a")), oldEntry(t, remediationWithMessage("new", "falls apart")))
		},
		"update": func(t *testing.T) []audit.Entry { return newEntries(t, toError("r", "falls apart")) },
		"create and update": func(t *testing.T) []audit.Entry {
			return newEntries(t, remediationWithMessage("new", "falls apart"), toError("r", "falls apart"))
		},
	}
	for name, write := range writes {
		for _, remembers := range []bool{false, true} {
			for _, outcome := range []string{"dropped", "rolled back"} {
				t.Run(fmt.Sprint(name, ", remembered ", remembers, ", ", outcome), func(t *testing.T) {
					t.Parallel()
					checkDropDuringAppend(t, write(t), remembers, outcome)
				})
			}
		}
	}
}

func checkDropDuringAppend(t *testing.T, batch []audit.Entry, remembers bool, outcome string) {
	t.Helper()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	first := store
	if !remembers {
		first = openStore(t, db.WriterURL())
	}
	// Both signatures, the old and the current one, are stored and lose their remediations.
	vectors := postgres.Vectors{}
	once := []audit.Entry{newEntry(t, remediationWithMessage("a", "falls apart")), oldEntry(t, remediationWithMessage("b", "falls apart")), newEntry(t, remediationWithMessage("r", "works"))}
	for _, e := range once[:2] {
		vectors[e.Signature.ID] = numberedVector(1)
	}
	if _, err := first.Append(t.Context(), once, withVectors(vectors)); err != nil {
		t.Fatal(err)
	}
	execSQL(t, db.AdminURL(), "UPDATE remediation_audit SET signature_id = (SELECT signature_id FROM remediation_audit WHERE remediation_id = 'r')")
	tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var dropped int
	if err := tx.QueryRow(t.Context(), dropForNext).Scan(&dropped); err != nil || dropped != 2 {
		t.Fatal(dropped, err)
	}
	results := make(chan appendResult, 1)
	go func() {
		written, err := store.Append(t.Context(), batch, withVectors(vectors))
		results <- appendResult{written, err}
	}()
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if outcome == "dropped" {
		err = tx.Commit(t.Context())
	} else {
		err = tx.Rollback(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := <-results
	if got.err != nil {
		t.Fatal(got.err)
	}
	for i, w := range got.written {
		if w.Err != nil || w.Replayed {
			t.Errorf("%s: %+v", batch[i].Kind, w)
		}
	}
	checkJournal(t, db)
	const complete = `SELECT count(*) FROM remediation_audit AS r JOIN signature AS s ON s.id = r.signature_id
		JOIN embedding AS e ON e.signature_id = s.id WHERE s.text LIKE '%falls apart%' AND s.terms <> '{}'
		AND cardinality(s.terms) = (SELECT count(*) FROM signature_term AS t WHERE t.signature_id = s.id)`
	want := 0
	for _, e := range batch {
		if e.Kind == audit.KindUpdate || e.Kind == audit.KindRemediation && e.RemediationID == "new" {
			want++
		}
	}
	if n := queryValue[int](t, db.ReaderURL(), complete); n != want {
		t.Errorf("%d remediations have their signature with vector and terms, want %d", n, want)
	}
}

// TestDropKeepsWrittenSignatures checks that a drop skips a signature that a concurrent write
// refers to, without waiting.
func TestDropKeepsWrittenSignatures(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store.mustAppend(t, nil, remediationWithMessage("a", "falls apart"))
	execSQL(t, db.AdminURL(), "INSERT INTO signature (id, text, normalizer) VALUES (gen_random_uuid(), 'x', 1)",
		"UPDATE remediation_audit SET signature_id = (SELECT id FROM signature WHERE text = 'x')")
	store.appendInTransaction(t, tx, newEntry(t, remediationWithMessage("b", "falls apart")))
	if n := queryValue[int](t, db.WriterURL(), dropForNext); n != 0 {
		t.Errorf("%d dropped", n)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := queryValue[int](t, db.WriterURL(), dropForNext); n != 0 {
		t.Errorf("%d dropped afterwards", n)
	}
}

// TestDropDuringAddVectors checks that a vector is left out if its signature is dropped at the same
// time, and that the others are stored.
func TestDropDuringAddVectors(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	gone, stays := newEntry(t, remediationWithMessage("a", "falls apart")), newEntry(t, remediationWithMessage("r", "works"))
	if _, err := store.Append(t.Context(), []audit.Entry{gone, stays}, nil); err != nil {
		t.Fatal(err)
	}
	execSQL(t, db.AdminURL(), "UPDATE remediation_audit SET signature_id = (SELECT signature_id FROM remediation_audit WHERE remediation_id = 'r')")
	tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), dropForNext); err != nil {
		t.Fatal(err)
	}
	added := make(chan int64, 1)
	go func() {
		n, err := store.AddVectors(t.Context(), postgres.Vectors{gone.Signature.ID: numberedVector(1), stays.Signature.ID: numberedVector(2)})
		if err != nil {
			t.Error(err)
		}
		added <- n
	}()
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-added; n != 1 || countRows(t, db)["embedding"] != 1 {
		t.Errorf("%d vectors added, want 1; rows %v", n, countRows(t, db))
	}
}

// renormalizedRemediations returns all remediations of a signature, with another one as their new
// signature.
func (s tapped) renormalizedRemediations(tb testing.TB, old, next audit.ID) []postgres.Renormalized {
	tb.Helper()
	var all []postgres.Renormalized
	for remediation, err := range s.RemediationsBySignature(tb.Context(), old) {
		if err != nil {
			tb.Error(err)
			return nil
		}
		all = append(all, postgres.Renormalized{ID: remediation.ID, UpdatedAt: remediation.UpdatedAt, SignatureID: next})
	}
	return all
}

// TestRenormalize checks that remediations keep their signature if they were updated after they
// were read, even by an update in progress, or if the new signature has no vector and was not
// refused.
func TestRenormalize(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	old, next := newEntry(t, remediationWithMessage("1", "falls apart")).Signature, newEntry(t, remediationWithMessage("n", "works")).Signature
	store.mustAppend(t, nil, remediationWithMessage("n", "works"), remediationWithMessage("1", "falls apart"), remediationWithMessage("2", "falls apart"), remediationWithMessage("3", "falls apart"))
	never, always := func(audit.ID) bool { return false }, func(audit.ID) bool { return true }
	check := func(what string, want postgres.RenormalizeCounts, remediations []postgres.Renormalized, refused func(audit.ID) bool) {
		t.Helper()
		got, err := store.Renormalize(t.Context(), old.ID, remediations, refused)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	all := store.renormalizedRemediations(t, old.ID, next.ID)
	if len(all) != 3 {
		t.Fatalf("read %+v", all)
	}
	check("no vector", postgres.RenormalizeCounts{Waiting: 1}, all, never)
	check("not stored", postgres.RenormalizeCounts{Waiting: 1}, store.renormalizedRemediations(t, old.ID, audit.ID{1}), always)
	store.mustAppend(t, nil, toPhase("1", audit.PhaseProcessing))
	check("refused, one updated", postgres.RenormalizeCounts{Renormalized: 2, Overtaken: 1}, all, always)
	if _, err := store.AddVectors(t.Context(), postgres.Vectors{next.ID: numberedVector(1)}); err != nil {
		t.Fatal(err)
	}
	check("again", postgres.RenormalizeCounts{Overtaken: 3}, all, never)
	all = store.renormalizedRemediations(t, old.ID, next.ID)
	tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE remediation_audit SET updated_at = updated_at + interval '1 us' WHERE remediation_id = '1'"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check("during an update", postgres.RenormalizeCounts{Overtaken: 1}, all, never)
	}()
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	check("read again", postgres.RenormalizeCounts{Renormalized: 1}, store.renormalizedRemediations(t, old.ID, next.ID), never)
}

// TestConcurrentRenormalization runs batches of updates, in any order, concurrently with
// renormalizations back and forth, and checks that there is no deadlock.
func TestConcurrentRenormalization(t *testing.T) {
	t.Parallel()
	const ids, rounds = 60, 30
	db := postgrestest.New(t)
	store := openForWriters(t, db, 8)
	here, there := newEntry(t, remediationWithMessage("x", "falls apart")).Signature.ID, newEntry(t, remediationWithMessage("x", "works")).Signature.ID
	store.mustAppend(t, nil, numberedRecords(ids, func(id string) *audit.Remediation { return remediationWithMessage(id, "falls apart") })...)
	store.mustAppend(t, nil, remediationWithMessage("n", "works"))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for round := range rounds {
				var err error
				switch worker % 4 {
				case 0:
					_, err = store.Renormalize(t.Context(), here, store.renormalizedRemediations(t, here, there), func(audit.ID) bool { return true })
				case 1:
					_, err = store.Renormalize(t.Context(), there, store.renormalizedRemediations(t, there, here), func(audit.ID) bool { return true })
				default:
					err = updateAll(t, store, rand.Perm(ids), audit.Metadata(fmt.Sprintf(`{"worker":%d,"round":%d}`, worker, round)))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	checkJournal(t, db)
	checkNoDeadlock(t, db, store)
}

func updateAll(t *testing.T, store tapped, order []int, metadata audit.Metadata) error {
	t.Helper()
	var batch []audit.Entry
	for _, i := range order {
		e, err := audit.NewEntry(&audit.Update{RemediationID: fmt.Sprintf("r%05d", i), Metadata: &metadata}, "tester", time.Now())
		if err != nil {
			return err
		}
		batch = append(batch, e)
	}
	written, err := store.Append(t.Context(), batch, nil)
	for _, w := range written {
		err = errors.Join(err, w.Err)
	}
	return err
}

// TestChanges checks that a statement records exactly the changes of what is counted, and that only
// these reach the counts.
func TestChanges(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"INSERT INTO remediation_audit SELECT (r).* FROM (SELECT remediation_audit AS r FROM remediation_audit) AS r ON CONFLICT DO NOTHING": "",
		"UPDATE remediation_audit SET severity = severity, actor = 'b', metadata = '{\"a\":1}'":                                              "",
		"UPDATE remediation_audit SET phase = 'processing' WHERE remediation_id = '1'":                                                       "-1 pending, 1 processing",
		"UPDATE remediation_audit SET start_time = start_time + interval '1 day' WHERE remediation_id = '1'":                                 "-1 pending, 1 pending",
		"UPDATE remediation_audit SET id = id + 1000 WHERE remediation_id = '1'":                                                             "-1 pending, 1 pending",
		"DELETE FROM remediation_audit":      "-1 pending, -1 pending",
		"TRUNCATE remediation_audit CASCADE": "",
	} {
		db := postgrestest.New(t)
		store := openStore(t, db.WriterURL())
		withoutMerges(t, db, func() {
			store.mustAppend(t, nil, remediationWithMessage("1", "falls apart"), remediationWithMessage("n", "works"))
			execSQL(t, db.SuperuserURL(), "DELETE FROM outcome_change")
			execSQL(t, db.AdminURL(), sql)
			got := queryValue[string](t, db.ReaderURL(), "SELECT coalesce(string_agg(n || ' ' || phase, ', ' ORDER BY n, phase), '') FROM outcome_change")
			if got != want {
				t.Errorf("%s: recorded %s, want %s", sql, got, want)
			}
		})
	}
}
