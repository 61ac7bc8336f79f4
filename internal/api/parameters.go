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

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/internal/audit"
)

// queryString is a parsed query string with the errors found while parsing it.
type queryString struct {
	values map[string][]string
	errs   audit.ValidationErrors
}

// parseQueryString parses the raw query string: API Gateway joins the values of a repeated parameter
// with a comma, although a value may contain one.
func parseQueryString(raw string) *queryString {
	q := &queryString{values: map[string][]string{}}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair != "" {
			q.addParameter(pair)
		}
	}
	return q
}

func (q *queryString) addParameter(pair string) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, nameErr := url.QueryUnescape(rawName)
	value, valueErr := url.QueryUnescape(rawValue)
	name = strings.ToValidUTF8(name, "\uFFFD")
	switch {
	case nameErr != nil:
		q.errs.Add("", audit.CodeFormat, "the query string has a name with invalid percent-encoding")
	case valueErr != nil:
		q.errs.Add(audit.FieldPath("", name), audit.CodeFormat, "has invalid percent-encoding")
	default:
		q.values[name] = append(q.values[name], value)
	}
}

// parameterReader reads named strings and lists of strings, from a query string or from the filters
// of a search, and collects all validation errors.
type parameterReader struct {
	values map[string][]string
	// lists are the names whose values are a list even if it has only one item: JSON has lists, a query
	// string has repeated parameters.
	lists map[string]bool
	path  string // precedes each name in an error
	errs  *audit.ValidationErrors
	read  map[string]bool
}

func newParameterReader(values map[string][]string, path string, errs *audit.ValidationErrors) *parameterReader {
	return &parameterReader{values: values, path: path, errs: errs, read: map[string]bool{}}
}

func (p *parameterReader) addError(name, code, detail string) { p.errs.Add(p.path+name, code, detail) }

// readString returns a value; ok is false if it is absent or, with an error, empty.
func (p *parameterReader) readString(name string) (value string, ok bool) {
	p.read[name] = true
	values := p.values[name]
	switch {
	case p.lists[name]:
		p.addError(name, audit.CodeType, "must be a string")
	case len(values) > 1:
		p.addError(name, audit.CodeNotRepeatable, "must not be repeated")
	case len(values) == 1 && values[0] == "":
		p.addError(name, audit.CodeEmpty, "must not be empty")
	case len(values) == 1:
		return values[0], true
	}
	return "", false
}

// isGiven reports whether there is a value, valid or not.
func (p *parameterReader) isGiven(name string) bool { return len(p.values[name]) > 0 }

// maxValues is the number of values that a filter may have.
const maxValues = 100

// readList returns the values of a filter, or nil if it is absent. Commas separate the values in a
// string; the items of a list may contain commas.
func (p *parameterReader) readList(name string) []string {
	values := p.values[name]
	if p.read[name] = true; len(values) < 2 && !p.lists[name] {
		value, ok := p.readString(name)
		if !ok {
			return nil
		}
		values = strings.Split(value, ",")
	}
	switch {
	case len(values) == 0:
		p.addError(name, audit.CodeEmpty, "must not be empty")
	case len(values) > maxValues:
		p.addError(name, audit.CodeSize, fmt.Sprintf("must not have more than %d values", maxValues))
	default:
		return values
	}
	return nil
}

func (p *parameterReader) readIdentifiers(name string, limit int) []string {
	return p.readTexts(name, limit, audit.Checker.CheckIdentifier)
}

// readAlertNames returns the values of a filter by the names of alerts.
func (p *parameterReader) readAlertNames(name string) []string {
	return p.readTexts(name, audit.MaxIdentifier, audit.Checker.CheckName)
}

func (p *parameterReader) readTexts(name string, limit int, check func(c audit.Checker, field, value string, limit int)) []string {
	before := len(*p.errs)
	values := p.readList(name)
	for _, value := range values {
		if len(*p.errs) == before {
			check(audit.Checker{Path: p.path, Errors: p.errs}, name, value, limit)
		}
	}
	return values
}

// readEnum returns one value of a set, or fallback if it is absent.
func readEnum[T ~string](p *parameterReader, name string, set []T, fallback T) T {
	value, ok := p.readString(name)
	if !ok {
		return fallback
	}
	if !slices.Contains(set, T(value)) {
		p.addError(name, audit.CodeEnum, mustBeOneOf(set))
	}
	return T(value)
}

func mustBeOneOf[T ~string](set []T) string {
	words := make([]string, len(set))
	for i, word := range set {
		words[i] = string(word)
	}
	return "must be one of " + strings.Join(words, ", ")
}

// readRequiredEnum returns one value of a set.
func readRequiredEnum[T ~string](p *parameterReader, name string, set []T) T {
	if !p.isGiven(name) {
		p.addError(name, audit.CodeRequired, "is required")
	}
	return readEnum(p, name, set, "")
}

// readEnumList returns the values of a filter, all of them from the set.
func readEnumList[T ~string](p *parameterReader, name string, set []T) []string {
	values := p.readList(name)
	for _, value := range values {
		if !slices.Contains(set, T(value)) {
			p.addError(name, audit.CodeEnum, mustBeOneOf(set))
			return nil
		}
	}
	return values
}

