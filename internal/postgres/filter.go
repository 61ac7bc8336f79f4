package postgres

import (
	"encoding/json"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// filterJSON encodes the filter for the SQL function remediation_filter_read: an object with the
// parameters that are set.
func filterJSON(f audit.Filter) json.RawMessage {
	// Marshaling numbers, strings, IDs and times does not fail. If it did, NULL would make the
	// statement fail.
	object, _ := json.Marshal(f.Values())
	return object
}

// countedBy returns the values of outcome_hot.resources of the signatures whose counts serve the
// filter: none if it has a field by which outcomes are not counted.
func countedBy(f audit.Filter) []bool {
	resources := []bool{true, false}
	for _, field := range f.Fields() {
		switch field {
		case "name", "namespace", "phase", "status", "severity", "environment", "cluster_name", "action_type", "signature_id", "since", "until":
		case "alert_fingerprint", "target_resource":
			resources = []bool{true}
		default:
			return []bool{}
		}
	}
	return resources
}
