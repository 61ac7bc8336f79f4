package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// checkNoDeadlock closes the store and checks that the server detected no deadlock in the database.
func checkNoDeadlock(t *testing.T, db *postgrestest.Database, store tapped) {
	t.Helper()
	// The server counts a session's deadlocks once the session has ended.
	store.Close()
	db.AwaitSessions(t, 0, "usename = 'datastorage_writer'")
	if n := queryValue[int](t, db.SuperuserURL(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// appendInTransaction writes an entry as another writer, in a transaction that it leaves open.
func (s tapped) appendInTransaction(t *testing.T, tx pgx.Tx, e audit.Entry) {
	t.Helper()
	written, err := s.AppendIn(t.Context(), tx, e)
	if err != nil || written.Err != nil || written.Replayed {
		t.Fatalf("%+v %v", written, err)
	}
}

// appendResult is the result of Append.
type appendResult struct {
	written []audit.Written
	err     error
}

func (s tapped) startAppend(t *testing.T, e ...audit.Entry) <-chan appendResult {
	t.Helper()
	results := make(chan appendResult, 1)
	go func() {
		written, err := s.Append(t.Context(), e, nil)
		results <- appendResult{written, err}
	}()
	return results
}

// TestLostRaces lets another transaction commit the same key after the statement took its snapshot:
// the statement neither inserts its row nor sees the other one.
func TestLostRaces(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("parent"))
	for kind, build := range map[string]func(id string) audit.Record{
		"remediation": func(id string) audit.Record { return fullRemediation(id) },
		"ai_analysis": func(id string) audit.Record { return fullAnalysis("parent", id) },
		"workflow":    func(id string) audit.Record { return fullWorkflow("parent", id) },
		"execution":   func(id string) audit.Record { return fullExecution("parent", "w", id) },
	} {
		for _, outcome := range []string{"same content", "other content", "rolled back"} {
			ours := newEntry(t, build(kind+outcome))
			theirs := build(kind + outcome)
			if outcome == "other content" {
				withMetadata(theirs, `{"other":1}`)
			}
			checkLostRace(t, db, store, ours, newEntry(t, theirs), outcome)
		}
	}
	checkJournal(t, db)
}

func withMetadata(record audit.Record, metadata audit.Metadata) {
	switch record := record.(type) {
	case *audit.Remediation:
		record.Metadata = metadata
	case *audit.AIAnalysis:
		record.Metadata = metadata
	case *audit.Workflow:
		record.Metadata = metadata
	case *audit.Execution:
		record.Metadata = metadata
	}
}

func checkLostRace(t *testing.T, db *postgrestest.Database, store tapped, ours, theirs audit.Entry, outcome string) {
	t.Helper()
	tx, err := connectTo(t, db.WriterURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store.appendInTransaction(t, tx, theirs)
	// The store waits for the other transaction.
	results := store.startAppend(t, ours)
	db.AwaitSessions(t, 1, postgrestest.WaitsForLock)
	if outcome == "rolled back" {
		err = tx.Rollback(t.Context())
	} else {
		err = tx.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := <-results
	if got.err != nil {
		t.Fatal(got.err)
	}
	w := got.written[0]
	ok := false
	switch outcome {
	case "same content":
		ok = w.Err == nil && w.Replayed && w.Receipt.EventID == theirs.EventID &&
			w.Receipt.LeafHash == audit.LeafHash(theirs.Canonical())
	case "other content":
		ok = errors.Is(w.Err, audit.ErrConflict)
	case "rolled back":
		ok = w.Err == nil && !w.Replayed && w.Receipt.EventID == ours.EventID
	}
	if !ok {
		t.Errorf("%s, %s: %+v", ours.Kind, outcome, w)
	}
}

// TestParentCommittedBetweenStatements checks that the second insert finds a parent that was
// committed after the first.
func TestParentCommittedBetweenStatements(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store, other := openStore(t, db.WriterURL()), openStore(t, db.WriterURL())
	for statement, child := range map[string]audit.Record{
		"AIAnalysisAppend": fullAnalysis("r1", "a"), "WorkflowAppend": fullWorkflow("r2", "w"),
		"ExecutionAppend": fullExecution("r3", "w", "e"),
	} {
		e := newEntry(t, child)
		parent := newEntries(t, fullRemediation(e.RemediationID))
		store.Tap.Before(statement, 1, func() {
			if _, err := other.Append(t.Context(), parent, nil); err != nil {
				t.Error(err)
			}
		})
		store.mustAppend(t, nil, child)
	}
	checkJournal(t, db)
}

// TestPartitionsAheadBlockNoWriter creates partitions while a reader locks the journal, and checks
// that no other call waits.
func TestPartitionsAheadBlockNoWriter(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openForWriters(t, db, 20)
	store.mustAppend(t, nil, minimalRemediation("r"), fullRemediation("known"))
	reading, err := connectTo(t, db.ReaderURL()).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Exec(t.Context(), "SELECT count(*) FROM audit_event"); err != nil {
		t.Fatal(err)
	}
	made := make(chan error, 1)
	go func() {
		_, err := store.PartitionsAhead(t.Context(), 5)
		made <- err
	}()
	db.AwaitSessions(t, 1, "query LIKE '%PartitionsAhead%' AND "+postgrestest.WaitsForLock)
	for name, call := range storeCalls(t) {
		if name == "partitions" {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := call(ctx, store); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	select {
	case err := <-made:
		if !errors.Is(err, audit.ErrUnavailable) {
			t.Errorf("partitions: %v, want audit.ErrUnavailable", err)
		}
	case <-time.After(time.Minute):
		t.Error("PartitionsAhead waits for the reader without a limit")
	}
	if err := reading.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := store.PartitionsAhead(t.Context(), 5); n != 2 || err != nil {
		t.Errorf("%d partitions made afterwards, want 2 (%v)", n, err)
	}
}

func openForWriters(t *testing.T, db *postgrestest.Database, n int) tapped {
	t.Helper()
	return openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model, MaxConns: int32(n)})
}

// TestConcurrentAppendsOfTheSame lets all writers write the same remediations, signatures and
// vectors, each in another order.
func TestConcurrentAppendsOfTheSame(t *testing.T) {
	t.Parallel()
	const goroutines, ids, rounds = 12, 40, 4
	db := postgrestest.New(t)
	store := openForWriters(t, db, goroutines)
	build := func(round, i int) *audit.Remediation {
		record := fullRemediation(fmt.Sprintf("round %d id %d", round, i))
		// Two remediations share a signature.
		record.ErrorMessage = new("trouble of kind " + string(rune('a'+i/2)))
		return record
	}
	vectors := postgres.Vectors{}
	for i := range ids {
		vectors[newEntry(t, build(0, i)).Signature.ID] = numberedVector(i / 2)
	}
	var created [rounds][ids]atomic.Int32
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for round := range rounds {
				order := rand.Perm(ids)
				var batch []audit.Entry
				for _, i := range order {
					batch = append(batch, newEntry(t, build(round, i)))
				}
				written, err := store.Append(t.Context(), batch, withVectors(vectors))
				if err != nil {
					t.Error(err)
					return
				}
				for position, w := range written {
					if w.Err != nil {
						t.Error(w.Err)
					}
					if !w.Replayed {
						created[round][order[position]].Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	for round := range rounds {
		for i := range ids {
			if n := created[round][i].Load(); n != 1 {
				t.Errorf("round %d: %d appends reported that they created id %d, want 1", round, n, i)
			}
		}
	}
	want := map[string]int{
		"signature": ids / 2, "embedding": ids / 2, "remediation_audit": ids * rounds, "audit_event": ids * rounds,
		"ai_analysis_audit": 0, "workflow_audit": 0, "execution_audit": 0,
	}
	if diff := cmp.Diff(want, countRows(t, db)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	checkJournal(t, db)
	checkNoDeadlock(t, db, store)
}

// TestConcurrentAppendsOfTheSameSignatures lets every writer create and update remediations of its
// own, with signatures that are new to all writers at the same time: they compete for signatures
// and vectors.
func TestConcurrentAppendsOfTheSameSignatures(t *testing.T) {
	t.Parallel()
	const goroutines, rounds, signatures = 12, 24, 16
	db := postgrestest.New(t)
	store := openForWriters(t, db, goroutines)
	for writer := range goroutines {
		store.mustAppend(t, nil, numberedRecords(signatures, func(id string) *audit.Remediation { return minimalRemediation(fmt.Sprint(writer, id)) })...)
	}
	// All writers start a round at the same time.
	start := make([]sync.WaitGroup, rounds)
	for round := range rounds {
		start[round].Add(goroutines)
	}
	var group sync.WaitGroup
	for writer := range goroutines {
		group.Go(func() {
			for round := range rounds {
				batch, vectors := newIncidents(t, writer, round, rand.Perm(signatures))
				start[round].Done()
				start[round].Wait()
				written, err := store.Append(t.Context(), batch, withVectors(vectors))
				if err != nil {
					t.Error(err)
				}
				for _, w := range written {
					if w.Err != nil || w.Replayed {
						t.Errorf("%+v", w)
					}
				}
			}
		})
	}
	group.Wait()
	if got, want := countRows(t, db), 1+rounds*signatures; got["signature"] != want || got["embedding"] != (want-1)/2 {
		t.Errorf("rows %v, want %d signatures, and vectors for half of them", got, want)
	}
	checkJournal(t, db)
	checkNoDeadlock(t, db, store)
}

// newIncidents returns a batch of a writer, in the given order of the round's signatures. A round
// consists of creations, of updates, of both in each batch, of creations with an update to the next
// signature, or of all four concurrently; each kind occurs with vectors and without, as if the
// provider were down.
func newIncidents(t *testing.T, writer, round int, order []int) ([]audit.Entry, postgres.Vectors) {
	t.Helper()
	kind := round % 5
	if kind == 4 {
		kind = writer % 4
	}
	var batch []audit.Entry
	vectors := postgres.Vectors{}
	for position, i := range order {
		trouble := "trouble " + inLetters(round) + " " + inLetters(i)
		created := minimalRemediation(fmt.Sprintf("writer %d round %d id %d", writer, round, i))
		created.ErrorMessage = &trouble
		e := newEntry(t, created)
		if round%8 < 4 {
			vectors[e.Signature.ID] = numberedVector(i)
		}
		if kind == 3 {
			next := "trouble " + inLetters(round) + " " + inLetters(order[(position+1)%len(order)])
			batch = append(batch, newEntry(t, toError(created.RemediationID, next)), e)
			continue
		}
		if kind == 0 || kind == 1 && position%2 == 0 {
			batch = append(batch, e)
			continue
		}
		batch = append(batch, newEntry(t, toError(fmt.Sprintf("%dr%05d", writer, i), trouble)))
	}
	return batch, vectors
}

// inLetters formats a number without digits, since signatures omit digits.
func inLetters(n int) string { return string(rune('a'+n/26%26)) + string(rune('a'+n%26)) }

// TestConcurrentAppendsOfEverything lets all writers create, update and extend the same few
// remediations, alone and mixed in one batch, while others add the vectors.
func TestConcurrentAppendsOfEverything(t *testing.T) {
	t.Parallel()
	const goroutines, rounds, ids = 12, 12, 6
	db := postgrestest.New(t)
	store := openForWriters(t, db, goroutines)
	known := []audit.Record{}
	for i := range ids {
		known = append(known, minimalRemediation(fmt.Sprint("known ", i)))
	}
	store.mustAppend(t, nil, known...)
	var group sync.WaitGroup
	for writer := range goroutines {
		group.Go(func() {
			for round := range rounds {
				batch, vectors := mixedBatch(t, writer, round, ids)
				written, err := store.Append(t.Context(), batch, withVectors(vectors))
				if err != nil {
					t.Error(err)
					return
				}
				for i, w := range written {
					if w.Err != nil {
						t.Errorf("%s of %s: %v", batch[i].Kind, batch[i].RemediationID, w.Err)
					}
				}
				if _, err := store.AddVectors(t.Context(), vectors); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, want := countRows(t, db)["remediation_audit"], ids+rounds*ids; got != want {
		t.Errorf("%d remediations, want %d", got, want)
	}
	checkJournal(t, db)
	checkNoDeadlock(t, db, store)
}

// mixedBatch returns what every writer of a round writes, in random order; some writers write only
// a part.
func mixedBatch(t *testing.T, writer, round, ids int) ([]audit.Entry, postgres.Vectors) {
	t.Helper()
	var batch []audit.Entry
	for i := range ids {
		id := fmt.Sprintf("round %d id %d", round, i)
		created := minimalRemediation(id)
		created.ErrorMessage = new("trouble " + inLetters(round*ids+i))
		batch = append(batch, newEntry(t, created))
		// Updates to signatures that other writers create.
		batch = append(batch, newEntry(t, toError(fmt.Sprint("known ", i), "trouble "+inLetters(round*ids+(i+writer)%ids))))
		// Updates of remediations that other writers create at the same time.
		batch = append(batch, newEntry(t, toError(id, "trouble "+inLetters(round*ids+(i+writer+1)%ids))))
		batch = append(batch, newEntry(t, minimalAnalysis(id, "a")), newEntry(t, minimalWorkflow(id, "w")), newEntry(t, minimalExecution(id, "w", "e")))
	}
	vectors := postgres.Vectors{}
	for i, e := range batch {
		if e.Kind == audit.KindRemediation && i%2 == 0 {
			vectors[e.Signature.ID] = numberedVector(i)
		}
	}
	rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	if writer%3 == 0 {
		batch = slices.DeleteFunc(batch, func(e audit.Entry) bool { return e.Kind != audit.KindRemediation })
	}
	if writer%3 == 1 {
		batch = slices.DeleteFunc(batch, func(e audit.Entry) bool {
			return e.Kind != audit.KindUpdate || !strings.HasPrefix(e.RemediationID, "known ")
		})
	}
	return batch, vectors
}
