package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

func TestAppendKeepsEveryFieldOfARemediation(t *testing.T) {
	t.Parallel()
	for field, value := range reflect.ValueOf(*fullRemediation("full")).Fields() {
		if value.IsZero() {
			t.Errorf("fullRemediation lacks %s", field.Name)
		}
	}
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	empty := minimalRemediation("empty texts")
	empty.ErrorMessage, empty.WorkflowYAML, empty.Metadata = new(""), new(""), "{}"
	unended := fullRemediation("duration without an end")
	unended.EndTime, unended.DurationMS = nil, new(int64(1<<53-1))
	longest := fullRemediation(strings.Repeat("💾", 255))
	longest.TargetResource = new(strings.Repeat("k", 255) + "/" + strings.Repeat("磁", 256))
	longest.ErrorMessage, longest.WorkflowYAML = new(strings.Repeat("e", 64<<10)), new(strings.Repeat("y", 256<<10))
	early := minimalRemediation("first and last moment")
	early.StartTime, early.EndTime = audit.MinTime, new(audit.MaxTime.Add(-time.Microsecond))
	for _, want := range []*audit.Remediation{minimalRemediation("minimal"), fullRemediation("full"), empty, unended, longest, early} {
		checkKept(t, store, want)
	}
	checkJournal(t, db)
}

func checkKept(t *testing.T, store tapped, want *audit.Remediation) {
	t.Helper()
	e := newEntry(t, want)
	written, err := store.Append(t.Context(), []audit.Entry{e}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Remediation(t.Context(), want.RemediationID)
	if err != nil {
		t.Fatal(err)
	}
	kept := audit.Stored{
		Remediation: *want, ID: written[0].ID, SignatureID: e.Signature.ID, Actor: "tester",
		CreatedAt: e.RecordedAt, UpdatedAt: e.RecordedAt,
	}
	if diff := cmp.Diff(kept, got); diff != "" || got.ID <= 0 {
		t.Errorf("read back with id %d (-sent +got):\n%s", got.ID, diff)
	}
	receipt := audit.Receipt{
		EventID: e.EventID, RecordedAt: e.RecordedAt, LeafHash: audit.LeafHash(e.Canonical()), Embedding: audit.EmbeddingPending,
	}
	if diff := cmp.Diff(audit.Written{ID: got.ID, Receipt: receipt}, written[0]); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestAppendKeepsEveryFieldOfAChild(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, fullRemediation("r"), minimalRemediation("other"))
	sent := newEntries(t, minimalAnalysis("r", "a1"), fullAnalysis("r", "a2 💾"), minimalWorkflow("r", "w1"), fullWorkflow("r", "w2 磁盘"),
		minimalExecution("r", "w1", "e1"), fullExecution("r", "w1", "e2"), fullExecution("r", "w2", "e2"), fullExecution("other", "w1", "e1"))
	written, err := store.Append(t.Context(), sent, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want audit.Children
	for i, e := range sent {
		receipt := audit.Receipt{EventID: e.EventID, RecordedAt: e.RecordedAt, LeafHash: audit.LeafHash(e.Canonical())}
		if diff := cmp.Diff(audit.Written{ID: written[i].ID, Receipt: receipt}, written[i]); diff != "" || written[i].ID <= 0 {
			t.Errorf("outcome %d (-want +got):\n%s", i, diff)
		}
		if e.RemediationID == "r" {
			addChild(&want, e)
		}
	}
	got, err := store.Children(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-sent +got):\n%s", diff)
	}
	checkJournal(t, db)
}

func addChild(children *audit.Children, e audit.Entry) {
	switch record := e.Record.(type) {
	case *audit.AIAnalysis:
		children.AIAnalyses = append(children.AIAnalyses,
			audit.StoredAIAnalysis{AIAnalysis: *record, Actor: e.Actor, CreatedAt: e.RecordedAt})
	case *audit.Workflow:
		children.Workflows = append(children.Workflows,
			audit.StoredWorkflow{Workflow: *record, Actor: e.Actor, CreatedAt: e.RecordedAt})
	case *audit.Execution:
		children.Executions = append(children.Executions,
			audit.StoredExecution{Execution: *record, Actor: e.Actor, CreatedAt: e.RecordedAt})
	}
}

func TestAppendOfNothing(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	written, err := store.Append(t.Context(), nil, nil)
	if err != nil || written != nil || store.Tap.RoundTrips() != 0 {
		t.Errorf("%v, %v after %d round trips, want nothing", written, err, store.Tap.RoundTrips())
	}
}

func TestAppendRoundTrips(t *testing.T) {
	t.Parallel()
	const most = 500
	for kind, c := range map[string]struct {
		make func(id string) audit.Record
		want int
	}{
		"remediation": {func(id string) audit.Record { return fullRemediation(id) }, 1},
		"ai_analysis": {func(id string) audit.Record { return fullAnalysis("parent", id) }, 1},
		"workflow":    {func(id string) audit.Record { return fullWorkflow("parent", id) }, 1},
		"execution":   {func(id string) audit.Record { return fullExecution("parent", "w", id) }, 1},
		// Round trips: begin, lock, write, commit.
		"update": {func(id string) audit.Record {
			return &audit.Update{RemediationID: strings.Replace(id, "update", "known", 1), Status: new(audit.Status("running"))}
		}, 4},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := postgrestest.New(t)
			store := openStore(t, db.WriterURL())
			store.mustAppend(t, nil, minimalRemediation("parent"))
			vectors := postgres.Vectors{newEntry(t, fullRemediation("x")).Signature.ID: numberedVector(1)}
			batch := 0
			for _, n := range []int{1, 1, 10, most} {
				batch++
				if kind == "update" {
					store.mustAppend(t, nil, numberedRecords(n, func(id string) audit.Record { return minimalRemediation(fmt.Sprint("known", batch, id)) })...)
				}
				records := numberedRecords(n, func(id string) audit.Record { return c.make(fmt.Sprint(kind, batch, id)) })
				before := countRows(t, db)["audit_event"]
				store.Tap.Reset()
				store.mustAppend(t, vectors, records...)
				// The first time on a connection each statement is described before it is executed.
				if got := store.Tap.RoundTrips(); batch > 1 && got != c.want {
					t.Errorf("%d records took %d round trips, want %d", n, got, c.want)
				}
				if got := countRows(t, db)["audit_event"] - before; got != n {
					t.Errorf("%d records made %d journal entries", n, got)
				}
			}
		})
	}
}

