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

// Limits of the requirements: identifiers in characters, free texts in bytes of UTF-8.
const (
	MaxIdentifier    = 255
	MaxActionType    = 100
	MaxTarget        = 512
	maxErrorMessage  = 64 << 10
	maxWorkflowYAML  = 256 << 10
	MaxMetadata      = 64 << 10
	MaxMetadataDepth = 10
	// MaxInteger is the largest integer that every JSON reader holds exactly (RFC 7493, section 2.2).
	MaxInteger = 1<<53 - 1
)

// MinTime and MaxTime bound every time of a record: MinTime <= t < MaxTime. RFC 3339 years have four digits.
var (
	MinTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Checker collects the faults of one record and sanitises it on the way. A field that has a fault already, such as a wrong
// type found while reading it, is not judged again.
type Checker struct {
	// Path stands before every field's name, for example "records[3]."; empty for a single record.
	Path    string
	Errors  *ValidationErrors
	Actions redact.Actions
}

// addError names the field, or, without one, the record.
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

func (c Checker) checkIdentifier(field, value string, limit int) {
	switch {
	case c.hasError(field):
	case value == "":
		c.addError(field, CodeEmpty, "must not be empty")
	case utf8.RuneCountInString(value) > limit:
		c.addError(field, CodeTooLong, fmt.Sprintf("longer than %d characters", limit))
	case !ValidIdentifier(value):
		c.addError(field, CodeCharacters, "holds control characters, bidirectional overrides, < or >, or is not valid UTF-8")
	}
}

func (c Checker) checkOptionalIdentifier(field string, value *string, limit int) {
	if value != nil {
		c.checkIdentifier(field, *value, limit)
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

// sanitizeText sanitises a free text. A text over the limit is not looked at; one that redaction makes longer than the limit is refused
// as well, because the database would.
func (c Checker) sanitizeText(field string, value *string, limit int) *string {
	if value == nil || c.hasError(field) {
		return value
	}
	clean := *value
	if len(clean) <= limit {
		clean = redact.Text(clean, c.Actions)
	}
	if len(clean) > limit {
		c.addError(field, CodeTooLong, fmt.Sprintf("longer than %d KiB", limit>>10))
	}
	return &clean
}

func (c Checker) truncateTime(field string, value time.Time) time.Time {
	if !c.hasError(field) && (value.Before(MinTime) || !value.Before(MaxTime)) {
		c.addError(field, CodeRange, "must be a time from 1970 to 9999")
	}
	return Microseconds(value)
}

func (c Checker) checkEndTime(start time.Time, end *time.Time) *time.Time {
	if end == nil || c.hasError("start_time") || c.hasError("end_time") {
		return end
	}
	kept := c.truncateTime("end_time", *end)
	if kept.Before(start) && !c.hasError("end_time") {
		c.addError("end_time", CodeOrder, "must not be before start_time")
	}
	return &kept
}

func (c Checker) checkCount(field string, value *int64, most int64) {
	if value != nil && !c.hasError(field) && (*value < 0 || *value > most) {
		c.addError(field, CodeRange, fmt.Sprintf("must be from 0 to %d", most))
	}
}

func (c Checker) checkFraction(field string, value *float64) {
	if value != nil && !c.hasError(field) && (math.IsNaN(*value) || *value < 0 || *value > 1) {
		c.addError(field, CodeRange, "must be from 0 to 1")
	}
}

// Microseconds is t as the service keeps it: in UTC, finer digits dropped.
func Microseconds(t time.Time) time.Time {
	return t.UTC().Truncate(time.Microsecond)
}

// CheckRemediationID judges a remediation_id. It stands in paths, where API Gateway takes even an encoded slash for the end of a segment: a
// record with a slash in its id could be written but neither read nor updated.
func (c Checker) CheckRemediationID(value string) {
	const field = "remediation_id"
	c.checkIdentifier(field, value, MaxIdentifier)
	if strings.Contains(value, "/") && !c.hasError(field) {
		c.addError(field, CodeCharacters, "must not hold a slash: it is a part of the record's path")
	}
}

// CheckIdentifier judges a value by the rules of an identifier of at most limit characters, as in a filter.
func (c Checker) CheckIdentifier(field, value string, limit int) {
	c.checkIdentifier(field, value, limit)
}

// ValidIdentifier reports whether s may be an identifier: valid UTF-8 without control characters (Cc), line and paragraph
// separators, bidirectional embeddings, overrides and isolates (U+202A–U+202E, U+2066–U+2069), < and >, and U+FFFD, which stands
// where bytes were not UTF-8. Everything else is somebody's language and allowed: combining marks, joiners, and the
// bidirectional marks U+200E, U+200F and U+061C, which reorder nothing but themselves.
func ValidIdentifier(s string) bool {
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == '<', r == '>', r == utf8.RuneError,
			r >= 0x2028 && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return false
		}
	}
	return true
}
