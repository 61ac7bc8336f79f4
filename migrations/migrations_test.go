package migrations_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

func namesOf(files []migrations.Migration) []string {
	var names []string
	for _, file := range files {
		names = append(names, file.Name)
	}
	return names
}

// namesAfter returns the names of the files that Up applies to a schema of the given version: the
// later migrations and every function.
func namesAfter(version int64) []string {
	return namesOf(slices.DeleteFunc(migrations.All(), func(m migrations.Migration) bool { return 0 < m.Version && m.Version <= version }))
}

// appliedFiles returns the migrations and functions that the database records as applied, in the order
// of All.
func appliedFiles(tb testing.TB, db *postgrestest.Database) []string {
	tb.Helper()
	versions := queryRows[int64](tb, db.AdminURL(), "SELECT version_id FROM schema_version ORDER BY id")
	functions := queryRows[string](tb, db.AdminURL(), "SELECT name FROM schema_function")
	return namesOf(slices.DeleteFunc(migrations.All(), func(m migrations.Migration) bool {
		return !slices.Contains(functions, m.Name) && (m.Version == 0 || !slices.Contains(versions, m.Version))
	}))
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	numbered := slices.DeleteFunc(migrations.All(), func(m migrations.Migration) bool { return m.Version == 0 })
	for i, migration := range numbered {
		if prefix := fmt.Sprintf("%04d_", i+1); migration.Version != int64(i+1) || !strings.HasPrefix(migration.Name, prefix) {
			t.Errorf("migration %d is %s, version %d", i+1, migration.Name, migration.Version)
		}
		if !strings.HasPrefix(migration.SQL, "-- +goose Up") {
			t.Errorf("%s does not start with +goose Up", migration.Name)
		}
	}
	if migrations.Latest() != int64(len(numbered)) {
		t.Errorf("Latest() = %[2]d, want %[1]d", len(numbered), migrations.Latest())
	}
}

func TestUpFromEmptyThenAgain(t *testing.T) {
	t.Parallel()
	db := newEmptyDatabase(t)
	for i, want := range [][]string{namesAfter(0), nil} {
		got, err := migrations.Up(t.Context(), db.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, namesOf(got)); diff != "" {
			t.Errorf("run %d applied (-want +got):\n%s", i+1, diff)
		}
		if diff := cmp.Diff(namesAfter(0), appliedFiles(t, db)); diff != "" {
			t.Errorf("recorded after run %d (-want +got):\n%s", i+1, diff)
		}
	}
	if diff := cmp.Diff(catalogue(t, postgrestest.New(t)), catalogue(t, db)); diff != "" {
		t.Errorf("the schema (-postgrestest's +this):\n%s", diff)
	}
}

// catalogue lists the parts of a schema, one per line, except those that depend on an embedding
// model or the calendar.
func catalogue(tb testing.TB, db *postgrestest.Database) []string {
	tb.Helper()
	return queryRows[string](tb, db.AdminURL(), `
		SELECT format('column %s %s %s %s %s', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull)
		FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
		WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT relispartition AND relkind IN ('r', 'p', 'v')
		UNION ALL
		SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(o.oid))
		FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = conrelid
		WHERE connamespace = 'public'::regnamespace AND NOT relispartition
		UNION ALL
		SELECT format('index %s', indexdef) FROM pg_indexes JOIN pg_class AS c ON c.oid = indexname::regclass
		WHERE schemaname = 'public' AND NOT relispartition AND indexname NOT LIKE '%hnsw'
		UNION ALL
		SELECT format('grant %s %s %s %s', table_name, column_name, grantee, privilege_type) FROM information_schema.column_privileges
		WHERE table_schema = 'public' AND grantee <> 'datastorage_admin'
		UNION ALL
		SELECT format('function %s %s', pg_get_functiondef(p.oid), proacl) FROM pg_proc AS p
		WHERE pronamespace = 'public'::regnamespace AND proowner = 'datastorage_admin'::regrole
		UNION ALL
		SELECT format('trigger %s %s', tgrelid::regclass, tgname) FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid
		WHERE NOT tgisinternal AND NOT relispartition
		ORDER BY 1`)
}