func TestReplayReturnsTheFirstReceipt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func() audit.Record
		// first sends the vector with the first write, later stores it before the second.
		first, later bool
		want         audit.EmbeddingState
	}{
		{"remediation, pending", func() audit.Record { return fullRemediation("r") }, false, false, audit.EmbeddingPending},
		{"remediation, stored", func() audit.Record { return fullRemediation("r") }, true, false, audit.EmbeddingStored},
		{"remediation, pending and stored since", func() audit.Record { return fullRemediation("r") }, false, true, audit.EmbeddingPending},
		{"ai_analysis", func() audit.Record { return fullAnalysis("parent", "a") }, false, false, ""},
		{"workflow", func() audit.Record { return fullWorkflow("parent", "w") }, false, false, ""},
		{"execution", func() audit.Record { return fullExecution("parent", "w", "e") }, false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := postgrestest.New(t)
			store := openStore(t, db.WriterURL())
			store.mustAppend(t, nil, minimalRemediation("parent"))
			vectors := postgres.Vectors{newEntry(t, fullRemediation("x")).Signature.ID: numberedVector(1)}
			var with postgres.Vectors
			if c.first {
				with = vectors
			}
			first := store.mustAppend(t, with, c.make())[0]
			if first.Replayed || first.Receipt.Embedding != c.want {
				t.Errorf("first outcome: replayed %v, embedding %q, want %q", first.Replayed, first.Receipt.Embedding, c.want)
			}
			if c.later {
				if added, err := store.AddVectors(t.Context(), vectors); added != 1 || err != nil {
					t.Fatal(added, err)
				}
			}
			before := countRows(t, db)
			want := first
			want.Replayed = true
			if diff := cmp.Diff(want, store.mustAppend(t, with, c.make())[0]); diff != "" {
				t.Errorf("second outcome (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, countRows(t, db)); diff != "" {
				t.Errorf("rows (-before +after the replay):\n%s", diff)
			}
			checkJournal(t, db)
		})
	}
}

