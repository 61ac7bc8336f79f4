package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// batchOfEveryKind returns entries of every kind, which touch every table, and their vectors. One
// of its two updates is of a remediation that the batch creates.
func batchOfEveryKind(tb testing.TB, id, known string) ([]audit.Entry, postgres.Vectors) {
	tb.Helper()
	created := fullRemediation(id)
	created.ErrorMessage = new("trouble of " + withoutDigits(id))
	updated := minimalRemediation(id + " updated")
	updated.ErrorMessage = new("trouble before " + withoutDigits(id))
	batch := newEntries(tb, created, toError(known, "trouble with "+withoutDigits(id)), updated, fullAnalysis(id, "a"), fullWorkflow(id, "w"),
		fullExecution(id, "w", "e"), toError(updated.RemediationID, "trouble after "+withoutDigits(id)))
	changed := *minimalRemediation(known)
	changed.ErrorMessage = new("trouble with " + withoutDigits(id))
	return batch, postgres.Vectors{
		batch[0].Signature.ID: numberedVector(1), changed.Signature().ID: numberedVector(2), updated.Signature().ID: numberedVector(3),
	}
}

// withoutDigits replaces the digits of an ID by letters, since signatures omit digits.
func withoutDigits(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return 'a' + r - '0'
		}
		return r
	}, id)
}

// writableRows returns the rows that a failed write could have changed.
func writableRows(tb testing.TB, db *postgrestest.Database) []string {
	tb.Helper()
	parts := make([]string, len(tables))
	for i, table := range tables {
		parts[i] = fmt.Sprintf("SELECT '%[1]s ' || row_to_json(t)::text FROM %[1]s AS t", table)
	}
	return queryRows[string](tb, db.ReaderURL(), strings.Join(parts, " UNION ALL ")+" ORDER BY 1")
}

// TestAllOrNothingWhenATableRefuses lets a trigger fail each part of a write, before and after the
// row is written. It checks that nothing of the write remains, and that the write succeeds once the
// trigger is gone.
func TestAllOrNothingWhenATableRefuses(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("known"))
	execSQL(t, db.AdminURL(), `CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = TG_ARGV[0]; END $$`)
	month := queryValue[string](t, db.ReaderURL(), "SELECT to_char(now() AT TIME ZONE 'UTC', '\"audit_event_\"YYYY_MM')")
	cases := 0
	for _, c := range []struct {
		table string
		// kinds are those of the batch that touch the table.
		kinds []audit.Kind
	}{
		{"signature", []audit.Kind{audit.KindRemediation, audit.KindUpdate}},
		{"embedding_1", []audit.Kind{audit.KindRemediation, audit.KindUpdate}},
		{"remediation_audit", []audit.Kind{audit.KindRemediation, audit.KindUpdate}},
		{"ai_analysis_audit", []audit.Kind{audit.KindAIAnalysis}},
		{"workflow_audit", []audit.Kind{audit.KindWorkflow}},
		{"execution_audit", []audit.Kind{audit.KindExecution}},
		{month, []audit.Kind{audit.KindRemediation, audit.KindUpdate, audit.KindAIAnalysis, audit.KindWorkflow, audit.KindExecution}},
	} {
		for _, moment := range []string{"BEFORE", "AFTER"} {
			for _, code := range []string{"XX000", "23514"} {
				cases++
				name := fmt.Sprintf("%s %s %s", moment, c.table, code)
				execSQL(t, db.AdminURL(), fmt.Sprintf("CREATE TRIGGER injected %s INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION injected(%q)",
					moment, c.table, code))
				batch, vectors := batchOfEveryKind(t, fmt.Sprint("created ", cases), "known")
				before := writableRows(t, db)
				if code == "XX000" {
					// An error that the data did not cause fails the whole batch.
					checkFails(t, name, store, batch, vectors)
				}
				checkAlone(t, name, store, batch, vectors, c.kinds, code)
				if diff := cmp.Diff(before, writableRows(t, db)); diff != "" {
					t.Errorf("%s: (-before +after)\n%.2000s", name, diff)
				}
				execSQL(t, db.AdminURL(), "DROP TRIGGER injected ON "+c.table)
				written, err := store.Append(t.Context(), batch, withVectors(vectors))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for i, w := range written {
					if w.Err != nil || w.Replayed || w.Receipt.EventID != batch[i].EventID {
						t.Errorf("%s: %s afterwards: %+v", name, batch[i].Kind, w)
					}
				}
			}
		}
	}
	checkJournal(t, db)
}

