package migrations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// serviceTables returns the tables of the service, those of the journal last.
func serviceTables(tb testing.TB, db *postgrestest.Database) (all, journal []string) {
	tb.Helper()
	all = queryRows[string](tb, db.ReaderURL(), `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname`)
	for _, table := range all {
		if strings.HasPrefix(table, "audit_event") {
			journal = append(journal, table)
		}
	}
	return all, journal
}

// forbiddenChanges returns statements that change or remove rows of a table, one for each kind of privilege.
func forbiddenChanges(table string) []string {
	return []string{
		"DELETE FROM " + table,
		"TRUNCATE " + table + " CASCADE",
		"MERGE INTO " + table + " AS t USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
	}
}

func filledDatabase(tb testing.TB) *postgrestest.Database {
	tb.Helper()
	db, _ := databaseWithParents(tb)
	valid := validRows()
	execSQL(tb, db.AdminURL(),
		valid["ai_analysis_audit"].insert("ai_analysis_audit"), valid["workflow_audit"].insert("workflow_audit"),
		valid["execution_audit"].insert("execution_audit"), valid["cursor_key"].insert("cursor_key"),
		valid["audit_event"].insert("audit_event"), valid["audit_event"].with(row{"recorded_at": "'1999-01-01'"}).insert("audit_event"),
		"SELECT audit_event_partitions_ahead(5)",
	)
	return db
}

func TestWriterIsRefused(t *testing.T) {
	t.Parallel()
	db := filledDatabase(t)
	conn := connect(t, db.WriterURL())
	all, journal := serviceTables(t, db)
	if len(journal) != 8 {
		t.Fatalf("the journal has the tables %v, want itself, a default and six months", journal)
	}
	for _, table := range all {
		checkRefused(t, conn, forbiddenChanges(table)...)
		if table != "remediation_audit" {
			checkRefused(t, conn, fmt.Sprintf("UPDATE %s SET %s", table, firstColumn(t, db, table)))
		}
	}
	for _, table := range slices.DeleteFunc(journal, func(table string) bool { return table == "audit_event" }) {
		checkRefused(t, conn, validRows()["audit_event"].insert(table), "SELECT FROM "+table, "COPY "+table+" TO STDOUT")
	}
	for _, column := range []string{
		"id", "remediation_id", "name", "namespace", "cluster_name", "environment", "severity", "alert_fingerprint", "action_type",
		"target_resource", "start_time", "actor", "event_id", "created_at",
	} {
		checkRefused(t, conn, fmt.Sprintf("UPDATE remediation_audit SET %[1]s = %[1]s", column))
	}
	valid := validRows()
	checkRefused(t, conn,
		valid["audit_event"].insert("audit_event")+" ON CONFLICT (recorded_at, event_id) DO UPDATE SET actor = 'x'",
		valid["signature"].insert("signature")+" ON CONFLICT (id) DO UPDATE SET text = 'x'",
		valid["embedding_model"].insert("embedding_model"),
		valid["cursor_key"].insert("cursor_key"),
		valid["stats_changed"].insert("stats_changed"),
		valid["stats_count"].insert("stats_count"),
		valid["outcome_change"].insert("outcome_change"),
		valid["outcome_hot"].insert("outcome_hot"),
		valid["outcome_facet"].insert("outcome_facet"),
		valid["outcome"].insert("outcome"),
		"INSERT INTO schema_version (version_id, is_applied) VALUES (99, true)",
		"SELECT embedding_model_register('more', 3)",
	)
	for _, column := range []string{"id", "text", "normalizer", "created_at"} {
		checkRefused(t, conn, fmt.Sprintf("UPDATE signature SET %[1]s = %[1]s", column))
	}
	checkRefused(t, conn, definitions()...)
}