func TestReplayByAnotherActorLater(t *testing.T) {
	t.Parallel()
	store := openStore(t, postgrestest.New(t).WriterURL())
	first := store.mustAppend(t, nil, fullRemediation("r"))[0]
	again := fullRemediation("r")
	_ = newEntry(t, again) // validates it
	e, err := audit.NewEntry(again, "another actor", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	written, err := store.Append(t.Context(), []audit.Entry{e}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first.Replayed = true
	if diff := cmp.Diff(first, written[0]); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestSameKeyWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, fullRemediation("r"), fullAnalysis("r", "a"), fullWorkflow("r", "w"), fullExecution("r", "w", "e"))
	before := countRows(t, db)
	remediation, ai, flow, run := fullRemediation("r"), fullAnalysis("r", "a"), fullWorkflow("r", "w"), fullExecution("r", "w", "e")
	// Each entry differs in one value: a digit that RFC 8785 drops, an omitted field, a number, a time.
	remediation.Metadata = audit.Metadata(strings.Replace(string(remediation.Metadata), "456789", "456788", 1))
	ai.TokensUsed = nil
	flow.CompletedSteps--
	run.StartTime = run.StartTime.Add(-time.Microsecond)
	written, err := store.Append(t.Context(), newEntries(t, remediation, ai, flow, run), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		if !errors.Is(w.Err, audit.ErrConflict) || w.ID != 0 || w.Replayed {
			t.Errorf("outcome %d: %+v, want a conflict", i, w)
		}
	}
	if diff := cmp.Diff(before, countRows(t, db)); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	checkJournal(t, db)
}

// TestSameKeyTwiceInABatch checks that of two entries with one key the first in the batch is
// stored.
func TestSameKeyTwiceInABatch(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 20, 500} {
		for _, same := range []bool{true, false} {
			t.Run(fmt.Sprint(n, " same content ", same), func(t *testing.T) {
				t.Parallel()
				db := postgrestest.New(t)
				store := openStore(t, db.WriterURL())
				// Every record occurs twice; the second half is in reverse order.
				records := numberedRecords(n, fullRemediation)
				for i := n - 1; i >= 0; i-- {
					again := fullRemediation(fmt.Sprintf("r%05d", i))
					if !same {
						again.Severity = "low"
					}
					records = append(records, again)
				}
				written, err := store.Append(t.Context(), newEntries(t, records...), nil)
				if err != nil {
					t.Fatal(err)
				}
				checkTwice(t, written, same)
				if got := countRows(t, db); got["remediation_audit"] != n || got["audit_event"] != n || got["signature"] != 1 {
					t.Errorf("rows %v, want %d remediations", got, n)
				}
				checkJournal(t, db)
			})
		}
	}
}