func (p *parameterReader) readPositiveIntegers(name string) []int64 {
	var numbers []int64
	for _, value := range p.readList(name) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			p.addError(name, audit.CodeFormat, "must be positive integers")
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func (p *parameterReader) readUUIDs(name string) []audit.ID {
	var ids []audit.ID
	for _, value := range p.readList(name) {
		id, err := audit.ParseID(value)
		if err != nil {
			p.addError(name, audit.CodeFormat, "must be UUIDs")
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// readInteger returns an integer from low to high, or fallback if it is absent.
func (p *parameterReader) readInteger(name string, low, high, fallback int) int {
	value, ok := p.readString(name)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil && !isDecimalInteger(value):
		p.addError(name, audit.CodeFormat, "must be an integer")
	case err != nil || n < low || n > high:
		p.addError(name, audit.CodeRange, fmt.Sprintf("must be from %d to %d", low, high))
	default:
		return n
	}
	return fallback
}

func isDecimalInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (p *parameterReader) readBoolean(name string) bool {
	value, ok := p.readString(name)
	if ok && value != "true" && value != "false" {
		p.addError(name, audit.CodeEnum, "must be true or false")
	}
	return value == "true"
}

// readTime returns the value of an RFC 3339 time or, for a duration such as 7d, the time that long
// before now. It returns nil if the parameter is absent.
func (p *parameterReader) readTime(name string, now time.Time) *time.Time {
	value, ok := p.readString(name)
	if !ok {
		return nil
	}
	// A plus sign that is not percent-encoded arrives as a space.
	t, err := parseRFC3339(strings.ReplaceAll(value, " ", "+"))
	if err != nil {
		t, err = parseTimeAgo(value, now)
	}
	if err != nil {
		p.addError(name, audit.CodeFormat, "must be an RFC 3339 time, or a duration before now such as 24h or 7d")
		return nil
	}
	if t.Before(audit.MinTime) || !t.Before(audit.MaxTime) {
		p.addError(name, audit.CodeRange, "must be a time from 1970 to 9999")
		return nil
	}
	t = audit.Microseconds(t)
	return &t
}

var errTimeAgo = errors.New("not a duration")

// parseTimeAgo returns now minus a duration such as 24h or 7d.
func parseTimeAgo(value string, now time.Time) (time.Time, error) {
	units := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}
	unit, ok := units[value[len(value)-1]]
	n, err := strconv.ParseUint(value[:len(value)-1], 10, 31)
	if !ok || err != nil {
		return time.Time{}, errTimeAgo
	}
	if n > uint64(100*365*24*time.Hour/unit) {
		return audit.MinTime, nil
	}
	return now.Add(-time.Duration(n) * unit), nil
}

func (p *parameterReader) readTimeRange(now time.Time) (since, until *time.Time) {
	since, until = p.readTime("since", now), p.readTime("until", now)
	if since != nil && until != nil && !since.Before(*until) {
		p.addError("until", audit.CodeOrder, "must be after since")
	}
	return since, until
}

// readFilter reads the filters that lists, searches and statistics share.
func (p *parameterReader) readFilter(now time.Time) audit.Filter {
	f := audit.Filter{
		IDs:               p.readPositiveIntegers("id"),
		RemediationIDs:    p.readIdentifiers("remediation_id", audit.MaxIdentifier),
		Names:             p.readAlertNames("name"),
		Namespaces:        p.readIdentifiers("namespace", audit.MaxIdentifier),
		Phases:            readEnumList(p, "phase", audit.Phases()),
		Statuses:          readEnumList(p, "status", audit.Statuses()),
		Severities:        readEnumList(p, "severity", audit.Severities()),
		Environments:      readEnumList(p, "environment", audit.Environments()),
		ClusterNames:      p.readIdentifiers("cluster_name", audit.MaxIdentifier),
		ActionTypes:       p.readIdentifiers("action_type", audit.MaxActionType),
		AlertFingerprints: p.readIdentifiers("alert_fingerprint", audit.MaxIdentifier),
		TargetResources:   p.readIdentifiers("target_resource", audit.MaxTarget),
		SignatureIDs:      p.readUUIDs("signature_id"),
	}
	f.Since, f.Until = p.readTimeRange(now)
	return f
}

// checkConsistency adds an error for an invalid value; Request.Strong reads it.
func (p *parameterReader) checkConsistency() {
	readEnum(p, "consistency", []client.Consistency{client.ConsistencyEventual, client.ConsistencyStrong}, "")
}

// reportUnread adds an error for each parameter that was not read.
func (p *parameterReader) reportUnread() {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !p.read[name] {
			p.errs.Add(audit.FieldPath(strings.TrimSuffix(p.path, "."), name), audit.CodeUnknown, "unknown parameter")
		}
	}
}

// encodeWithout returns the parameters as a query string, sorted, without the named ones.
func (p *parameterReader) encodeWithout(names ...string) string {
	values := maps.Clone(url.Values(p.values))
	for _, name := range names {
		values.Del(name)
	}
	return values.Encode()
}

// encodeWith returns the parameters as a query string, with one set to a value and another left out.
func (p *parameterReader) encodeWith(name, value, without string) string {
	changed := parameterReader{values: maps.Clone(p.values)}
	changed.values[name] = []string{value}
	return changed.encodeWithout(without)
}
