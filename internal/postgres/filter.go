package postgres

import (
	"encoding/json"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// filterJSON is the filter as the SQL function remediation_filter_read takes it: an object with the parameters that are set.
func filterJSON(f audit.Filter) json.RawMessage {
	// The values are numbers, strings, ids and times, which can always be written. If not, NULL makes the statement fail.
	object, _ := json.Marshal(f.Values())
	return object
}