func checkTwice(t *testing.T, written []audit.Written, same bool) {
	t.Helper()
	for i, first := range written[:len(written)/2] {
		second := written[len(written)-1-i]
		if first.Err != nil || first.Replayed {
			t.Fatalf("the first of pair %d is %+v", i, first)
		}
		if !same {
			if !errors.Is(second.Err, audit.ErrConflict) {
				t.Fatalf("the second of pair %d is %+v, want a conflict", i, second)
			}
			continue
		}
		first.Replayed = true
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("pair %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestMixedKindsInOneAppend(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("known"))
	// Children precede their parents, kinds are shuffled, and one child has no parent.
	batch := newEntries(t,
		fullExecution("new", "w", "e"),
		&audit.Update{RemediationID: "known", Phase: new(audit.PhaseProcessing)},
		fullAnalysis("new", "a"),
		fullRemediation("new"),
		fullWorkflow("unknown", "w"),
		fullWorkflow("known", "w"),
		&audit.Update{RemediationID: "unknown", Phase: new(audit.PhaseProcessing)},
		fullRemediation("another"),
	)
	store.Tap.Reset()
	written, err := store.Append(t.Context(), batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		if orphan := batch[i].RemediationID == "unknown"; orphan != errors.Is(w.Err, audit.ErrNotFound) || !orphan && w.Err != nil {
			t.Errorf("outcome %d: %v", i, w.Err)
		}
	}
	want := map[string]int{
		"signature": 2, "embedding": 0, "remediation_audit": 3, "ai_analysis_audit": 1, "workflow_audit": 1, "execution_audit": 1,
		"audit_event": 7,
	}
	if diff := cmp.Diff(want, countRows(t, db)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	var transactions []string
	for _, statement := range store.Tap.Statements() {
		if statement.Name() == "" {
			transactions = append(transactions, statement.SQL)
		}
	}
	if diff := cmp.Diff([]string{"begin", "commit"}, transactions); diff != "" {
		t.Errorf("transactions (-want +got):\n%s", diff)
	}
	checkJournal(t, db)
}

func TestChildOfAnUnknownParent(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	for _, record := range []audit.Record{
		fullAnalysis("unknown", "a"), fullWorkflow("unknown", "w"), fullExecution("unknown", "w", "e"),
		&audit.Update{RemediationID: "unknown", Phase: new(audit.PhaseFailed)},
	} {
		written, err := store.Append(t.Context(), newEntries(t, record), nil)
		if err != nil || !errors.Is(written[0].Err, audit.ErrNotFound) {
			t.Errorf("%T: %v %+v, want audit.ErrNotFound", record, err, written)
		}
	}
	for table, n := range countRows(t, db) {
		if n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
}

// TestSignaturesAreSharedAndVectorsStoredOnce checks that remediations with one signature share one
// row and one vector.
func TestSignaturesAreSharedAndVectorsStoredOnce(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	signature := newEntry(t, fullRemediation("x")).Signature
	written := store.mustAppend(t, postgres.Vectors{signature.ID: numberedVector(1)}, numberedRecords(100, fullRemediation)...)
	// The signature is stored now: its vector is not replaced by another one, and an append needs
	// none.
	written = append(written, store.mustAppend(t, postgres.Vectors{signature.ID: numberedVector(2)}, fullRemediation("with another vector"))...)
	written = append(written, store.mustAppend(t, nil, fullRemediation("without a vector"))...)
	for i, w := range written {
		if w.Receipt.Embedding != audit.EmbeddingStored {
			t.Errorf("outcome %d: embedding %q", i, w.Receipt.Embedding)
		}
	}
	if got := countRows(t, db); got["signature"] != 1 || got["embedding"] != 1 || got["remediation_audit"] != 102 {
		t.Errorf("rows %v", got)
	}
	if got := queryValue[string](t, db.ReaderURL(), "SELECT text FROM signature"); got != signature.Text {
		t.Errorf("text %q, want %q", got, signature.Text)
	}
	kept := queryValue[[]float32](t, db.ReaderURL(), "SELECT vector::vector::real[] FROM embedding")
	if diff := cmp.Diff(halfPrecision(numberedVector(1)), kept); diff != "" {
		t.Errorf("vector (-sent +kept):\n%s", diff)
	}
}

// halfPrecision rounds the values of vector to half precision: 0.8 and 0.6 with 11 significant
// bits.
func halfPrecision(v []float32) []float32 {
	for i, x := range v {
		switch x {
		case 0.8:
			v[i] = 1638.0 / 2048
		case 0.6:
			v[i] = 1229.0 / 2048
		}
	}
	return v
}

// TestVectorsBelongToTheirSignatures checks that each vector of a batch is stored with its own
// signature.
func TestVectorsBelongToTheirSignatures(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	vectors := postgres.Vectors{}
	var batch []audit.Entry
	for i := range 50 {
		record := minimalRemediation(fmt.Sprint(i))
		record.Name = strings.Repeat("x", i+1)
		e := newEntry(t, record)
		batch = append(batch, e)
		if i%5 != 0 {
			vectors[e.Signature.ID] = numberedVector(i)
		}
	}
	written, err := store.Append(t.Context(), batch, withVectors(vectors))
	if err != nil {
		t.Fatal(err)
	}
	var ids []audit.ID
	for i, e := range batch {
		ids = append(ids, e.Signature.ID)
		want := audit.EmbeddingStored
		if i%5 == 0 {
			want = audit.EmbeddingPending
		}
		if written[i].Receipt.Embedding != want {
			t.Errorf("outcome %d: embedding %q, want %q", i, written[i].Receipt.Embedding, want)
		}
		kept := queryRows[[]float32](t, db.ReaderURL(), "SELECT vector::vector::real[] FROM embedding WHERE signature_id = $1", e.Signature.ID.String())
		if want == audit.EmbeddingStored && (len(kept) != 1 || !cmp.Equal(halfPrecision(numberedVector(i)), kept[0])) {
			t.Errorf("signature %d has the vectors %v", i, kept)
		}
	}
	stored, err := store.SignaturesStored(t.Context(), ids)
	if err != nil || len(stored) != 40 {
		t.Errorf("SignaturesStored returned %d signatures, want 40 (%v)", len(stored), err)
	}
	// checkPending reads the signatures without a vector page by page and adds their vectors.
	checkPending(t, store, batch, vectors)
}

func TestVectorsOfWrongLength(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	first, second := newEntry(t, minimalRemediation("r1")), newEntry(t, fullRemediation("r2"))
	batch := []audit.Entry{first, second}
	// Their total length is that of two correct vectors.
	uneven := postgres.Vectors{first.Signature.ID: make([]float32, 63), second.Signature.ID: make([]float32, 65)}
	if written, err := store.Append(t.Context(), batch, withVectors(uneven)); err == nil || kindsOf(err) != nil {
		t.Errorf("of different lengths: %+v, %v", written, err)
	}
	if added, err := store.AddVectors(t.Context(), uneven); err == nil || kindsOf(err) != nil {
		t.Errorf("of different lengths: %d, %v", added, err)
	}
	short := postgres.Vectors{first.Signature.ID: {1, 2, 3}, second.Signature.ID: {1, 2, 3}}
	written, err := store.Append(t.Context(), batch, withVectors(short))
	if err != nil || !errors.Is(written[0].Err, audit.ErrRefused) || !errors.Is(written[1].Err, audit.ErrRefused) {
		t.Errorf("too short: %+v, %v", written, err)
	}
	for table, n := range countRows(t, db) {
		if n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	// No vector is stored, or reported as stored, for a model that is not registered.
	other := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: "unknown"})
	pending := other.mustAppend(t, postgres.Vectors{first.Signature.ID: numberedVector(1)}, minimalRemediation("r1"))
	if got := pending[0].Receipt.Embedding; got != audit.EmbeddingPending || countRows(t, db)["embedding"] != 0 {
		t.Errorf("under an unknown model: %s, %v", got, countRows(t, db))
	}
}

// checkPending walks the queue of signatures without a vector, and empties it.
func checkPending(t *testing.T, store tapped, batch []audit.Entry, vectors postgres.Vectors) {
	t.Helper()
	var after audit.ID
	missing := postgres.Vectors{}
	for {
		page, err := store.SignaturesPending(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, signature := range page {
			if _, has := vectors[signature.ID]; has || bytes.Compare(signature.ID[:], after[:]) <= 0 {
				t.Errorf("%s is pending after %s", signature.ID, after)
			}
			after = signature.ID
			missing[signature.ID] = numberedVector(1)
		}
	}
	if len(missing) != len(batch)-len(vectors) {
		t.Errorf("%d signatures are pending, want %d", len(missing), len(batch)-len(vectors))
	}
	for _, want := range []int64{int64(len(missing)), 0} {
		if added, err := store.AddVectors(t.Context(), missing); added != want || err != nil {
			t.Errorf("%d vectors added, want %d (%v)", added, want, err)
		}
	}
	if left, err := store.SignaturesPending(t.Context(), audit.ID{}, 3); len(left) != 0 || err != nil {
		t.Errorf("%d signatures are still pending (%v)", len(left), err)
	}
}

func TestPoisonIsIsolated(t *testing.T) {
	t.Parallel()
	for _, poisoned := range [][]int{{0}, {99}, {41}, {3, 50, 51}} {
		t.Run(fmt.Sprint(poisoned), func(t *testing.T) {
			t.Parallel()
			db := postgrestest.New(t)
			store := openStore(t, db.WriterURL())
			execSQL(t, db.AdminURL(), "ALTER TABLE remediation_audit ADD CHECK (namespace <> 'poison')")
			records := numberedRecords(100, fullRemediation)
			for _, i := range poisoned {
				records[i].(*audit.Remediation).Namespace = "poison"
			}
			written, err := store.Append(t.Context(), newEntries(t, records...), nil)
			if err != nil {
				t.Fatal(err)
			}
			refused := map[int]bool{}
			for _, i := range poisoned {
				refused[i] = true
			}
			for i, w := range written {
				if refused[i] != errors.Is(w.Err, audit.ErrRefused) || !refused[i] && (w.Err != nil || w.Replayed) {
					t.Errorf("outcome %d: %+v", i, w)
				}
			}
			if got, want := countRows(t, db)["remediation_audit"], 100-len(poisoned); got != want {
				t.Errorf("%d stored, want %d", got, want)
			}
			checkJournal(t, db)
		})
	}
}

// TestSplitWritesParentsFirst checks that a split batch writes children and updates
// after the remediation they belong to.
func TestSplitWritesParentsFirst(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	execSQL(t, db.AdminURL(), "ALTER TABLE remediation_audit ADD CHECK (namespace <> 'poison')")
	store.mustAppend(t, nil, minimalRemediation("known"))
	poison := fullRemediation("poison")
	poison.Namespace = "poison"
	written, err := store.Append(t.Context(), newEntries(t,
		fullAnalysis("r", "a"), fullWorkflow("r", "w"), fullAnalysis("poison", "a"),
		&audit.Update{RemediationID: "known", Phase: new(audit.PhaseProcessing)},
		fullExecution("r", "w", "e"), poison, fullRemediation("r"),
		&audit.Update{RemediationID: "known", Phase: new(audit.PhaseCompleted)},
		toPhase("poison", audit.PhaseFailed), toPhase("new", audit.PhaseProcessing), minimalRemediation("new"),
	), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []error{nil, nil, audit.ErrNotFound, nil, nil, audit.ErrRefused, nil, nil, audit.ErrNotFound, nil, nil}
	for i, w := range written {
		if !errors.Is(w.Err, want[i]) {
			t.Errorf("outcome %d: %v, want %v", i, w.Err, want[i])
		}
	}
	checkJournal(t, db)
}

// TestIdentifiersTooLongForAnIndex checks that an entry is refused, and no other, if its
// identifiers exceed the size of an index row. Three of the maximum length in four-byte characters
// do.
func TestIdentifiersTooLongForAnIndex(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	long := make([]string, 3)
	for i := range long {
		var id strings.Builder
		for j := range 255 {
			id.WriteRune(rune(0x20000 + (i*255+j)*37%40000)) // all different, so that it cannot be compressed
		}
		long[i] = id.String()
	}
	store.mustAppend(t, nil, fullRemediation(long[0]))
	written, err := store.Append(t.Context(), newEntries(t, fullExecution(long[0], "w", "e"), fullExecution(long[0], long[1], long[2])), nil)
	if err != nil {
		t.Fatal(err)
	}
	if written[0].Err != nil {
		t.Errorf("the short one: %v", written[0].Err)
	}
	if written[1].Err != nil && !errors.Is(written[1].Err, audit.ErrRefused) {
		t.Errorf("the long one: %v", written[1].Err)
	}
}

// TestRememberedSignatureIsGone checks that a signature is stored again if the database lost it, as
// after a restore, while the store remembers it.
func TestRememberedSignatureIsGone(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	first, second := minimalRemediation("first"), minimalRemediation("second")
	store.mustAppend(t, nil, first)
	execSQL(t, db.SuperuserURL(), "SET session_replication_role = replica", "DELETE FROM remediation_audit", "DELETE FROM signature",
		"DELETE FROM signature_term")
	store.mustAppend(t, nil, second)
	if n := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM signature AS s JOIN signature_term AS t ON t.signature_id = s.id"); n == 0 {
		t.Error("the signature is not there, or without its terms")
	}
}
