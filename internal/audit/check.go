package audit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/redact"
)

// Limits from the requirements: identifiers in characters, free text in bytes of UTF-8.
const (
	MaxIdentifier    = 255
	MaxActionType    = 100
	MaxTarget        = 512
	maxErrorMessage  = 64 << 10
	maxWorkflowYAML  = 256 << 10
	MaxMetadata      = 64 << 10
	MaxMetadataDepth = 10
	// MaxInteger is the largest integer that every JSON parser represents exactly (RFC 7493,
	// section 2.2).
	MaxInteger = 1<<53 - 1
)

// MinTime and MaxTime bound every time in a record: MinTime <= t < MaxTime. RFC 3339 years have
// four digits.
var (
	MinTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Checker collects the validation errors of one record and sanitizes the record. A field that has
// an error already, such as a wrong JSON type, is not checked again.
type Checker struct {
	// Path is prepended to every field name, for example "records[3]."; empty for a single record.
	Path    string
	Errors  *ValidationErrors
	Actions redact.Actions
}

// addError adds an error of a field, or of the whole record if field is empty.
func (c Checker) addError(field, code, detail string) {
	path := c.Path + field
	if field == "" {
		path = strings.TrimSuffix(path, ".")
	}
	c.Errors.Add(path, code, detail)
}

func (c Checker) hasError(field string) bool {
	return slices.ContainsFunc(*c.Errors, func(f ValidationError) bool { return f.Field == c.Path+field })
}

// CheckIdentifier checks an identifier of at most limit characters, in a record or a filter.
func (c Checker) CheckIdentifier(field, value string, limit int) {
	c.CheckName(field, value, limit)
	if strings.ContainsAny(value, "<>") && !c.hasError(field) {
		c.addError(field, CodeCharacters, "must not contain < or >")
	}
}

// CheckName checks the name of an alert, at most limit characters: an identifier that may contain <
// and >, as in "latency > 1s".
func (c Checker) CheckName(field, value string, limit int) {
	switch {
	case c.hasError(field):
	case value == "":
		c.addError(field, CodeEmpty, "must not be empty")
	case utf8.RuneCountInString(value) > limit:
		c.addError(field, CodeTooLong, fmt.Sprintf("must be at most %d characters", limit))
	case !isOneLine(value):
		c.addError(field, CodeCharacters, "must not contain control characters, line separators, bidirectional overrides or invalid UTF-8")
	}
}

// CheckRemediationID checks a remediation_id. It is a segment of URL paths, which API Gateway
// decodes before it routes them: a slash ends the segment, a ? or # the path, and clients resolve
// the segments . and .. themselves. Such a record could be created, but never read or updated.
func (c Checker) CheckRemediationID(field, value string) {
	c.CheckIdentifier(field, value, MaxIdentifier)
	if (value == "." || value == ".." || strings.ContainsAny(value, "/?#")) && !c.hasError(field) {
		c.addError(field, CodeCharacters, "must not contain /, ? or #, or be . or .., since it is a segment of the record's path")
	}
}

func (c Checker) checkOptionalIdentifier(field string, value *string, limit int) {
	if value != nil {
		c.CheckIdentifier(field, *value, limit)
	}
}

func checkOneOf[T ~string](c Checker, field string, value T, set []T) {
	if c.hasError(field) || slices.Contains(set, value) {
		return
	}
	words := make([]string, len(set))
	for i, word := range set {
		words[i] = string(word)
	}
	c.addError(field, CodeEnum, "must be one of "+strings.Join(words, ", "))
}

// sanitizeText returns value without secrets and control characters. A string over the limit is
// rejected without redaction. A string that exceeds the limit after redaction is rejected too,
// because the database would reject it.
func (c Checker) sanitizeText(field string, value *string, limit int) *string {
	if value == nil || c.hasError(field) {
		return value
	}
	clean := *value
	if len(clean) <= limit {
		clean = redact.Text(clean, c.Actions)
	}
	if len(clean) > limit {
		c.addError(field, CodeTooLong, fmt.Sprintf("must be at most %d KiB", limit>>10))
	}
	return &clean
}

// checkTime checks the range of value and returns it in the store's precision.
func (c Checker) checkTime(field string, value time.Time) time.Time {
	if !c.hasError(field) && (value.Before(MinTime) || !value.Before(MaxTime)) {
		c.addError(field, CodeRange, "must be a time from 1970 to 9999")
	}
	return Microseconds(value)
}

func (c Checker) checkEndTime(start time.Time, end *time.Time) *time.Time {
	if end == nil || c.hasError("start_time") || c.hasError("end_time") {
		return end
	}
	kept := c.checkTime("end_time", *end)
	if kept.Before(start) && !c.hasError("end_time") {
		c.addError("end_time", CodeOrder, "must not be before start_time")
	}
	return &kept
}

func (c Checker) checkCount(field string, value *int64, limit int64) {
	if value != nil && !c.hasError(field) && (*value < 0 || *value > limit) {
		c.addError(field, CodeRange, fmt.Sprintf("must be from 0 to %d", limit))
	}
}

func (c Checker) checkFraction(field string, value *float64) {
	if value != nil && !c.hasError(field) && (math.IsNaN(*value) || *value < 0 || *value > 1) {
		c.addError(field, CodeRange, "must be from 0 to 1")
	}
}

// Microseconds returns t in the precision of the store: UTC, truncated to microseconds.
func Microseconds(t time.Time) time.Time {
	return t.UTC().Truncate(time.Microsecond)
}

// ValidIdentifier reports whether s has only characters that an identifier may contain: those of one
// line, except < and >.
func ValidIdentifier(s string) bool {
	return isOneLine(s) && !strings.ContainsAny(s, "<>")
}

// isOneLine reports whether s is shown as one line in the order of its characters. It rejects
// invalid UTF-8 and U+FFFD, which replaces it; control characters (Cc); line and paragraph
// separators; and bidirectional embeddings, overrides and isolates (U+202A–U+202E, U+2066–U+2069).
// Everything else is allowed, because some languages need it: combining marks, joiners, and the
// bidirectional marks U+200E, U+200F and U+061C, which do not reorder other characters.
func isOneLine(s string) bool {
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == utf8.RuneError,
			r >= 0x2028 && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return false
		}
	}
	return true
}
