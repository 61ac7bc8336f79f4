package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// frequentRemediation has one of few signatures, some of which are frequent enough for outcomes to be
// counted.
func frequentRemediation(random *rand.Rand, i int) *audit.Remediation {
	r := randomRemediation(random, i)
	r.Name, r.ErrorMessage, r.WorkflowYAML = pickWord(random, "DiskFull", "Latency", "rare alert"), nil, nil
	r.ActionType, r.TargetResource = pickWord(random, "restart_pod", "drain"), optionally(random, fmt.Sprint("pod/", random.IntN(8)))
	r.StartTime = r.StartTime.Add(time.Duration(random.IntN(60)) * time.Minute)
	if r.EndTime != nil {
		r.EndTime = new(r.StartTime.Add(time.Minute))
	}
	return r
}

// checkOutcomes compares Incidents with a loop over the remediations, for all filters, with and
// without an exception.
func (c *corpus) checkOutcomes(t *testing.T, random *rand.Rand) {
	t.Helper()
	incidents := c.incidentIDs()
	for i, f := range c.filters(random, 20) {
		var except *string
		if i%2 == 0 {
			except = &c.stored[random.IntN(len(c.stored))].RemediationID
		}
		newest := random.IntN(5)
		got, err := c.Incidents(t.Context(), incidents, f, postgres.IncidentOptions{Newest: newest, Except: except})
		if err != nil {
			t.Fatal(err)
		}
		want := map[audit.ID]*postgres.Incident{}
		for _, s := range c.matchingRemediations(f) {
			if except == nil || s.RemediationID != *except {
				countIn(want, c.incidents[s.SignatureID], s, newest)
			}
		}
		for _, of := range want {
			slices.SortFunc(of.Actions, func(a, b postgres.ActionCounts) int { return cmp.Compare(a.ActionType, b.ActionType) })
		}
		byID := cmpopts.SortSlices(func(a, b audit.ID) bool { return slices.Compare(a[:], b[:]) < 0 })
		if diff := diffOf(want, got, cmpopts.EquateEmpty(), byID); diff != "" {
			t.Errorf("%+v except %v (-want +got):\n%.3000s", f, except, diff)
		}
	}
}

// recountAll counts every day and signature again, and fails the test if a count was wrong.
func (c *corpus) recountAll(t *testing.T) {
	t.Helper()
	for _, sql := range []string{
		"SELECT coalesce(sum(outcome_merge(NULL, signature_id, 0)), 0)::bigint FROM outcome_hot",
		"SELECT coalesce(sum(outcome_merge((period AT TIME ZONE 'UTC')::date, NULL, 0)), 0)::bigint FROM stats_count WHERE dimension = 'all' AND grain = 'day'",
	} {
		if wrong := queryValue[int](t, c.db.AdminURL(), sql); wrong != 0 {
			t.Errorf("%d counts were wrong: %s", wrong, sql)
		}
	}
}

