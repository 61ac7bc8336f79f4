package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgres"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// TestPlansOfAnEmptyDatabase checks that the functions whose statements a session plans once scan no
// whole table if the tables were empty when they were planned and have grown since.
func TestPlansOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	// A vacuum tells the planner that the tables are empty.
	execSQL(t, db.SuperuserURL(), "VACUUM ANALYZE")
	store := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model, MaxConns: 1})
	callPlannedOnce(t, store, "empty")
	// No ANALYZE and no index, which would make the session plan again.
	execSQL(t, db.SuperuserURL(), grownData()...)
	before := rowsScanned(t, db)
	callPlannedOnce(t, store, "full")
	execSQL(t, db.SuperuserURL(), "VACUUM ANALYZE remediation_audit, signature, embedding, audit_event")
	callPlannedOnce(t, store, "analyzed")
	checkRowsScanned(t, db, before)
}

// TestOutcomePlansOfAnEmptyDatabase is the same test for the functions that count the outcomes of a frequent signature.
func TestOutcomePlansOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	execSQL(t, db.SuperuserURL(), "VACUUM ANALYZE")
	store := openStore(t, db.WriterURL())
	store.mustAppend(t, nil, numberedRecords(300, minimalRemediation)...)
	store.merge(t)
	session, signature := connectTo(t, db.WriterURL()), newEntry(t, minimalRemediation("any")).Signature.ID
	checkFrequent(t, session, signature, 300)
	execSQL(t, db.SuperuserURL(), append(grownData(), grownOutcomes()...)...)
	before := rowsScanned(t, db)
	checkFrequent(t, session, signature, 300)
	checkRowsScanned(t, db, before)
}

// checkFrequent calls the functions with filters that all remediations of a frequent signature match, and fails the test if they do not find
// all of them.
func checkFrequent(t *testing.T, session *pgx.Conn, signature audit.ID, occurrences int64) {
	t.Helper()
	for _, filter := range []string{
		"{}", `{"phase": ["pending", "processing", "completed", "failed"]}`, `{"since": "2020-01-01T00:00:01Z", "until": "2029-01-01T00:00:01Z"}`,
	} {
		var counted, walked int64
		err := session.QueryRow(t.Context(), `SELECT
			(SELECT sum(occurrences) FROM outcome_counts($1, $2, NULL)), (SELECT count(*) FROM outcome_walk($1, $2, NULL, false, 1000))`,
			signature, filter).Scan(&counted, &walked)
		if err != nil || counted != occurrences || walked != occurrences {
			t.Errorf("%s: counted %d, found %d (%v), want %d", filter, counted, walked, err, occurrences)
		}
	}
}

// grownOutcomes inserts counts of 20,000 other signatures and changes of as many.
func grownOutcomes() []string {
	const facets = `'name', 'namespace', 'unknown', 'action', 'completed', 'success'`
	return []string{
		`INSERT INTO outcome_hot SELECT md5('s' || s)::uuid, true FROM generate_series(1, 20000) AS s`,
		`INSERT INTO outcome (signature_id, grain, period, facets, n)
			SELECT md5('s' || s)::uuid, 'month', '2026-01-01Z', md5('f')::uuid, 1 FROM generate_series(1, 20000) AS s`,
		`INSERT INTO outcome_facet (signature_id, facets, name, namespace, severity, action_type, phase, status)
			SELECT md5('s' || s)::uuid, md5('f')::uuid, ` + facets + ` FROM generate_series(1, 20000) AS s`,
		`INSERT INTO outcome_change (n, signature_id, start_time, name, namespace, severity, action_type, phase, status)
			SELECT 1, md5('s' || s)::uuid, now(), ` + facets + ` FROM generate_series(1, 20000) AS s`,
	}
}

// TestPlansOutliveANewColumn checks that sessions with plans continue when a migration adds a column, as in a deployment: the functions
// are applied after it, and the old code keeps running.
func TestPlansOutliveANewColumn(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStoreWith(t, postgres.Config{URL: db.WriterURL(), Model: postgrestest.Model, MaxConns: 1})
	callPlannedOnce(t, store, "before")
	execSQL(t, db.AdminURL(), "ALTER TABLE remediation_audit ADD COLUMN added_later text")
	callPlannedOnce(t, store, "after")
}

// callPlannedOnce appends new, known and stored records, alone and in batches, and reads them.
func callPlannedOnce(t *testing.T, store tapped, prefix string) {
	t.Helper()
	store.Tap.Reset()
	made := numberedRecords(50, func(id string) *audit.Remediation { return minimalRemediation(prefix + id) })
	store.mustAppend(t, nil, made[0])
	for range 2 {
		store.mustAppend(t, nil, made[1])
		store.mustAppend(t, nil, made...)
		other := fullRemediation(prefix)
		other.Namespace = prefix
		signature := newEntry(t, other).Signature.ID
		store.mustAppend(t, postgres.Vectors{signature: numberedVector(1)}, other)
	}
	last := made[49].(*audit.Remediation).RemediationID
	_, get := store.Remediation(t.Context(), last)
	_, children := store.Children(t.Context(), last)
	if err := errors.Join(get, children); err != nil {
		t.Error(err)
	}
	for _, after := range []*audit.HistoryPosition{nil, {RecordedAt: start}} {
		if page, err := store.History(t.Context(), last, 10, after); err != nil || len(page.Data) != 1 {
			t.Errorf("a history of %d entries, %v", len(page.Data), err)
		}
	}
	for _, after := range []*audit.Position{nil, {Time: time.Now().AddDate(1, 0, 0), ID: 1}} {
		if page, err := store.List(t.Context(), audit.Filter{}, audit.PageRequest{Limit: 10, After: after}); err != nil || len(page.Data) != 10 {
			t.Errorf("a list of %d remediations, %v", len(page.Data), err)
		}
	}
	var names []string
	for _, s := range store.Tap.Statements() {
		names = append(names, s.Name())
	}
	for _, want := range []string{
		"RemediationAppend", "RemediationAppendKnown", "RemediationGet", "RemediationChildKinds", "AuditEventHistory", "RemediationNewest",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("the statements %v lack %s", names, want)
		}
	}
}

