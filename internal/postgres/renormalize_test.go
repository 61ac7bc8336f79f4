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
)

// signedBefore is an entry as a function of normalizer 1 makes it. The store takes the number from
// this code, which none of what follows looks at but signature_drop: it is told a newer one.
func signedBefore(t *testing.T, record *audit.Remediation) audit.Entry {
	t.Helper()
	e := entry(t, record)
	sum := sha256.Sum256(append([]byte{1}, e.Signature.Text...))
	e.Signature.ID = audit.ID(sum[:16])
	e.Signature.ID[6], e.Signature.ID[8] = e.Signature.ID[6]&0x0f|0x80, e.Signature.ID[8]&0x3f|0x80
	return e
}

const dropFor3 = "SELECT signature_drop(ARRAY(SELECT id FROM signature WHERE text LIKE '%falls apart%'), 3::smallint)"

// about is a remediation with a message of its own.
func about(id, message string) *audit.Remediation {
	record := minimal(id)
	record.ErrorMessage = &message
	return record
}

// A service of a newer normalizer drops a signature at the moment in which this one writes it: it
// had no remediation, so the drop is right, and the write, which waits for it, is sent again.
// Whether this store remembers the signature to be stored makes no difference.
func TestDropBesideWrites(t *testing.T) {
	t.Parallel()
	writes := map[string]func(t *testing.T) []audit.Entry{
		"create": func(t *testing.T) []audit.Entry { return []audit.Entry{signedBefore(t, about("new", "falls apart"))} },
		"create with others": func(t *testing.T) []audit.Entry {
			return append(entries(t, about("other", "fails"), analysis("new", "a")), signedBefore(t, about("new", "falls apart")))
		},
		"update": func(t *testing.T) []audit.Entry { return entries(t, toError("r", "falls apart")) },
		"create and update": func(t *testing.T) []audit.Entry {
			return entries(t, about("new", "falls apart"), toError("r", "falls apart"))
		},
	}
	for name, write := range writes {
		for _, remembers := range []bool{false, true} {
			for _, outcome := range []string{"dropped", "rolled back"} {
				t.Run(fmt.Sprint(name, ", remembered ", remembers, ", ", outcome), func(t *testing.T) {
					t.Parallel()
					dropBeside(t, write(t), remembers, outcome)
				})
			}
		}
	}
}

