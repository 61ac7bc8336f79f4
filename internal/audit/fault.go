package audit

import (
	"fmt"
	"strings"
)

// ValidationError is one thing wrong with an input.
type ValidationError struct {
	// Field is the path of the offending value as the caller wrote it, for example records[3].metadata.note; empty when the
	// fault is of the whole input.
	Field string
	// Code is a stable word from the closed set of the Code constants.
	Code string
	// Detail is one sentence for a person. It never repeats the offending value, which may be a secret.
	Detail string
}

// The closed set of fault codes. Callers may switch on them; a new one is a minor version of the API.
const (
	CodeRequired      = "required"       // the field must be present and not null
	CodeType          = "type"           // the JSON type is wrong
	CodeUnknown       = "unknown_field"  // no such field or parameter
	CodeReadOnly      = "read_only"      // the service sets this field
	CodeEnum          = "not_in_set"     // the value is not one of the documented ones
	CodeTooLong       = "too_long"       // longer than the documented limit
	CodeEmpty         = "empty"          // must not be empty
	CodeCharacters    = "characters"     // contains characters that an identifier may not hold
	CodeFormat        = "format"         // not of the documented format (time, cursor, id, number)
	CodeRange         = "out_of_range"   // a number or time outside the documented range
	CodeOrder         = "order"          // two fields contradict each other, such as end before start
	CodeDuplicate     = "duplicate"      // the same key, parameter or id twice
	CodeDepth         = "too_deep"       // JSON nested deeper than the documented limit
	CodeSize          = "too_large"      // more bytes or items than the documented limit
	CodeMalformed     = "malformed_json" // not JSON, or more than one JSON value
	CodeUnsupported   = "unsupported"    // documented, but not served by this version
	CodeMismatch      = "mismatch"       // a cursor or path that belongs to another request
	CodeEncoding      = "encoding"       // not valid UTF-8 where text is parsed as structure
	CodeNotRepeatable = "not_repeatable" // a parameter that may appear once appears several times
)

// ValidationErrors is every fault of one input, in the order they were found. As an error it means: the caller must change the input;
// sending it again unchanged cannot succeed.
type ValidationErrors []ValidationError

// Error lists the faults in one line.
func (f ValidationErrors) Error() string {
	parts := make([]string, len(f))
	for i, fault := range f {
		parts[i] = strings.TrimPrefix(fmt.Sprintf("%s: %s", fault.Field, fault.Detail), ": ")
	}
	return "invalid input: " + strings.Join(parts, "; ")
}

// Add appends a fault.
func (f *ValidationErrors) Add(field, code, detail string) {
	*f = append(*f, ValidationError{Field: field, Code: code, Detail: detail})
}

// Contradiction is the validation errors of values that are valid alone but contradict the stored record. Sending the same values
// again cannot succeed.
type Contradiction struct{ Errors ValidationErrors }

func (c Contradiction) Error() string { return c.Errors.Error() }

// Unwrap makes the validation errors visible to errors.As.
func (c Contradiction) Unwrap() error { return c.Errors }

// Err is the faults as an error, or nil when there are none.
func (f ValidationErrors) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}
