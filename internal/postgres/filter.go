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