// TestOutcomes compares outcomes with a loop over the remediations before any signature is counted,
// after that, with changes that are not merged, and with all merged.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	c := newCorpusOf(t, 0, frequentRemediation)
	random := rand.New(rand.NewPCG(21, 22))
	add := func(from, n int) {
		var batch []audit.Entry
		for i := range n {
			batch = append(batch, newEntry(t, frequentRemediation(random, from+i)))
		}
		c.add(t, random, batch)
		c.sort()
	}
	withoutMerges(t, c.db, func() {
		for i := range 4 {
			add(500*i, 500)
		}
		c.checkOutcomes(t, random)
	})
	c.merge(t)
	if n := queryValue[int](t, c.db.ReaderURL(), "SELECT count(*) FROM outcome_hot"); n < 2 {
		t.Errorf("outcomes of %d signatures are counted", n)
	}
	c.checkOutcomes(t, random)
	withoutMerges(t, c.db, func() {
		add(10_000, 200)
		c.changeSome(t, random)
		c.checkOutcomes(t, random)
		c.checkNearest(t)
		c.checkLexical(t)
	})
	c.merge(t)
	c.checkOutcomes(t, random)
	c.recountAll(t)
	c.checkOutcomes(t, random)
	execSQL(t, c.db.AdminURL(), "TRUNCATE remediation_audit CASCADE")
	c.stored = nil
	for _, table := range []string{"outcome_change", "outcome_hot", "outcome_facet", "outcome", "stats_count"} {
		if n := queryValue[int](t, c.db.ReaderURL(), "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
}

// changeSome updates some remediations through the store, and changes and deletes others as the
// owner.
func (c *corpus) changeSome(t *testing.T, random *rand.Rand) {
	t.Helper()
	var gone []string
	for i := range c.stored {
		s := &c.stored[i]
		switch choice := random.IntN(12); {
		case choice < 3 && s.Phase == audit.PhasePending:
			s.Phase, s.Status = audit.PhaseProcessing, pickWord(random, audit.Statuses()...)
			c.mustAppend(t, nil, &audit.Update{RemediationID: s.RemediationID, Phase: &s.Phase, Status: &s.Status})
		case choice == 3:
			gone = append(gone, s.RemediationID)
		}
	}
	deleted := c.stored[0].RemediationID // the newest
	gone = append(gone, deleted, c.stored[len(c.stored)-1].RemediationID)
	conn := connectTo(t, c.db.AdminURL())
	if _, err := conn.Exec(t.Context(), "DELETE FROM remediation_audit WHERE remediation_id = ANY($1)", gone); err != nil {
		t.Fatal(err)
	}
	c.stored = slices.DeleteFunc(c.stored, func(s audit.Stored) bool { return slices.Contains(gone, s.RemediationID) })
	for i := range c.stored[:20] {
		s := &c.stored[i]
		s.StartTime, s.EndTime, s.Namespace = s.StartTime.AddDate(0, -2, 0), nil, "moved"
		_, err := conn.Exec(t.Context(), "UPDATE remediation_audit SET start_time = $2, end_time = NULL, namespace = $3 WHERE remediation_id = $1",
			s.RemediationID, s.StartTime, s.Namespace)
		if err != nil {
			t.Fatal(err)
		}
	}
	c.sort()
}

// TestOutcomesOfManyTargets checks that a signature with many targets is counted without them, when it
// becomes frequent and later.
func TestOutcomesOfManyTargets(t *testing.T) {
	t.Parallel()
	c := newCorpusOf(t, 0, frequentRemediation)
	random := rand.New(rand.NewPCG(23, 24))
	add := func(name string, from, n, targets int) {
		for begin := 0; begin < n; begin += 500 {
			var batch []audit.Entry
			for i := begin; i < min(n, begin+500); i++ {
				r := minimalRemediation(fmt.Sprint(name, from+i))
				r.Name, r.TargetResource, r.AlertFingerprint = name, new(fmt.Sprint("pod/", (from+i)%targets)), new(fmt.Sprint((from+i)%targets))
				r.StartTime = start.Add(time.Duration(i) * time.Second)
				batch = append(batch, newEntry(t, r))
			}
			c.add(t, random, batch)
		}
		c.sort()
	}
	counted := func(want ...string) {
		t.Helper()
		c.merge(t)
		c.merge(t) // a signature that has become crowded is counted again by the next merge that sees it changed
		got := queryRows[string](t, c.db.ReaderURL(), `SELECT h.resources || ' ' || split_part(s.text, E'\n', 1)
			FROM outcome_hot AS h JOIN signature AS s ON s.id = h.signature_id ORDER BY 1`)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
		c.checkOutcomes(t, random)
	}
	add("few", 0, 300, 10)
	add("many", 0, 1500, 1200)
	counted("false many", "true few")
	add("few", 300, 1500, 1_000_000)
	c.merge(t)
	add("few", 5000, 100, 10)
	counted("false few", "false many")
	c.recountAll(t)
}

// TestOutcomesWhileWritten compares counts with the records in one snapshot while writers create and
// update remediations of one signature and merges run.
func TestOutcomesWhileWritten(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, numberedRecords(300, minimalRemediation)...)
	store.merge(t)
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	for writer := range 3 {
		group.Go(func() error {
			for i := 0; ctx.Err() == nil; i++ {
				r := minimalRemediation(fmt.Sprintf("w%d-%d", writer, i))
				r.StartTime, r.Severity = start.Add(time.Duration(i%2000)*time.Minute), audit.Severities()[i%3]
				store.mustAppend(t, nil, r)
				store.mustAppend(t, nil, &audit.Update{RemediationID: r.RemediationID, Status: new(audit.Statuses()[i%4])})
			}
			return nil
		})
	}
	group.Go(func() error { return rollUpAgain(ctx, store) })
	conn := connectTo(t, db.ReaderURL())
	signature := newEntry(t, minimalRemediation("any")).Signature.ID
	for range 60 {
		compareOutcomes(t, conn, signature)
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	compareOutcomes(t, conn, signature)
	if hot := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM outcome_hot"); hot != 1 {
		t.Errorf("%d signatures are counted, want 1", hot)
	}
}

// compareOutcomes compares the functions with plain statements in one snapshot.
func compareOutcomes(t *testing.T, conn *pgx.Conn, signature audit.ID) {
	t.Helper()
	tx, err := conn.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	for filter, where := range map[string]string{
		"{}": "true", `{"status": ["success", "pending"]}`: "status IN ('success', 'pending')",
		`{"severity": ["critical"], "since": "2026-01-02T05:00:00Z", "until": "2026-01-03T05:10:01Z"}`: `severity = 'critical'
			AND start_time >= '2026-01-02T05:00:00Z' AND start_time < '2026-01-03T05:10:01Z'`,
	} {
		const got = `SELECT c.occurrences, c.success, c.failure,
				(SELECT start_time FROM outcome_walk($1, $2, NULL, true, 1)), (SELECT start_time FROM outcome_walk($1, $2, NULL, false, 1))
			FROM outcome_counts($1, $2, NULL) AS c`
		want := `SELECT count(*), count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'failure'),
			min(start_time), max(start_time) FROM remediation_audit WHERE signature_id = $1 AND ` + where + ` HAVING count(*) > 0`
		var counted, plain []string
		for rows, query := range map[*[]string]func() (pgx.Rows, error){
			&counted: func() (pgx.Rows, error) { return tx.Query(t.Context(), got, signature, filter) },
			&plain:   func() (pgx.Rows, error) { return tx.Query(t.Context(), want, signature) },
		} {
			found, err := query()
			if err != nil {
				t.Fatal(err)
			}
			*rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (string, error) {
				values, err := row.Values()
				return fmt.Sprint(values), err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := gocmp.Diff(plain, counted); diff != "" {
			t.Errorf("%s (-records +counts):\n%s", filter, diff)
		}
	}
}
