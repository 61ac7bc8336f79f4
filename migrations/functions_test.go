package migrations_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
	"github.com/datastorage-service/datastorage/migrations"
)

// TestEveryFunctionHasAFile checks that every function of the schema has a file of its name in
// functions/, which starts with a comment.
func TestEveryFunctionHasAFile(t *testing.T) {
	t.Parallel()
	var want []string
	for _, file := range migrations.All() {
		if file.Version > 0 {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file.Name, "functions/"), ".sql")
		if !strings.HasPrefix(file.SQL, "-- ") || strings.Count(file.SQL, "CREATE OR REPLACE FUNCTION "+name+"(") != 1 {
			t.Errorf("%s does not start with a comment, or does not replace %s once", file.Name, name)
		}
		want = append(want, name)
	}
	got := queryRows[string](t, postgrestest.New(t).AdminURL(), `SELECT proname::text FROM pg_proc
		WHERE pronamespace = 'public'::regnamespace AND proowner = 'datastorage_admin'::regrole ORDER BY proname COLLATE "C"`)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("functions (-files +schema):\n%s", diff)
	}
}

const changed = "functions/audit_event_refuse_change.sql"

// databaseWithChange returns a database to which an earlier content of the changed file was
// applied.
func databaseWithChange(t *testing.T) *postgrestest.Database {
	t.Helper()
	db := postgrestest.New(t)
	execSQL(t, db.AdminURL(),
		"CREATE OR REPLACE FUNCTION audit_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
		"UPDATE schema_function SET checksum = 'another' WHERE name = '"+changed+"'")
	return db
}

