package api

import "testing"

// TestMetricField checks the metric field for the path of a validation error.
func TestMetricField(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": wholeRequest, "name": "name", "records": "records", "records[3]": "records", "records[3].name": "name",
		"records[12].metadata.a[0].b": "metadata", `metadata["a b"]`: "metadata", "filters.since": "since", "filters": "filters",
		`["made up"]`: "", "limit": "limit", "Name": "", "records[3": "records",
	} {
		if got := metricField(path); got != want {
			t.Errorf("%s counts as %q, want %q", path, got, want)
		}
	}
}