// grownData inserts the rows of a large installation with all indexes in place.
func grownData() []string {
	return []string{
		"SET session_replication_role = replica",
		`INSERT INTO signature (id, text, normalizer) SELECT md5('s' || s)::uuid, 'signature ' || s, 1 FROM generate_series(1, 20000) AS s`,
		fmt.Sprintf(`INSERT INTO embedding (model_id, signature_id, vector)
			SELECT 1, md5('s' || s)::uuid, ARRAY(SELECT random() - 0.5 + 0 * s FROM generate_series(1, %d))::real[]::vector::halfvec
			FROM generate_series(1, 3000) AS s`, postgrestest.Dimensions),
		`INSERT INTO remediation_audit (remediation_id, name, namespace, action_type, phase, status, start_time, signature_id, actor,
			event_id, created_at, updated_at)
		SELECT 'r' || i, 'name ' || i % 50, 'namespace ' || i % 200, 'action', 'completed', 'success',
			'2026-01-01'::timestamptz + i * interval '1 minute', md5('s' || i % 20000)::uuid, 'a', gen_random_uuid(), now(), now()
		FROM generate_series(1, 100000) AS i`,
		`INSERT INTO audit_event (event_id, recorded_at, kind, remediation_id, actor, canonical, content_hash)
		SELECT gen_random_uuid(), now() + i * interval '1 second', 'remediation', 'r' || i, 'a', '{}', sha256('')
		FROM generate_series(1, 20000) AS i`,
	}
}

// checkRowsScanned ends the sessions of writers, which report their scans by their end at the latest, and fails the test if they have
// scanned a large table since before.
func checkRowsScanned(t *testing.T, db *postgrestest.Database, before map[string]int64) {
	t.Helper()
	execSQL(t, db.SuperuserURL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'datastorage_writer' AND datname = current_database()")
	db.AwaitSessions(t, 0, "usename = 'datastorage_writer'")
	for table, n := range rowsScanned(t, db) {
		if scanned := n - before[table]; scanned > 500 {
			t.Errorf("%d rows of %s were read by scans of the table", scanned, table)
		}
	}
}

// rowsScanned returns how many rows were read by sequential scans, by table.
func rowsScanned(t *testing.T, db *postgrestest.Database) map[string]int64 {
	t.Helper()
	scanned := map[string]int64{}
	const sql = `SELECT relname || ' ' || seq_tup_read FROM pg_stat_user_tables`
	for _, row := range queryRows[string](t, db.SuperuserURL(), sql) {
		var table string
		var n int64
		if _, err := fmt.Sscan(row, &table, &n); err != nil {
			t.Fatal(err)
		}
		scanned[table] = n
	}
	return scanned
}

// TestColumnsAgreeWithTheJournal writes remediations whose fields differ and are missing at random,
// alone and in batches, of new and of known signatures: the columns are what the journal says.
func TestColumnsAgreeWithTheJournal(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	store := openStore(t, db.WriterURL())
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same records in every run
	for i := range 100 {
		store.mustAppend(t, nil, scatteredRemediation(random, fmt.Sprint("alone ", i)))
	}
	for i := range 5 {
		store.mustAppend(t, nil, numberedRecords(50, func(id string) *audit.Remediation { return scatteredRemediation(random, fmt.Sprint(i, id)) })...)
	}
	if got := countRows(t, db); got["remediation_audit"] != 350 || got["signature"] == 350 {
		t.Errorf("rows %v, want 350 remediations that share signatures", got)
	}
	checkJournal(t, db)
}

// scatteredRemediation has a different text in every field that it has.
func scatteredRemediation(random *rand.Rand, id string) *audit.Remediation {
	text := func(field string) string { return fmt.Sprint(field, " ", unicode, " ", random.IntN(3)) }
	maybe := func(field string) *string {
		if random.IntN(3) == 0 {
			return nil
		}
		return new(text(field))
	}
	r := &audit.Remediation{
		RemediationID: id, Name: text("name"), Namespace: text("namespace"), ClusterName: maybe("cluster"),
		Severity: audit.Severity([]string{"critical", "high", "low", "unknown"}[random.IntN(4)]), AlertFingerprint: maybe("print"),
		ActionType: text("action"), TargetResource: maybe("pod/target"), Phase: audit.PhaseProcessing, Status: "running",
		StartTime: start.Add(time.Duration(random.Int64N(1e15)) * time.Microsecond), ErrorMessage: maybe("error"), WorkflowYAML: maybe("steps"),
		Metadata: audit.Metadata(fmt.Sprintf(`{"n":%d}`, random.IntN(1e6))),
	}
	if random.IntN(2) == 0 {
		r.Environment = new(audit.Environment("staging"))
	}
	if random.IntN(2) == 0 {
		r.Phase, r.Status = audit.PhaseFailed, "failure"
		r.EndTime = new(r.StartTime.Add(time.Duration(random.Int64N(1e9)) * time.Microsecond))
		r.DurationMS = new(r.EndTime.Sub(r.StartTime).Milliseconds())
	}
	return r
}