// rowsByVersion returns, by version, statements that insert the rows that the version makes possible.
func rowsByVersion() map[int64][]string {
	valid := validRows()
	signature := valid["signature"]
	for _, since9 := range []string{"terms", "counts", "length", "analyzer"} {
		delete(signature, since9)
	}
	return map[int64][]string{
		2: {
			signature.with(row{"id": known}).insert("signature"),
			"SELECT embedding_model_register('test', 64)",
			valid["embedding"].with(row{"signature_id": known}).insert("embedding"),
		},
		3: {valid["remediation_audit"].with(row{"remediation_id": "'known'"}).insert("remediation_audit")},
		4: {
			valid["ai_analysis_audit"].insert("ai_analysis_audit"), valid["workflow_audit"].insert("workflow_audit"),
			valid["execution_audit"].insert("execution_audit"),
		},
		5: {valid["audit_event"].insert("audit_event")},
	}
}

// TestUpFromEveryVersion checks that an upgrade from any version, with data, loses nothing and
// results in the schema of a new database.
func TestUpFromEveryVersion(t *testing.T) {
	t.Parallel()
	want := catalogue(t, postgrestest.New(t))
	for version := int64(1); version <= migrations.Latest(); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			db := newEmptyDatabase(t)
			if _, err := migrations.UpTo(t.Context(), db.AdminURL(), version); err != nil {
				t.Fatal(err)
			}
			for since := int64(1); since <= version; since++ {
				execSQL(t, db.AdminURL(), rowsByVersion()[since]...)
			}
			before := tableContents(t, db)
			pending, err := migrations.Pending(t.Context(), db.AdminURL())
			if err != nil {
				t.Fatal(err)
			}
			got, err := migrations.Up(t.Context(), db.AdminURL())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(namesAfter(version), namesOf(got)); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(namesOf(pending), namesOf(got)); diff != "" {
				t.Errorf("applied (-pending +got):\n%s", diff)
			}
			now := tableContents(t, db)
			for table, rows := range before {
				if diff := cmp.Diff(rows, withoutNewColumns(t, now[table], rows)); diff != "" {
					t.Errorf("%s (-before +after):\n%s", table, diff)
				}
			}
			if diff := cmp.Diff(want, catalogue(t, db)); diff != "" {
				t.Errorf("the schema (-want +got):\n%s", diff)
			}
			for _, index := range queryRows[string](t, db.AdminURL(), "SELECT indexdef FROM pg_indexes WHERE indexname LIKE '%hnsw'") {
				if !strings.Contains(index, "(ef_construction='200')") {
					t.Errorf("an index with the settings of an older version: %s", index)
				}
			}
		})
	}
}

// withoutNewColumns reduces the rows now to the columns of the rows before.
func withoutNewColumns(t *testing.T, now, before []string) []string {
	t.Helper()
	if len(now) != len(before) {
		return now
	}
	reduced := make([]string, len(now))
	for i := range now {
		var had, has map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal([]byte(before[i]), &had), json.Unmarshal([]byte(now[i]), &has)); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(has, func(column string, _ json.RawMessage) bool { return had[column] == nil })
		reduced[i] = before[i]
		if !maps.EqualFunc(had, has, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			reduced[i] = now[i]
		}
	}
	return reduced
}

// tableContents returns all rows of all tables of the service, by table.
func tableContents(tb testing.TB, db *postgrestest.Database) map[string][]string {
	tb.Helper()
	held := map[string][]string{}
	for _, table := range queryRows[string](tb, db.AdminURL(), `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'schema_%'`) {
		held[table] = queryRows[string](tb, db.AdminURL(), "SELECT row_to_json(t)::text FROM "+table+" AS t ORDER BY 1")
	}
	return held
}