func dropBeside(t *testing.T, batch []audit.Entry, remembers bool, outcome string) {
	t.Helper()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	first := store
	if !remembers {
		first = open(t, db.WriterURL())
	}
	// Both signatures, the older and the one of today, are stored and lose their remediations.
	vectors := postgres.Vectors{}
	once := []audit.Entry{entry(t, about("a", "falls apart")), signedBefore(t, about("b", "falls apart")), entry(t, about("r", "works"))}
	for _, e := range once[:2] {
		vectors[e.Signature.ID] = vector(1)
	}
	if _, err := first.Append(t.Context(), once, withVectors(vectors)); err != nil {
		t.Fatal(err)
	}
	run(t, db.AdminURL(), "UPDATE remediation_audit SET signature_id = (SELECT signature_id FROM remediation_audit WHERE remediation_id = 'r')")
	tx, err := connect(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var dropped int
	if err := tx.QueryRow(t.Context(), dropFor3).Scan(&dropped); err != nil || dropped != 2 {
		t.Fatal(dropped, err)
	}
	answers := make(chan answer, 1)
	go func() {
		written, err := store.Append(t.Context(), batch, withVectors(vectors))
		answers <- answer{written, err}
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
	got := <-answers
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
	if n := one[int](t, db.ReaderURL(), complete); n != want {
		t.Errorf("%d remediations have their signature with vector and terms, want %d", n, want)
	}
}

// A write that has a signature before the drop keeps it: the drop waits for nobody.
func TestDropLeavesWhatIsWritten(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	tx, err := connect(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store.mustAppend(t, nil, about("a", "falls apart"))
	run(t, db.AdminURL(), "INSERT INTO signature (id, text, normalizer) VALUES (gen_random_uuid(), 'x', 1)",
		"UPDATE remediation_audit SET signature_id = (SELECT id FROM signature WHERE text = 'x')")
	appendIn(t, tx, entry(t, about("b", "falls apart")))
	if n := one[int](t, db.WriterURL(), dropFor3); n != 0 {
		t.Errorf("%d dropped", n)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, db.WriterURL(), dropFor3); n != 0 {
		t.Errorf("%d dropped afterwards", n)
	}
}

// Vectors that come for a signature while it is dropped are left out, the others are stored.
func TestDropBesideVectors(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	gone, stays := entry(t, about("a", "falls apart")), entry(t, about("r", "works"))
	if _, err := store.Append(t.Context(), []audit.Entry{gone, stays}, nil); err != nil {
		t.Fatal(err)
	}
	run(t, db.AdminURL(), "UPDATE remediation_audit SET signature_id = (SELECT signature_id FROM remediation_audit WHERE remediation_id = 'r')")
	tx, err := connect(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), dropFor3); err != nil {
		t.Fatal(err)
	}
	added := make(chan int64, 1)
	go func() {
		n, err := store.AddVectors(t.Context(), postgres.Vectors{gone.Signature.ID: vector(1), stays.Signature.ID: vector(2)})
		if err != nil {
			t.Error(err)
		}
		added <- n
	}()
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-added; n != 1 || counts(t, db)["embedding"] != 1 {
		t.Errorf("%d vectors added, want 1; rows %v", n, counts(t, db))
	}
}

// read are all remediations of a signature, with the signature that they are to have.
func (s tapped) read(tb testing.TB, old, next audit.ID) []postgres.Renormalized {
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

// Remediations that are updated after they were read are left as they are, also by an update that
// was under way; so are those whose new signature has no vector, unless that was refused.
func TestResign(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	old, next := entry(t, about("1", "falls apart")).Signature, entry(t, about("n", "works")).Signature
	store.mustAppend(t, nil, about("n", "works"), about("1", "falls apart"), about("2", "falls apart"), about("3", "falls apart"))
	never, always := func(audit.ID) bool { return false }, func(audit.ID) bool { return true }
	check := func(what string, want postgres.RenormalizeCounts, remediations []postgres.Renormalized, refused func(audit.ID) bool) {
		t.Helper()
		got, err := store.Renormalize(t.Context(), old.ID, remediations, refused)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	all := store.read(t, old.ID, next.ID)
	if len(all) != 3 {
		t.Fatalf("read %+v", all)
	}
	check("no vector", postgres.RenormalizeCounts{Waiting: 1}, all, never)
	check("not stored", postgres.RenormalizeCounts{Waiting: 1}, store.read(t, old.ID, audit.ID{1}), always)
	store.mustAppend(t, nil, toPhase("1", audit.PhaseProcessing))
	check("refused, one updated", postgres.RenormalizeCounts{Renormalized: 2, Overtaken: 1}, all, always)
	if _, err := store.AddVectors(t.Context(), postgres.Vectors{next.ID: vector(1)}); err != nil {
		t.Fatal(err)
	}
	check("again", postgres.RenormalizeCounts{Overtaken: 3}, all, never)
	all = store.read(t, old.ID, next.ID)
	tx, err := connect(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE remediation_audit SET updated_at = updated_at + interval '1 us' WHERE remediation_id = '1'"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check("beside an update", postgres.RenormalizeCounts{Overtaken: 1}, all, never)
	}()
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	check("read again", postgres.RenormalizeCounts{Renormalized: 1}, store.read(t, old.ID, next.ID), never)
}

// Batches of updates, in any order, meet remediations that are signed anew there and back by
// several at once: nobody has to be sacrificed.
func TestConcurrentResigning(t *testing.T) {
	t.Parallel()
	const ids, rounds = 60, 30
	db := postgrestest.New(t)
	store := writers(t, db, 8)
	here, there := entry(t, about("x", "falls apart")).Signature.ID, entry(t, about("x", "works")).Signature.ID
	store.mustAppend(t, nil, many(ids, func(id string) *audit.Remediation { return about(id, "falls apart") })...)
	store.mustAppend(t, nil, about("n", "works"))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for round := range rounds {
				var err error
				switch worker % 4 {
				case 0:
					_, err = store.Renormalize(t.Context(), here, store.read(t, here, there), func(audit.ID) bool { return true })
				case 1:
					_, err = store.Renormalize(t.Context(), there, store.read(t, there, here), func(audit.ID) bool { return true })
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

// Updates and new signatures that change nothing of what is counted mark no day.
func TestDaysStayCounted(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := open(t, db.WriterURL())
	store.mustAppend(t, nil, about("1", "falls apart"), about("n", "works"))
	store.rollUp(t, 1)
	old, next := entry(t, about("1", "falls apart")).Signature.ID, entry(t, about("n", "works")).Signature.ID
	if _, err := store.Renormalize(t.Context(), old, store.read(t, old, next), func(audit.ID) bool { return true }); err != nil {
		t.Fatal(err)
	}
	store.mustAppend(t, nil, toPhase("1", audit.PhaseProcessing), toError("1", "fails"))
	if n := store.rollUp(t, 1); n != 0 {
		t.Errorf("%d days counted anew", n)
	}
	store.mustAppend(t, nil, &audit.Update{RemediationID: "1", Status: pointer(audit.StatusFailure)})
	if n := store.rollUp(t, 1); n != 1 {
		t.Errorf("%d days counted anew after the status changed, want 1", n)
	}
	for sql, want := range map[string]int{
		// Both days of one that moves, those of rows that are others by their ids, and none for
		// nothing.
		"UPDATE remediation_audit SET start_time = start_time + interval '1 day' WHERE remediation_id = '1'": 2,
		"UPDATE remediation_audit SET id = id + 1000":                                                        2,
		"UPDATE remediation_audit SET severity = severity, actor = 'b'":                                      0,
	} {
		db := postgrestest.New(t)
		store := open(t, db.WriterURL())
		later := about("n", "works")
		later.StartTime = start.AddDate(0, 0, 1)
		store.mustAppend(t, nil, about("1", "falls apart"), later)
		store.rollUp(t, 1)
		run(t, db.AdminURL(), sql)
		if n := store.rollUp(t, 1); n != want {
			t.Errorf("%s: %d days counted anew, want %d", sql, n, want)
		}
	}
}
