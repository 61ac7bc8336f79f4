package api

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// fieldReader reads the members of a JSON object by name and type, and collects all validation
// errors.
type fieldReader struct {
	members map[string]any
	path    string
	errs    *audit.ValidationErrors
	read    map[string]bool
}

// newFieldReader returns a reader of tree, which must be an object. path precedes each name in an
// error, for example "records[3].".
func newFieldReader(tree any, path string, errs *audit.ValidationErrors) *fieldReader {
	members, ok := tree.(map[string]any)
	if !ok {
		errs.Add(strings.TrimSuffix(path, "."), audit.CodeType, "must be an object")
	}
	return &fieldReader{members: members, path: path, errs: errs, read: make(map[string]bool, len(members))}
}

func (f *fieldReader) addError(name, code, detail string) { f.errs.Add(f.path+name, code, detail) }

// readOptional returns the value of a member, or nil if it is absent or null.
func (f *fieldReader) readOptional(name string) any {
	f.read[name] = true
	return f.members[name]
}

// readRequired returns the value of a member, or nil with an error if it is absent or null.
func (f *fieldReader) readRequired(name string) any {
	value := f.readOptional(name)
	if value == nil && f.members != nil {
		f.addError(name, audit.CodeRequired, "is required")
	}
	return value
}

// hasMember reports whether the member is present, null or not.
func (f *fieldReader) hasMember(name string) bool {
	_, ok := f.members[name]
	return ok
}

// typedValue returns value as a *T, or nil with a type error. It returns nil for nil, which
// readRequired reports.
func typedValue[T any](f *fieldReader, name string, value any, wanted string) *T {
	if value == nil {
		return nil
	}
	typed, ok := value.(T)
	if !ok {
		f.addError(name, audit.CodeType, "must be "+wanted)
		return nil
	}
	return &typed
}

func (f *fieldReader) readString(name string) string {
	return valueOrZero(typedValue[string](f, name, f.readRequired(name), "a string"))
}

func (f *fieldReader) readOptionalString(name string) *string {
	return typedValue[string](f, name, f.readOptional(name), "a string")
}

func (f *fieldReader) readBoolean(name string) bool {
	return valueOrZero(typedValue[bool](f, name, f.readRequired(name), "true or false"))
}

func (f *fieldReader) readOptionalBoolean(name string) bool {
	return valueOrZero(typedValue[bool](f, name, f.readOptional(name), "true or false"))
}

func (f *fieldReader) readTime(name string) time.Time {
	return valueOrZero(f.parseTime(name, typedValue[string](f, name, f.readRequired(name), "an RFC 3339 time")))
}

func (f *fieldReader) readOptionalTime(name string) *time.Time {
	return f.parseTime(name, typedValue[string](f, name, f.readOptional(name), "an RFC 3339 time"))
}

func (f *fieldReader) parseTime(name string, text *string) *time.Time {
	if text == nil {
		return nil
	}
	t, err := parseRFC3339(*text)
	if err != nil {
		f.addError(name, audit.CodeFormat, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z")
		return nil
	}
	return &t
}

// rfc3339 is the grammar of RFC 3339, section 5.6, in upper case. time.Parse accepts other texts,
// too: hours of one digit, a comma before the fraction, offsets of 24 hours or 60 minutes
// (go.dev/issue/54580).
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

var errRFC3339 = errors.New("not RFC 3339")

// parseRFC3339 returns the time of an RFC 3339 text. As in POSIX, a leap second is the first second
// of the next month.
func parseRFC3339(text string) (time.Time, error) {
	text = strings.ToUpper(text) // section 5.6: T and Z may be lower case
	if !rfc3339.MatchString(text) {
		return time.Time{}, errRFC3339
	}
	before, after := text[:len("2006-01-02T15:04:")], text[len("2006-01-02T15:04:05"):]
	if !strings.HasPrefix(text[len(before):], "60") {
		return time.Parse(time.RFC3339Nano, text)
	}
	t, err := time.Parse(time.RFC3339Nano, before+"59"+after)
	if err != nil {
		return time.Time{}, err
	}
	t = t.Add(time.Second)
	if u := t.UTC(); u.Day() != 1 || u.Hour() != 0 || u.Minute() != 0 {
		return time.Time{}, errRFC3339
	}
	return t, nil
}

func (f *fieldReader) readInteger(name string) int64 {
	return valueOrZero(f.parseInteger(name, f.readRequired(name)))
}

func (f *fieldReader) readOptionalInteger(name string) *int64 {
	return f.parseInteger(name, f.readOptional(name))
}

func (f *fieldReader) parseInteger(name string, value any) *int64 {
	number := typedValue[json.Number](f, name, value, "an integer")
	if number == nil {
		return nil
	}
	if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
		return &n
	}
	// 1.0 and 1e3 are integers, too (JSON Schema, section 6.1.1).
	x, err := number.Float64()
	switch {
	case err != nil || x != x || x > audit.MaxInteger || x < -audit.MaxInteger:
		f.addError(name, audit.CodeRange, "must be from 0 to 9007199254740991")
	case x != float64(int64(x)):
		f.addError(name, audit.CodeType, "must be an integer")
	default:
		n := int64(x)
		return &n
	}
	return nil
}

func (f *fieldReader) readOptionalNumber(name string) *float64 {
	number := typedValue[json.Number](f, name, f.readOptional(name), "a number")
	if number == nil {
		return nil
	}
	x, err := number.Float64()
	if err != nil {
		f.addError(name, audit.CodeRange, "must fit a 64-bit floating-point number")
		return nil
	}
	return &x
}

// readOptionalObject returns the members of an object, or nil if it is absent or null.
func (f *fieldReader) readOptionalObject(name string) map[string]any {
	return valueOrZero(typedValue[map[string]any](f, name, f.readOptional(name), "an object"))
}

// reportUnread adds an error for each member that was not read.
func (f *fieldReader) reportUnread() {
	var unread []string
	for name := range f.members {
		if !f.read[name] {
			unread = append(unread, name)
		}
	}
	slices.Sort(unread)
	for _, name := range unread {
		if slices.Contains(readOnlyFields, name) {
			f.addError(name, audit.CodeReadOnly, "is set by the service and must not be sent")
		} else {
			f.errs.Add(audit.FieldPath(strings.TrimSuffix(f.path, "."), name), audit.CodeUnknown, "unknown field")
		}
	}
}

// readOnlyFields are the fields of responses that requests must not have.
var readOnlyFields = []string{"id", "actor", "created_at", "updated_at", "signature_id", "event_id", "leaf_hash", "embedding"}

func valueOrZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