// definitions returns statements that only the schema's owner may execute.
func definitions() []string {
	return []string{
		"CREATE TABLE mine (a int)",
		"CREATE SCHEMA mine",
		"CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"CREATE OR REPLACE FUNCTION audit_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
		"DROP EXTENSION vector",
		"ALTER TABLE audit_event DISABLE TRIGGER ALL",
		"ALTER TABLE audit_event DETACH PARTITION audit_event_default",
		"ALTER TABLE remediation_audit ADD COLUMN mine int",
		"DROP TABLE audit_event",
		"DROP TRIGGER audit_event_append_only ON audit_event",
		"CREATE INDEX mine ON remediation_audit (name)",
		"CREATE TRIGGER mine BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_refuse_change()",
		"CREATE RULE mine AS ON INSERT TO audit_event DO INSTEAD NOTHING",
		"SET session_replication_role = replica",
		"SET ROLE datastorage_admin",
		"COPY (SELECT 1) TO PROGRAM 'true'",
		"ALTER ROLE datastorage_writer CREATEDB",
	}
}

func TestReaderIsRefused(t *testing.T) {
	t.Parallel()
	db := filledDatabase(t)
	conn := connect(t, db.ReaderURL())
	all, _ := serviceTables(t, db)
	for _, table := range all {
		checkRefused(t, conn, forbiddenChanges(table)...)
		checkRefused(t, conn, fmt.Sprintf("UPDATE %s SET %s", table, firstColumn(t, db, table)), "SELECT FROM "+table+" FOR KEY SHARE")
	}
	for table, r := range validRows() {
		checkRefused(t, conn, r.insert(table))
	}
	checkRefused(t, conn, "UPDATE remediation_audit SET phase = 'failed'", "SELECT audit_event_partitions_ahead(1)",
		"SELECT embedding_model_register('more', 3)", "SELECT stats_roll_up('2026-01-01')",
		"SELECT outcome_merge(NULL, NULL, 0)", "SELECT signature_drop('{}', 1::smallint)")
	checkRefused(t, conn, definitions()...)
}

// TestJournalCannotBeChanged checks that not even the owner can change the journal, in any month,
// without disabling the trigger.
func TestJournalCannotBeChanged(t *testing.T) {
	t.Parallel()
	db := filledDatabase(t)
	_, journal := serviceTables(t, db)
	for _, url := range []string{db.AdminURL(), db.SuperuserURL()} {
		conn := connect(t, url)
		for _, table := range journal {
			if rows := queryValue[int](t, db.AdminURL(), "SELECT count(*) FROM "+table); rows == 0 {
				// A row trigger fires only if there is a row.
				execSQL(t, db.AdminURL(), validRows()["audit_event"].with(row{
					"recorded_at": fmt.Sprintf("to_timestamp('%s', '\"audit_event_\"YYYY_MM') + interval '5 days'", table),
				}).insert("audit_event"))
			}
			checkRefused(t, conn, forbiddenChanges(table)...)
			checkRefused(t, conn, "UPDATE "+table+" SET actor = actor", "UPDATE "+table+" SET recorded_at = recorded_at + interval '1 month'",
				"TRUNCATE "+table, "TRUNCATE remediation_audit, "+table+" CASCADE")
		}
	}
	if got := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM audit_event"); got < len(journal)-1 {
		t.Errorf("%d rows, want one in each of the partitions", got)
	}
}

