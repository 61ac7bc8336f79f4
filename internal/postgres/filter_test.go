package postgres_test

import (
	stdcmp "cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// mergedPlanFilter returns a filter that sets every parameter: those of planFilters merged.
func mergedPlanFilter() audit.Filter {
	return mergeFilters(slices.Concat(slices.Collect(maps.Values(planFilters()))...)...)
}

// unsetFields returns the names of the fields that a filter does not set.
func unsetFields(f audit.Filter) []string {
	var names []string
	for field, value := range reflect.ValueOf(f).Fields() {
		if value.IsZero() {
			names = append(names, field.Name)
		}
	}
	return names
}

// TestFiltersAreTested checks that the tests which compare filters with a loop over all records and
// explain their plans do so for every field of a filter.
func TestFiltersAreTested(t *testing.T) {
	t.Parallel()
	var f audit.Filter
	for _, field := range filterFields() {
		field.add(&f, new(audit.Stored))
	}
	if missing := unsetFields(f); len(missing) > 0 {
		t.Errorf("add %v to filterFields, and random values to randomRemediation", missing)
	}
	if missing := unsetFields(mergedPlanFilter()); len(missing) > 0 {
		t.Errorf("add %v to planFilters, a common and a rare value, and their column to fillStatements", missing)
	}
}

// TestFilterAttributes checks that the parameters of a filter equal the attributes of the SQL type
// remediation_filter.
func TestFilterAttributes(t *testing.T) {
	t.Parallel()
	attributes := queryRows[string](t, postgrestest.New(t).ReaderURL(), `SELECT attname::text FROM pg_attribute
		JOIN pg_type ON typrelid = attrelid WHERE typname = 'remediation_filter' AND attnum > 0 AND NOT attisdropped ORDER BY attname COLLATE "C"`)
	if diff := cmp.Diff(slices.Sorted(slices.Values(mergedPlanFilter().Fields())), attributes); diff != "" {
		t.Errorf("attributes (-filter +type):\n%s", diff)
	}
}

// writtenOut returns the condition of remediation_matches written out, with a parameter for each
// attribute, and the parameters' values.
func writtenOut(f audit.Filter) (condition string, args []any) {
	types := map[string]string{"id": "bigint[]", "signature_id": "uuid[]", "since": "timestamptz", "until": "timestamptz"}
	operators := map[string]string{"since": "r.start_time >= %s", "until": "r.start_time < %s"}
	values := f.Values()
	var conditions []string
	for i, name := range mergedPlanFilter().Fields() {
		parameter := fmt.Sprintf("$%d::%s", i+1, stdcmp.Or(types[name], "text[]"))
		conditions = append(conditions, fmt.Sprintf("(%s IS NULL OR "+stdcmp.Or(operators[name], "r."+name+" = ANY(%s)")+")", parameter, parameter))
		args = append(args, values[name])
	}
	return strings.Join(conditions, " AND "), args
}

// BenchmarkFilter alternates statements that call remediation_matches with statements that have its
// condition written out, and prints the medians of both. They differ in parsing and planning, not
// in their plans.
func BenchmarkFilter(b *testing.B) {
	db := postgrestest.New(b)
	fillTables(b, db)
	config, err := pgx.ParseConfig(db.ReaderURL())
	if err != nil {
		b.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	conn, err := pgx.ConnectConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(b.Context()) }()
	fields := planFilters()
	filters := map[string]audit.Filter{
		"none": {}, "rare": fields["alert_fingerprint"][0], "two": mergeFilters(fields["name"][0], fields["status"][0]),
		"five": mergeFilters(fields["namespace"][0], fields["severity"][0], fields["environment"][0], fields["status"][0], fields["since"][0]),
	}
	for statement, text := range map[string]string{
		"list":  "SELECT r.id FROM remediation_audit AS r WHERE %s ORDER BY r.start_time DESC, r.id DESC LIMIT 100",
		"count": "SELECT count(*) FROM (SELECT FROM remediation_audit AS r WHERE %s LIMIT 10000) AS matching",
	} {
		for name, f := range filters {
			b.Run(statement+"/"+name, func(b *testing.B) {
				condition, args := writtenOut(f)
				var inlined, written []time.Duration
				for b.Loop() {
					inlined = append(inlined, timeStatement(b, conn, fmt.Sprintf(text, "remediation_matches(r, remediation_filter_read($1))"), f.Values()))
					written = append(written, timeStatement(b, conn, fmt.Sprintf(text, condition), args...))
				}
				slices.Sort(inlined)
				slices.Sort(written)
				median, floor := inlined[len(inlined)/2], written[len(written)/2]
				b.ReportMetric(float64(median.Microseconds()), "µs/inlined")
				b.ReportMetric(float64(floor.Microseconds()), "µs/written-out")
				b.ReportMetric(float64(median)/float64(floor), "ratio")
			})
		}
	}
}

func timeStatement(b *testing.B, conn *pgx.Conn, sql string, args ...any) time.Duration {
	b.Helper()
	start := time.Now()
	if _, err := conn.Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
