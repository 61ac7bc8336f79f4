package api

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// fields reads the members of a JSON object one by one, by name and type, and gathers every fault on the way.
type fields struct {
	members map[string]any
	path    string
	faults  *audit.ValidationErrors
	read    map[string]bool
}

// newFields starts reading an object; path stands before each name, for example "records[3].". Anything but an object is a fault.
func newFields(tree any, path string, faults *audit.ValidationErrors) *fields {
	members, ok := tree.(map[string]any)
	if !ok {
		faults.Add(trimDot(path), audit.CodeType, "must be an object")
	}
	return &fields{members: members, path: path, faults: faults, read: make(map[string]bool, len(members))}
}

func trimDot(path string) string {
	if path == "" {
		return ""
	}
	return path[:len(path)-1]
}

func (f *fields) fault(name, code, detail string) { f.faults.Add(f.path+name, code, detail) }

// get answers a member, nil when it is absent or null.
func (f *fields) get(name string) any {
	f.read[name] = true
	return f.members[name]
}

// required is get for a member that must be there; it names the fault when it is not.
func (f *fields) required(name string) any {
	value := f.get(name)
	if value == nil && f.members != nil {
		f.fault(name, audit.CodeRequired, "must be given")
	}
	return value
}

// has reports whether the member is there, null or not.
func (f *fields) has(name string) bool {
	_, ok := f.members[name]
	return ok
}

// as reads a value as a T. nil stays nil: that it is missing has been said where it matters.
func as[T any](f *fields, name string, value any, wanted string) *T {
	if value == nil {
		return nil
	}
	typed, ok := value.(T)
	if !ok {
		f.fault(name, audit.CodeType, "must be "+wanted)
		return nil
	}
	return &typed
}

func (f *fields) text(name string) string {
	return orZero(as[string](f, name, f.required(name), "a text"))
}

func (f *fields) optionalText(name string) *string {
	return as[string](f, name, f.get(name), "a text")
}

func (f *fields) boolean(name string) bool {
	return orZero(as[bool](f, name, f.required(name), "true or false"))
}

func (f *fields) optionalBoolean(name string) bool {
	return orZero(as[bool](f, name, f.get(name), "true or false"))
}

func (f *fields) time(name string) time.Time {
	return orZero(f.parseTime(name, as[string](f, name, f.required(name), "an RFC 3339 time")))
}

func (f *fields) optionalTime(name string) *time.Time {
	return f.parseTime(name, as[string](f, name, f.get(name), "an RFC 3339 time"))
}

func (f *fields) parseTime(name string, text *string) *time.Time {
	if text == nil {
		return nil
	}
	t, err := parseRFC3339(*text)
	if err != nil {
		f.fault(name, audit.CodeFormat, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z")
		return nil
	}
	return &t
}

// parseRFC3339 is strict, as time.Parse is not: that takes hours of one digit and commas before fractions (go.dev/issue/54580).
func parseRFC3339(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && (text[len("2006-01-02T15")] != ':' || strings.Contains(text, ",")) {
		err = errors.New("not RFC 3339")
	}
	return t, err
}

func (f *fields) integer(name string) int64 { return orZero(f.parseInteger(name, f.required(name))) }

func (f *fields) optionalInteger(name string) *int64 { return f.parseInteger(name, f.get(name)) }

func (f *fields) parseInteger(name string, value any) *int64 {
	number := as[json.Number](f, name, value, "an integer")
	if number == nil {
		return nil
	}
	if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
		return &n
	}
	// 1.0 and 1e3 are integers as well (JSON Schema, section 6.1.1).
	x, err := number.Float64()
	switch {
	case err != nil || x != x || x > audit.MaxInteger || x < -audit.MaxInteger:
		f.fault(name, audit.CodeRange, "must be from 0 to 9007199254740991")
	case x != float64(int64(x)):
		f.fault(name, audit.CodeType, "must be an integer")
	default:
		n := int64(x)
		return &n
	}
	return nil
}

func (f *fields) optionalNumber(name string) *float64 {
	number := as[json.Number](f, name, f.get(name), "a number")
	if number == nil {
		return nil
	}
	x, err := number.Float64()
	if err != nil {
		f.fault(name, audit.CodeRange, "larger than a 64-bit floating-point number can be")
		return nil
	}
	return &x
}

// object answers the members of an object, nil when it is absent or null.
func (f *fields) object(name string) map[string]any {
	return orZero(as[map[string]any](f, name, f.get(name), "an object"))
}

// finish names every member that nobody read.
func (f *fields) finish() {
	var unread []string
	for name := range f.members {
		if !f.read[name] {
			unread = append(unread, name)
		}
	}
	slices.Sort(unread)
	for _, name := range unread {
		if slices.Contains(setByService, name) {
			f.fault(name, audit.CodeReadOnly, "is set by the service and cannot be sent")
		} else {
			f.faults.Add(audit.FieldPath(trimDot(f.path), name), audit.CodeUnknown, "no such field")
		}
	}
}

// setByService are the fields that an answer has and a request must not.
var setByService = []string{"id", "actor", "created_at", "updated_at", "signature_id", "event_id", "leaf_hash", "embedding"}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