func TestUpEightAtOnce(t *testing.T) {
	t.Parallel()
	db := newEmptyDatabase(t)
	var mu sync.Mutex
	var all []string
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := migrations.Up(t.Context(), db.AdminURL())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, namesOf(got)...)
		})
	}
	group.Wait()
	slices.Sort(all)
	if diff := cmp.Diff(namesAfter(0), all); diff != "" {
		t.Errorf("applied by all runs together (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(namesAfter(0), appliedFiles(t, db)); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestPendingChangesNothing(t *testing.T) {
	t.Parallel()
	db := newEmptyDatabase(t)
	const relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	for range 2 {
		pending, err := migrations.Pending(t.Context(), db.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(migrations.All(), pending); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
		if n := queryValue[int](t, db.AdminURL(), relations); n != 0 {
			t.Errorf("Pending created %d relations", n)
		}
	}
	if _, err := migrations.Up(t.Context(), db.AdminURL()); err != nil {
		t.Fatal(err)
	}
	if pending, err := migrations.Pending(t.Context(), db.AdminURL()); err != nil || len(pending) != 0 {
		t.Errorf("%d pending after Up (%v)", len(pending), err)
	}
}

func TestUpNeedsTheOwner(t *testing.T) {
	t.Parallel()
	db := newEmptyDatabase(t)
	for name, url := range map[string]string{
		"reader": db.ReaderURL(), "nonsense": "postgres://%",
		"no such role": strings.Replace(db.AdminURL(), "datastorage_admin", "missing", 1),
	} {
		if got, err := migrations.Up(t.Context(), url); err == nil || len(got) != 0 {
			t.Errorf("%s: applied %v (%v)", name, namesOf(got), err)
		}
	}
}

func TestJournalPartitionsAhead(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	month := time.Now().UTC()
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	partitions := func(months int) []string {
		names := []string{"audit_event_default DEFAULT"}
		for i := range months + 1 {
			from, to := month.AddDate(0, i, 0), month.AddDate(0, i+1, 0)
			names = append(names, fmt.Sprintf("audit_event_%s FOR VALUES FROM ('%s 00:00:00+00') TO ('%s 00:00:00+00')",
				from.Format("2006_01"), from.Format(time.DateOnly), to.Format(time.DateOnly)))
		}
		slices.Sort(names)
		return names
	}
	found := func() []string {
		return queryRows[string](t, db.AdminURL(), `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid)
			FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = 'audit_event'::regclass ORDER BY c.relname COLLATE "C"`)
	}
	if diff := cmp.Diff(partitions(3), found()); diff != "" {
		t.Errorf("after the migrations (-want +got):\n%s", diff)
	}
	const ahead = "SELECT audit_event_partitions_ahead($1)"
	for _, step := range []struct{ months, made, there int }{{3, 0, 3}, {0, 0, 3}, {-1, 0, 3}, {5, 2, 5}, {5, 0, 5}, {2, 0, 5}} {
		if made := queryValue[int](t, db.WriterURL(), ahead, step.months); made != step.made {
			t.Errorf("%d months ahead created %d, want %d", step.months, made, step.made)
		}
		if diff := cmp.Diff(partitions(step.there), found()); diff != "" {
			t.Errorf("%d months ahead (-want +got):\n%s", step.months, diff)
		}
	}
	// At most ten years are created at once.
	if made := queryValue[int](t, db.WriterURL(), ahead, 1200); made != 115 {
		t.Errorf("1200 months ahead created %d, want 115", made)
	}
}

func TestJournalPartitionsAheadEightAtOnce(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	made := make([]int, 8)
	var group sync.WaitGroup
	for i := range made {
		conn := connect(t, db.WriterURL())
		group.Go(func() {
			for {
				err := conn.QueryRow(t.Context(), "SELECT audit_event_partitions_ahead(15)").Scan(&made[i])
				// The function waits for another for a second only, and says that it may be called again.
				if server, ok := errors.AsType[*pgconn.PgError](err); ok && server.Code == "55P03" {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	group.Wait()
	sum := 0
	for _, n := range made {
		sum += n
	}
	if sum != 12 {
		t.Errorf("created %v, want 12 together", made)
	}
}

// TestJournalRowsWithoutAPartition inserts rows of months without a partition.
func TestJournalRowsWithoutAPartition(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	insert := func(recorded string) {
		execSQL(t, db.WriterURL(), validRows()["audit_event"].with(row{"recorded_at": recorded}).insert("audit_event"))
	}
	const ahead = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
	insert(ahead)
	insert(ahead + " + interval '5 months' - interval '1 microsecond'")
	insert(ahead + " + interval '5 months'")
	insert("'1999-12-31T23:59:59Z'")
	insert("'9999-12-31T23:59:59Z'")
	where := func() []string {
		return queryRows[string](t, db.AdminURL(), "SELECT (tableoid = 'audit_event_default'::regclass)::text FROM audit_event ORDER BY recorded_at")
	}
	if diff := cmp.Diff([]string{"true", "false", "true", "true", "true"}, where()); diff != "" {
		t.Errorf("rows in the default partition (-want +got):\n%s", diff)
	}
	// The default partition already has rows of the fourth and fifth month; only the sixth gets a
	// partition.
	if made := queryValue[int](t, db.WriterURL(), "SELECT audit_event_partitions_ahead(6)"); made != 1 {
		t.Errorf("created %d, want 1", made)
	}
	if diff := cmp.Diff([]string{"true", "false", "true", "true", "true"}, where()); diff != "" {
		t.Errorf("rows in the default partition afterwards (-want +got):\n%s", diff)
	}
}

func TestIncidentEventsView(t *testing.T) {
	t.Parallel()
	db, _ := databaseWithParents(t)
	want := []string{
		"id bigint", "remediation_id text", "alert_name text", "namespace text", "pod_name text", "workflow_status text",
		"workflow_yaml text", "error_message text", "created_at timestamp with time zone", "updated_at timestamp with time zone",
		"embedding_vector vector",
	}
	got := queryRows[string](t, db.ReaderURL(), `SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'incident_events'::regclass AND attnum > 0 ORDER BY attnum`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if got := queryValue[string](t, db.ReaderURL(), "SELECT obj_description('incident_events'::regclass)"); got != "version 1" {
		t.Errorf("the comment of the view is %q", got)
	}
	for target, pod := range map[string]string{
		"pod/api-1": "api-1", "Pod/api-1": "api-1", "pods/a/b": "a/b", "deployment/api": "none", "podium/x": "none", "pod/": "",
		"": "none",
	} {
		value := "'" + target + "'"
		if target == "" {
			value = "NULL"
		}
		execSQL(t, db.AdminURL(), validRows()["remediation_audit"].with(row{"remediation_id": "'t" + target + "'", "target_resource": value}).
			insert("remediation_audit"))
		got := queryValue[string](t, db.ReaderURL(), "SELECT coalesce(pod_name, 'none') FROM incident_events WHERE remediation_id = $1", "t"+target)
		if got != pod {
			t.Errorf("the pod of target %q is %q, want %q", target, got, pod)
		}
	}
	if got := queryValue[int](t, db.ReaderURL(), "SELECT vector_dims(embedding_vector) FROM incident_events WHERE remediation_id = 'known'"); got != 64 {
		t.Errorf("a vector of %d dimensions, want 64", got)
	}
}

func TestRegisterModel(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	models := func() []string {
		return queryRows[string](t, db.ReaderURL(), "SELECT format('%s %s %s %s', id, name, dimensions, active) FROM embedding_model ORDER BY id")
	}
	register := func(name string, dimensions int) error {
		return migrations.RegisterModel(t.Context(), db.AdminURL(), name, dimensions)
	}
	for range 2 {
		if err := register("second", 3); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1 " + postgrestest.Model + " 64 t", "2 second 3 f"}, models()); diff != "" {
			t.Errorf("models (-want +got):\n%s", diff)
		}
	}
	for name, dimensions := range map[string]int{"second": 4, "": 3, "none": 0, "too many": 4001} {
		if err := register(name, dimensions); err == nil {
			t.Errorf("%q with %d dimensions was registered", name, dimensions)
		}
	}
	if diff := cmp.Diff([]string{"1 " + postgrestest.Model + " 64 t", "2 second 3 f"}, models()); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	indexes := queryRows[string](t, db.ReaderURL(), "SELECT indexdef FROM pg_indexes WHERE indexname LIKE '%hnsw' ORDER BY indexname")
	for i, dimensions := range []int{64, 3} {
		if want := fmt.Sprintf("hnsw (((vector)::halfvec(%d)) halfvec_cosine_ops)", dimensions); !strings.Contains(indexes[i], want) {
			t.Errorf("index %s, want %s", indexes[i], want)
		}
	}
}

func TestRegisterModelEightAtOnce(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := migrations.RegisterModel(t.Context(), db.AdminURL(), fmt.Sprint("model ", i%2), 8); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := queryValue[int](t, db.ReaderURL(), "SELECT count(*) FROM embedding_model"); got != 3 {
		t.Errorf("%d models, want 3", got)
	}
}

// TestUpOfSeveralDatabasesAtOnce checks that databases of one server can be migrated concurrently,
// although they share the roles and their settings.
func TestUpOfSeveralDatabasesAtOnce(t *testing.T) {
	t.Parallel()
	databases := []*postgrestest.Database{newEmptyDatabase(t)}
	for range 5 {
		databases = append(databases, newEmptyDatabaseOn(t, databases[0].Server))
	}
	var group sync.WaitGroup
	for _, db := range databases {
		group.Go(func() {
			if _, err := migrations.Up(t.Context(), db.AdminURL()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, role := range []string{"datastorage_writer", "datastorage_reader"} {
		got := queryValue[string](t, databases[0].AdminURL(),
			"SELECT setconfig[1] FROM pg_db_role_setting WHERE setdatabase = 0 AND setrole = $1::regrole", role)
		if got != "statement_timeout=15s" {
			t.Errorf("%s has %s", role, got)
		}
	}
}
