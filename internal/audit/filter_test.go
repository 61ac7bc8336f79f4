package audit_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// fullFilter sets every field of a filter.
func fullFilter(t *testing.T) audit.Filter {
	t.Helper()
	moment := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
	var f audit.Filter
	fields := reflect.ValueOf(&f).Elem()
	for i := range fields.NumField() {
		var value any
		switch fields.Field(i).Interface().(type) {
		case []int64:
			value = []int64{int64(i)}
		case []string:
			value = []string{fields.Type().Field(i).Name}
		case []audit.ID:
			value = []audit.ID{{byte(i)}}
		case *time.Time:
			value = &moment
		default:
			t.Fatalf("field %s has a type that this test does not handle", fields.Type().Field(i).Name)
		}
		fields.Field(i).Set(reflect.ValueOf(value))
	}
	return f
}

func TestFilterFields(t *testing.T) {
	t.Parallel()
	f := fullFilter(t)
	names, values := f.Fields(), f.Values()
	if fields := reflect.TypeFor[audit.Filter]().NumField(); len(names) != fields || len(values) != fields {
		t.Errorf("%d names and %d values of %d fields", len(names), len(values), fields)
	}
	for _, name := range names {
		if values[name] == nil {
			t.Errorf("%s has no value", name)
		}
	}
	if diff := cmp.Diff(any(f.TargetResources), values["target_resource"]); diff != "" {
		t.Error(diff)
	}
	if want := time.Date(2026, 1, 2, 2, 4, 5, 6000, time.UTC); values["since"] != want {
		t.Errorf("since is %v, want %v", values["since"], want)
	}
}

func TestFilterSelects(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, test := range []struct {
		filter        audit.Filter
		all, onlyTime bool
	}{
		{audit.Filter{}, true, true},
		{audit.Filter{Names: []string{}}, true, true},
		{audit.Filter{Since: &now}, false, true},
		{audit.Filter{Since: &now, Names: []string{"a"}}, false, false},
		{fullFilter(t), false, false},
	} {
		if got := test.filter.All(); got != test.all {
			t.Errorf("%v: All() = %t", test.filter.Fields(), got)
		}
		if got := test.filter.OnlyTime(); got != test.onlyTime {
			t.Errorf("%v: OnlyTime() = %t", test.filter.Fields(), got)
		}
	}
}