func checkFails(t *testing.T, name string, store tapped, batch []audit.Entry, vectors postgres.Vectors) {
	t.Helper()
	if _, err := store.Append(t.Context(), batch, withVectors(vectors)); err == nil || errors.Is(err, audit.ErrRefused) || errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("%s: %v, want an error of the service", name, err)
	}
}

// checkAlone writes the entries that touch the failing table one by one.
func checkAlone(
	t *testing.T, name string, store tapped, batch []audit.Entry, vectors postgres.Vectors, kinds []audit.Kind, code string,
) {
	t.Helper()
	touching := map[audit.Kind]bool{}
	for _, kind := range kinds {
		touching[kind] = true
	}
	for _, e := range batch {
		if !touching[e.Kind] || e.Kind == audit.KindUpdate && e.RemediationID != "known" {
			continue
		}
		if e.Kind != audit.KindUpdate && e.Kind != audit.KindRemediation {
			// The remediation of the batch does not exist yet.
			e = newEntry(t, movedToKnown(e.Record))
		}
		if code == "XX000" {
			checkFails(t, name, store, []audit.Entry{e}, vectors)
			continue
		}
		written, err := store.Append(t.Context(), []audit.Entry{e}, withVectors(vectors))
		if err != nil || !errors.Is(written[0].Err, audit.ErrRefused) {
			t.Errorf("%s: %s: %v %+v, want audit.ErrRefused", name, e.Kind, err, written)
		}
	}
}

func movedToKnown(record audit.Record) audit.Record {
	switch record := record.(type) {
	case *audit.AIAnalysis:
		moved := *record
		moved.RemediationID = "known"
		return &moved
	case *audit.Workflow:
		moved := *record
		moved.RemediationID = "known"
		return &moved
	case *audit.Execution:
		moved := *record
		moved.RemediationID = "known"
		return &moved
	}
	return record
}

// TestConnectionCut cuts the connection before the server receives the commit, or after it has
// committed and before the client knows. A single statement is its own commit.
func TestConnectionCut(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	for name, c := range map[string]struct {
		// statement commits the write.
		statement string
		batch     func(store tapped, id string) ([]audit.Entry, postgres.Vectors)
	}{
		"remediation": {"RemediationAppend", func(_ tapped, id string) ([]audit.Entry, postgres.Vectors) {
			batch, vectors := batchOfEveryKind(t, id, "none")
			return batch[:1], vectors
		}},
		"500 remediations": {"RemediationAppend", func(_ tapped, id string) ([]audit.Entry, postgres.Vectors) {
			return newEntries(t, numberedRecords(500, func(n string) *audit.Remediation { return fullRemediation(id + n) })...), nil
		}},
		"ai_analysis": {"AIAnalysisAppend", func(store tapped, id string) ([]audit.Entry, postgres.Vectors) {
			store.mustAppend(t, nil, minimalRemediation(id))
			return newEntries(t, fullAnalysis(id, "a")), nil
		}},
		"workflow": {"WorkflowAppend", func(store tapped, id string) ([]audit.Entry, postgres.Vectors) {
			store.mustAppend(t, nil, minimalRemediation(id))
			return newEntries(t, fullWorkflow(id, "w")), nil
		}},
		"execution": {"ExecutionAppend", func(store tapped, id string) ([]audit.Entry, postgres.Vectors) {
			store.mustAppend(t, nil, minimalRemediation(id))
			return newEntries(t, fullExecution(id, "w", "e")), nil
		}},
		"update": {"commit", func(store tapped, id string) ([]audit.Entry, postgres.Vectors) {
			store.mustAppend(t, nil, minimalRemediation(id))
			return newEntries(t, toError(id, "disk full")), nil
		}},
		"everything": {"commit", func(store tapped, id string) ([]audit.Entry, postgres.Vectors) {
			store.mustAppend(t, nil, minimalRemediation("known "+id))
			return batchOfEveryKind(t, id, "known "+id)
		}},
	} {
		for _, moment := range []string{"before", "after"} {
			t.Run(name+" "+moment, func(t *testing.T) {
				t.Parallel()
				store := openStore(t, db.WriterURL())
				batch, vectors := c.batch(store, name+" "+moment)
				checkCut(t, db, store, batch, vectors, c.statement, moment)
			})
		}
	}
}