// TestRolesHaveTheirPrivileges checks the privileges that the roles do have, so that the refusals above
// are not due to missing all of them.
func TestRolesHaveTheirPrivileges(t *testing.T) {
	t.Parallel()
	db := filledDatabase(t)
	writer, reader := connect(t, db.WriterURL()), connect(t, db.ReaderURL())
	valid := validRows()
	for _, table := range []string{"signature", "embedding", "remediation_audit", "audit_event"} {
		checkAllowed(t, writer, valid[table].insert(table))
	}
	for _, table := range []string{"ai_analysis_audit", "workflow_audit", "execution_audit"} {
		checkAllowed(t, writer, valid["remediation_audit"].insert("remediation_audit"),
			valid[table].with(row{"remediation_id": "'r'"}).insert(table))
	}
	for _, column := range []string{
		"phase", "status", "end_time", "duration_ms", "error_message", "workflow_yaml", "metadata", "signature_id", "updated_at",
	} {
		checkAllowed(t, writer, fmt.Sprintf("UPDATE remediation_audit SET %[1]s = %[1]s", column))
	}
	checkAllowed(t, writer, "SELECT audit_event_partitions_ahead(7)", "SELECT stats_roll_up('2026-01-01')",
		"SELECT outcome_merge(NULL, NULL, 0)", "SELECT signature_drop('{}', 1::smallint)", "UPDATE signature SET incident_id = incident_id")
	for _, table := range []string{
		"signature", "embedding", "embedding_model", "remediation_audit", "ai_analysis_audit", "workflow_audit", "execution_audit",
		"audit_event", "incident_events", "cursor_key", "schema_version", "stats_changed", "stats_daily", "stats_quarter_hour",
		"stats_count", "outcome_change", "outcome_hot", "outcome_facet", "outcome",
	} {
		checkAllowed(t, writer, "SELECT * FROM "+table)
		checkAllowed(t, reader, "SELECT * FROM "+table)
	}
	checkAllowed(t, reader, "SELECT schema_applied()")
}

func checkRefused(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := tryInTransaction(t, conn, sql); sqlState(err) != notPermitted {
			t.Errorf("%s: %v, want SQLSTATE %s", sql, err, notPermitted)
		}
	}
}

func checkAllowed(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	if err := tryInTransaction(t, conn, statements...); err != nil {
		t.Errorf("%s: %v", statements[len(statements)-1], err)
	}
}

// firstColumn returns an assignment of a column of the table to itself.
func firstColumn(tb testing.TB, db *postgrestest.Database, table string) string {
	tb.Helper()
	column := queryValue[string](tb, db.ReaderURL(),
		"SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", table)
	return fmt.Sprintf("%[1]s = %[1]s", column)
}

// TestWriterDropsOldSignaturesOnly checks that the writer can delete only unused signatures of an
// older normalizer, with their vectors and terms.
func TestWriterDropsOldSignaturesOnly(t *testing.T) {
	t.Parallel()
	db, _ := databaseWithParents(t)
	const current, absent = "'00000000-0000-8000-8000-000000000003'", "'00000000-0000-8000-8000-000000000004'"
	execSQL(t, db.AdminURL(),
		validRows()["embedding"].insert("embedding"),
		validRows()["signature"].with(row{"id": current, "normalizer": "2"}).insert("signature"))
	drop := fmt.Sprintf("SELECT signature_drop(ARRAY[%s, %s, %s, %s]::uuid[], $1::smallint)", known, spare, current, absent)
	const left = `SELECT (SELECT count(*) FROM signature) || ' signatures, ' || (SELECT count(*) FROM embedding) || ' vectors, '
		|| (SELECT count(*) FROM signature_term) || ' terms'`
	for _, step := range []struct {
		normalizer, dropped int
		left                string
	}{
		{1, 0, "3 signatures, 2 vectors, 6 terms"},
		{2, 1, "2 signatures, 1 vectors, 4 terms"},
		{2, 0, "2 signatures, 1 vectors, 4 terms"},
		{3, 1, "1 signatures, 1 vectors, 2 terms"},
	} {
		if dropped := queryValue[int](t, db.WriterURL(), drop, step.normalizer); dropped != step.dropped {
			t.Errorf("%d dropped that are older than %d, want %d", dropped, step.normalizer, step.dropped)
		}
		if got := queryValue[string](t, db.ReaderURL(), left); got != step.left {
			t.Errorf("the remaining are %s, want %s", got, step.left)
		}
	}
	if id := queryValue[string](t, db.ReaderURL(), "SELECT id::text FROM signature"); "'"+id+"'" != known {
		t.Errorf("signature %s remains, want the one with a remediation", id)
	}
	// Callers cannot substitute the tables of the function through search_path.
	if got := queryValue[string](t, db.ReaderURL(), "SELECT proconfig::text FROM pg_proc WHERE proname = 'signature_drop' AND prosecdef"); got !=
		`{"search_path=pg_catalog, public, pg_temp"}` {
		t.Errorf("signature_drop has %s", got)
	}
}