func TestUpAppliesChangedFunctions(t *testing.T) {
	t.Parallel()
	db := databaseWithChange(t)
	for _, want := range [][]string{{changed}, nil} {
		pending, err := migrations.Pending(t.Context(), db.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		applied, err := migrations.Up(t.Context(), db.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(namesOf(pending), want) || !slices.Equal(namesOf(applied), want) {
			t.Errorf("pending %v, applied %v, want %v", namesOf(pending), namesOf(applied), want)
		}
	}
	if diff := gocmp.Diff(catalogue(t, postgrestest.New(t)), catalogue(t, db)); diff != "" {
		t.Errorf("the schema (-want +got):\n%s", diff)
	}
}

// TestUpLeavesFunctionsOfANewerSchema checks that an older build does not change the functions of a
// newer schema.
func TestUpLeavesFunctionsOfANewerSchema(t *testing.T) {
	t.Parallel()
	db := databaseWithChange(t)
	execSQL(t, db.AdminURL(), "INSERT INTO schema_version (version_id, is_applied) VALUES (9999, true)")
	pending, err := migrations.Pending(t.Context(), db.AdminURL())
	if err != nil || len(pending) > 0 {
		t.Errorf("pending %v (%v)", namesOf(pending), err)
	}
	applied, err := migrations.Up(t.Context(), db.AdminURL())
	if err != nil || len(applied) > 0 {
		t.Errorf("applied %v (%v)", namesOf(applied), err)
	}
}

// TestUpAppliesAllFunctionsOrNone checks that no function is changed if one cannot be applied.
func TestUpAppliesAllFunctionsOrNone(t *testing.T) {
	t.Parallel()
	db := databaseWithChange(t)
	before := catalogue(t, db)
	execSQL(t, db.AdminURL(), "DELETE FROM schema_function", "DROP FUNCTION wilson_low",
		"CREATE FUNCTION wilson_low(success float8, ended float8) RETURNS text LANGUAGE sql AS 'SELECT NULL'")
	applied, err := migrations.Up(t.Context(), db.AdminURL())
	if err == nil || !strings.Contains(err.Error(), "functions/wilson_low.sql") || len(applied) > 0 {
		t.Errorf("applied %v (%v)", namesOf(applied), err)
	}
	execSQL(t, db.AdminURL(), "DROP FUNCTION wilson_low")
	after := catalogue(t, db)
	before = slices.DeleteFunc(before, func(line string) bool { return strings.Contains(line, "FUNCTION public.wilson_low(") })
	if diff := gocmp.Diff(before, after); diff != "" {
		t.Errorf("the schema (-before +after):\n%s", diff)
	}
}

// TestFilterOfAnotherBuild checks that the filter of an older build stays valid if the schema gains
// a parameter, and that a parameter which the schema lacks is an error.
func TestFilterOfAnotherBuild(t *testing.T) {
	t.Parallel()
	db, conn := databaseWithParents(t)
	const matches = "SELECT FROM remediation_audit AS r WHERE remediation_matches(r, remediation_filter_read('{\"remediation_id\": [\"known\"]}'))"
	for _, statements := range [][]string{{matches}, {"ALTER TYPE remediation_filter ADD ATTRIBUTE pod text[]", matches}} {
		if err := tryInTransaction(t, connect(t, db.AdminURL()), statements...); err != nil {
			t.Errorf("%s: %v", statements, err)
		}
	}
	for _, filter := range []string{`{"pod": ["a"]}`, `{"name": ["a"], "pod": null}`, `{"": 1}`} {
		if err := tryInTransaction(t, conn, "SELECT remediation_filter_read('"+filter+"')"); sqlState(err) != "42P02" {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

// TestEveryFilterAttributeCounts checks that remediation_matches ignores no attribute, which would
// then match every remediation.
func TestEveryFilterAttributeCounts(t *testing.T) {
	t.Parallel()
	db, conn := databaseWithParents(t)
	nothing := map[string]string{"since": `"9999-01-01T00:00:00Z"`, "until": `"1970-01-01T00:00:00Z"`}
	attributes := queryRows[string](t, db.ReaderURL(), `SELECT attname::text FROM pg_attribute
		JOIN pg_type ON typrelid = attrelid WHERE typname = 'remediation_filter' AND attnum > 0`)
	for _, attribute := range attributes {
		filter := cmp.Or(nothing[attribute], "[]")
		var matching int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM remediation_audit AS r WHERE remediation_matches(r, remediation_filter_read($1))",
			`{"`+attribute+`": `+filter+`}`).Scan(&matching)
		if err != nil || matching > 0 {
			t.Errorf("%s: %d remediations match a filter that none can match (%v)", attribute, matching, err)
		}
	}
	if len(attributes) < 15 {
		t.Errorf("only %d attributes", len(attributes))
	}
}

// TestDimensionsAgree checks that stats_keys, stats_key and the view for the build before have the
// same dimensions, and that a change of each reaches the counts.
func TestDimensionsAgree(t *testing.T) {
	t.Parallel()
	db, _ := databaseWithParents(t)
	dimensions := queryRows[string](t, db.ReaderURL(), "SELECT dimension FROM stats_keys(NULL) WHERE dimension <> 'all'")
	if len(dimensions) != 6 {
		t.Errorf("dimensions %v, want 6", dimensions)
	}
	for i, dimension := range dimensions {
		value := "test"
		if dimension == "severity" {
			value = "low"
		}
		execSQL(t, db.AdminURL(), "UPDATE remediation_audit SET "+dimension+" = '"+value+"' WHERE remediation_id = 'known'")
		if i%2 == 0 {
			execSQL(t, db.WriterURL(), "SELECT outcome_merge(NULL, NULL, 0)")
		}
		const counted = "SELECT string_agg(key, ', ') FROM stats_daily WHERE dimension = $1 AND total > 0"
		const keys = "SELECT string_agg(stats_key(r, $1), ', ') FROM remediation_audit AS r"
		if daily, key := queryValue[string](t, db.ReaderURL(), counted, dimension), queryValue[string](t, db.ReaderURL(), keys, dimension); daily != value || key != value {
			t.Errorf("%s is %q in stats_daily and %q by stats_key", dimension, daily, key)
		}
	}
}