func checkCut(
	t *testing.T, db *postgrestest.Database, store tapped, batch []audit.Entry, vectors postgres.Vectors, statement, moment string,
) {
	t.Helper()
	ids := make([]string, len(batch))
	for i, e := range batch {
		ids[i] = e.EventID.String()
	}
	journaled := func() int {
		return queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM audit_event WHERE event_id = ANY($1::uuid[])", ids)
	}
	want := 0
	if moment == "before" {
		store.Tap.CutBefore(statement, 0)
	} else {
		store.Tap.CutAfter(statement, 0)
		want = len(batch)
	}
	// Checked when the store retries.
	store.Tap.Before(statement, 0, func() {
		if got := journaled(); got != want {
			t.Errorf("%d journal entries after the connection was cut, want %d", got, want)
		}
	})
	written, err := store.Append(t.Context(), batch, withVectors(vectors))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written {
		e := batch[i]
		if e.Kind == audit.KindUpdate && moment == "after" {
			// The first attempt stored the state, so the second one finds a replay.
			if w.Err != nil || !w.Replayed || *w.Remediation.ErrorMessage != *e.Record.(*audit.Update).ErrorMessage.Value {
				t.Errorf("update: %+v", w)
			}
			continue
		}
		if w.Err != nil || w.Replayed || w.Receipt.EventID != e.EventID || w.Receipt.LeafHash != audit.LeafHash(e.Canonical()) {
			t.Errorf("%s %d: %+v", e.Kind, i, w)
		}
	}
	if got := journaled(); got != len(batch) {
		t.Errorf("%d journal entries, want %d", got, len(batch))
	}
}

// TestServerKilled kills the server during a write and restarts it on the same port.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	server := postgrestest.NewServer(t)
	db := postgrestest.NewOn(t, server)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, minimalRemediation("known"))
	for i, statement := range []string{"RemediationAppend", "AIAnalysisAppend", "commit"} {
		batch, vectors := batchOfEveryKind(t, fmt.Sprint("killed before ", i), "known")
		restarted := make(chan struct{})
		store.Tap.Before(statement, 0, func() {
			if err := postgrestest.Kill(t.Context(), server); err != nil {
				t.Error(err)
			}
			go func() {
				defer close(restarted)
				if err := server.Restart(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		})
		written, err := store.Append(t.Context(), batch, withVectors(vectors))
		<-restarted // Append may have given up before the server was even started again
		if err != nil {
			// The server was down for longer than the attempts of one call; the caller retries.
			if !errors.Is(err, audit.ErrUnavailable) {
				t.Errorf("%s: %v, want audit.ErrUnavailable", statement, err)
			}
			written, err = store.Append(t.Context(), batch, withVectors(vectors))
		}
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		for j, w := range written {
			if w.Err != nil || w.Replayed {
				t.Errorf("%s: %s: %+v", statement, batch[j].Kind, w)
			}
		}
	}
	if got, want := countRows(t, db)["audit_event"], 1+3*7; got != want {
		t.Errorf("%d journal entries, want %d", got, want)
	}
	checkJournal(t, db)
}
