package api

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// parameters reads named text values one by one, from a query string or from the filters of a search, and gathers every fault.
type parameters struct {
	values map[string]string
	path   string // stands before each name in a fault
	faults *audit.ValidationErrors
	read   map[string]bool
}

// queryParameters parses the query string by itself: the gateway joins a parameter given twice with a comma, which would read as "or".
func queryParameters(raw string, faults *audit.ValidationErrors) *parameters {
	p := &parameters{values: map[string]string{}, faults: faults, read: map[string]bool{}}
	if raw == "" {
		return p
	}
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(key)
		text, textErr := url.QueryUnescape(value)
		name = strings.ToValidUTF8(name, "\uFFFD")
		_, twice := p.values[name]
		switch {
		case pair == "":
		case nameErr != nil:
			p.faults.Add("", audit.CodeFormat, "the query string has a name that is not percent-encoded")
		case textErr != nil:
			p.faults.Add(audit.FieldPath("", name), audit.CodeFormat, "is not percent-encoded")
			p.read[name] = true
		case twice:
			p.faults.Add(audit.FieldPath("", name), audit.CodeNotRepeatable, "may be given once; separate values by commas")
		default:
			p.values[name] = text
		}
	}
	return p
}

func (p *parameters) fault(name, code, detail string) { p.faults.Add(p.path+name, code, detail) }

// get answers a value; ok is false when it is absent. Present and empty is a fault.
func (p *parameters) get(name string) (value string, ok bool) {
	p.read[name] = true
	value, ok = p.values[name]
	if ok && value == "" {
		p.fault(name, audit.CodeEmpty, "must not be empty")
		return "", false
	}
	return value, ok
}

// maxValues is how many values a filter may list.
const maxValues = 100

// list answers the values of a filter, nil when it is absent.
func (p *parameters) list(name string) []string {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	values := strings.Split(value, ",")
	if len(values) > maxValues {
		p.fault(name, audit.CodeSize, fmt.Sprintf("lists more than %d values", maxValues))
		return nil
	}
	return values
}

func (p *parameters) identifiers(name string, limit int) []string {
	before := len(*p.faults)
	values := p.list(name)
	for _, value := range values {
		if len(*p.faults) == before {
			audit.Checker{Path: p.path, Errors: p.faults}.CheckIdentifier(name, value, limit)
		}
	}
	return values
}

func words[T ~string](p *parameters, name string, set []T) []string {
	values := p.list(name)
	for _, value := range values {
		if !slices.Contains(set, T(value)) {
			p.fault(name, audit.CodeEnum, fmt.Sprintf("must be of %v", set))
			return nil
		}
	}
	return values
}

func (p *parameters) numbers(name string) []int64 {
	values := p.list(name)
	var numbers []int64
	for _, value := range values {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			p.fault(name, audit.CodeFormat, "must be numbers from 1 on")
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func (p *parameters) ids(name string) []audit.ID {
	var ids []audit.ID
	for _, value := range p.list(name) {
		id, err := audit.ParseID(value)
		if err != nil {
			p.fault(name, audit.CodeFormat, "must be UUIDs")
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

func (p *parameters) number(name string, low, high, fallback int) int {
	value, ok := p.get(name)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil && !digits(value):
		p.fault(name, audit.CodeFormat, "must be a whole number")
	case err != nil || n < low || n > high:
		p.fault(name, audit.CodeRange, fmt.Sprintf("must be from %d to %d", low, high))
	default:
		return n
	}
	return fallback
}

func digits(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (p *parameters) flag(name string) bool {
	value, ok := p.get(name)
	if ok && value != "true" && value != "false" {
		p.fault(name, audit.CodeEnum, "must be true or false")
	}
	return value == "true"
}

// moment reads an RFC 3339 time, or a span back from now.
func (p *parameters) moment(name string, now time.Time) *time.Time {
	value, ok := p.get(name)
	if !ok {
		return nil
	}
	// A plus sign that was not percent-encoded arrives as a space.
	t, err := parseRFC3339(strings.ReplaceAll(value, " ", "+"))
	if err != nil {
		t, err = back(value, now)
	}
	if err != nil {
		p.fault(name, audit.CodeFormat, "must be an RFC 3339 time, or a span back from now such as 24h or 7d")
		return nil
	}
	if t.Before(audit.MinTime) || !t.Before(audit.MaxTime) {
		p.fault(name, audit.CodeRange, "must be a time from 1970 to 9999")
		return nil
	}
	t = audit.Microseconds(t)
	return &t
}

var errNoSpan = errors.New("not a span of time")

// back reads a span such as 24h or 7d as the time that long before now.
func back(value string, now time.Time) (time.Time, error) {
	units := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}
	unit, ok := units[value[len(value)-1]]
	n, err := strconv.ParseUint(value[:len(value)-1], 10, 31)
	if !ok || err != nil {
		return time.Time{}, errNoSpan
	}
	if n > uint64(100*365*24*time.Hour/unit) {
		return audit.MinTime, nil
	}
	return now.Add(-time.Duration(n) * unit), nil
}

func (p *parameters) window(now time.Time) (since, until *time.Time) {
	since, until = p.moment("since", now), p.moment("until", now)
	if since != nil && until != nil && !since.Before(*until) {
		p.fault("until", audit.CodeOrder, "must be after since")
	}
	return since, until
}

// filter reads the filters that list and search share.
func (p *parameters) filter(now time.Time) audit.Filter {
	f := audit.Filter{
		IDs:               p.numbers("id"),
		RemediationIDs:    p.identifiers("remediation_id", audit.MaxIdentifier),
		Names:             p.identifiers("name", audit.MaxIdentifier),
		Namespaces:        p.identifiers("namespace", audit.MaxIdentifier),
		Phases:            words(p, "phase", audit.Phases()),
		Statuses:          words(p, "status", audit.Statuses()),
		Severities:        words(p, "severity", audit.Severities()),
		Environments:      words(p, "environment", audit.Environments()),
		ClusterNames:      p.identifiers("cluster_name", audit.MaxIdentifier),
		ActionTypes:       p.identifiers("action_type", audit.MaxActionType),
		AlertFingerprints: p.identifiers("alert_fingerprint", audit.MaxIdentifier),
		TargetResources:   p.identifiers("target_resource", audit.MaxTarget),
		SignatureIDs:      p.ids("signature_id"),
	}
	f.Since, f.Until = p.window(now)
	return f
}

// finish names every parameter that nobody read.
func (p *parameters) finish() {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !p.read[name] {
			p.faults.Add(audit.FieldPath(trimDot(p.path), name), audit.CodeUnknown, "no such parameter")
		}
	}
}

// encode writes the parameters back as a query string, sorted, but for those named.
func (p *parameters) encode(without ...string) string {
	values := url.Values{}
	for name, value := range p.values {
		if !slices.Contains(without, name) {
			values.Set(name, value)
		}
	}
	return values.Encode()
}

// with is encode with one value changed and another left out.
func (p *parameters) with(name, value, without string) string {
	changed := parameters{values: maps.Clone(p.values)}
	changed.values[name] = value
	return changed.encode(without)
}
