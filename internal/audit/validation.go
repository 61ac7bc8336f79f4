package audit

import (
	"fmt"
	"strings"
)

// ValidationError is one error in an input.
type ValidationError struct {
	// Field is the path of the invalid value, for example records[3].metadata.note; empty if the
	// error concerns the whole input.
	Field string
	// Code is one of the Code constants.
	Code string
	// Detail describes the error for people. It MUST NOT contain the invalid value, which may be a
	// secret.
	Detail string
}

// The error codes. Callers of the API may switch on them; adding one is a minor version of the API.
const (
	CodeRequired      = "required"       // the field is missing or null
	CodeType          = "type"           // the JSON type is wrong
	CodeUnknown       = "unknown_field"  // the field or parameter does not exist
	CodeReadOnly      = "read_only"      // the field is set by the service
	CodeEnum          = "not_in_set"     // the value is not one of the documented values
	CodeTooLong       = "too_long"       // longer than the documented limit
	CodeEmpty         = "empty"          // the value is empty
	CodeCharacters    = "characters"     // an identifier contains a character that is not allowed
	CodeFormat        = "format"         // not in the documented format (time, cursor, ID, number)
	CodeRange         = "out_of_range"   // a number or time is outside the documented range
	CodeOrder         = "order"          // two fields contradict each other, for example end and start
	CodeDuplicate     = "duplicate"      // a key, parameter or ID occurs twice
	CodeDepth         = "too_deep"       // JSON is nested deeper than the documented limit
	CodeSize          = "too_large"      // more bytes or items than the documented limit
	CodeMalformed     = "malformed_json" // not JSON, or more than one JSON value
	CodeUnsupported   = "unsupported"    // documented, but not supported by this version
	CodeMismatch      = "mismatch"       // a cursor or path belongs to another request
	CodeNotRepeatable = "not_repeatable" // a parameter that may occur once occurs several times
)

// ValidationErrors are all errors in one input, in the order in which they were found. The caller
// must change the input.
type ValidationErrors []ValidationError

// Error returns the errors in one line.
func (e ValidationErrors) Error() string {
	parts := make([]string, len(e))
	for i, invalid := range e {
		parts[i] = strings.TrimPrefix(fmt.Sprintf("%s: %s", invalid.Field, invalid.Detail), ": ")
	}
	return "invalid input: " + strings.Join(parts, "; ")
}

// Add appends an error.
func (e *ValidationErrors) Add(field, code, detail string) {
	*e = append(*e, ValidationError{Field: field, Code: code, Detail: detail})
}

// Contradiction reports values that are valid in themselves but contradict the stored record. Do
// not retry them.
type Contradiction struct{ Errors ValidationErrors }

func (c Contradiction) Error() string { return c.Errors.Error() }

// Unwrap makes the validation errors visible to errors.As.
func (c Contradiction) Unwrap() error { return c.Errors }

// Err returns e as an error, or nil if e is empty.
func (e ValidationErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
