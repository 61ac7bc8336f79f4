package postgres_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/postgrestest"
)

// The parameters of a filter are the attributes of the type that the statements read it into.
func TestFilterAttributes(t *testing.T) {
	t.Parallel()
	attributes := rows[string](t, postgrestest.New(t).ReaderURL(), `SELECT attname::text FROM pg_attribute
		JOIN pg_type ON typrelid = attrelid WHERE typname = 'remediation_filter' AND attnum > 0 AND NOT attisdropped ORDER BY attnum`)
	filters := slices.Concat(slices.Collect(maps.Values(planFilters()))...)
	if diff := cmp.Diff(merged(filters...).Fields(), attributes); diff != "" {
		t.Errorf("attributes (-filter +type):\n%s", diff)
	}
}
