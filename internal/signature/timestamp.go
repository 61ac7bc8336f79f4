package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// timestampLength returns the length of the date, the time of day, or both at the start of s, with
// day of the week, fraction and zone, in any of the common orders and notations: RFC 3339, RFC 1123,
// RFC 850, asctime, syslog, klog, Apache, JavaScript, and local dates. It is 0 if there is none. A
// time of day without seconds counts only next to a date or AM/PM: 3:1 is also a ratio.
func timestampLength(s string) int {
	if s == "" || !ascii.IsDigit(s[0]) && !startsCalendarName(s) {
		return 0
	}
	t := timestampParser{text: s}
	for t.parseElement() {
	}
	rest := s[t.end:]
	if !t.date && !t.clock || !endsWord(rest) || len(rest) > 1 && rest[0] == ':' && ascii.IsHex(rest[1]) {
		return 0
	}
	return t.end
}

// timestampParser reads the elements of a timestamp.
type timestampParser struct {
	text        string
	end         int  // of the last element
	date, clock bool // which elements were found; clock is a time of day with seconds or AM/PM
	hours       bool // a time of day without seconds was found
}

// parseElement reads a separator and one more element, and reports whether there was one.
func (t *timestampParser) parseElement() bool {
	at := t.end
	if at > 0 {
		at += separatorLength(t.text[at:], t.date && !t.clock && !t.hours)
	}
	rest := t.text[at:]
	n := t.elementLength(rest, at == t.end && at > 0)
	if n == 0 {
		return false
	}
	t.end = at + n
	return true
}

// separatorLength returns the length of what may stand between two elements.
func separatorLength(s string, afterDate bool) int {
	switch {
	case strings.HasPrefix(s, ", "):
		return 2
	case s != "" && s[0] == ' ':
		return 1
	case afterDate && len(s) > 1 && strings.IndexByte("Tt_:-", s[0]) >= 0 && ascii.IsDigit(s[1]):
		return 1
	}
	return 0
}

// elementLength returns the length of the element at the start of s and notes its kind. attached
// reports whether it directly follows the element before.
func (t *timestampParser) elementLength(s string, attached bool) int {
	if n := clockLength(s); n > 0 && !attached && !t.clock && !t.hours {
		t.noteClock(s[:n])
		return n
	}
	if n := dateLength(s); n > 0 && !attached && !t.date {
		t.date = true
		return n
	}
	if n := weekdayLength(s); n > 0 && !attached && !t.date && !t.clock {
		return n
	}
	if t.end > 0 && (t.clock || t.hours) {
		return t.suffixLength(s, attached)
	}
	return 0
}

func (t *timestampParser) noteClock(clock string) {
	t.clock = strings.Count(clock, ":")+strings.Count(clock, "_") > 1 || strings.IndexAny(clock, "mM") > 0
	t.hours = !t.clock
	if t.hours && t.date {
		t.clock = true
	}
}

// suffixLength returns the length of what may follow a time of day: AM/PM, a zone, the year.
func (t *timestampParser) suffixLength(s string, attached bool) int {
	if n := meridiemLength(s); n > 0 {
		t.clock = true
		return n
	}
	if n := zoneLength(s, attached); n > 0 && (t.date || t.clock) {
		return n
	}
	if !attached && t.date && isYear(s) {
		return len("2006")
	}
	return 0
}

func isYear(s string) bool {
	return len(s) >= 4 && (s[:2] == "19" || s[:2] == "20") && ascii.PrefixLen(s, ascii.IsDigit) == 4 && endsWord(s[4:])
}

// endsWord reports whether a word that precedes s ends there.
func endsWord(s string) bool { return s == "" || !ascii.IsAlnum(s[0]) }

func meridiemLength(s string) int {
	for _, m := range [...]string{"AM", "PM", "am", "pm", "a.m.", "p.m."} {
		if strings.HasPrefix(s, m) && endsWord(s[len(m):]) {
			return len(m)
		}
	}
	return 0
}

// zoneLength returns the length of Z, an offset, the name of a zone, or a description in
// parentheses.
func zoneLength(s string, attached bool) int {
	switch {
	case s == "":
		return 0
	case (s[0] == 'Z' || s[0] == 'z') && attached && endsWord(s[1:]):
		return 1
	case s[0] == '+' || s[0] == '-':
		return offsetLength(s)
	case s[0] == '(':
		return zoneDescriptionLength(s)
	}
	n := ascii.PrefixLen(s, ascii.IsUpper)
	if n < 3 || n > 5 || attached || s[:n] != "UTC" && s[:n] != "GMT" && s[n-1] != 'T' {
		return 0
	}
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		return n + offsetLength(s[n:])
	}
	if !endsWord(s[n:]) {
		return 0
	}
	return n
}

// offsetLength returns the length of an offset such as +02:00 or -0700.
func offsetLength(s string) int {
	digits := ascii.PrefixLen(s[1:], ascii.IsDigit)
	switch {
	case digits == 2 && matchesPattern(s[3:], ":99") && endsWord(s[6:]):
		return len("+02:00")
	case (digits == 4 || digits == 2) && endsWord(s[1+digits:]):
		return 1 + digits
	}
	return 0
}

// zoneDescriptionLength returns the length of (Central European Standard Time).
func zoneDescriptionLength(s string) int {
	end := strings.IndexByte(s, ')')
	if end < 0 || end > 60 || !strings.HasSuffix(s[:end], " Time") {
		return 0
	}
	return end + 1
}

// clockLength returns the length of 05:06, 05:06:07 or 05_06_07 with an optional fraction and an
// attached AM or PM.
func clockLength(s string) int {
	n := ascii.PrefixLen(s, ascii.IsDigit)
	if n == 0 || n > 2 || len(s) < n+3 || s[n] != ':' && s[n] != '_' || !matchesPattern(s[n+1:], "99") {
		return 0
	}
	separator := s[n]
	n += 3
	seconds := n+3 <= len(s) && s[n] == separator && matchesPattern(s[n+1:], "99")
	if !seconds && separator == '_' {
		return 0
	}
	if seconds {
		n += 3
		if n+1 < len(s) && (s[n] == '.' || s[n] == ',') {
			if fraction := ascii.PrefixLen(s[n+1:], ascii.IsDigit); fraction > 0 {
				n += 1 + fraction
			}
		}
	}
	if n < len(s) && ascii.IsDigit(s[n]) || !seconds && n < len(s) && s[n] == ':' {
		return 0
	}
	return n + meridiemLength(s[n:])
}

// dateLength returns the length of a date: 2026-03-04, 2026/03/04, 2026.03.04, 2026_03_04,
// 04.03.2026, 3/4/2026, 03/04/26, 20260304, 2026-W10, 04/Mar/2026, 4 Mar 2026, Mar 4, March 4, 2026,
// 0304 of klog.
func dateLength(s string) int {
	if s == "" {
		return 0
	}
	if !ascii.IsDigit(s[0]) {
		return monthFirstLength(s)
	}
	digits := ascii.PrefixLen(s, ascii.IsDigit)
	switch {
	case digits == 4 && isYearNumber(s):
		return yearFirstLength(s)
	case digits == 8 && isYearNumber(s) && len(s) > 8 && s[8] == 'T' && len(s) >= 15 && ascii.PrefixLen(s[9:], ascii.IsDigit) == 6:
		return 8 + 7
	case digits <= 2:
		return dayFirstLength(s, digits)
	}
	return 0
}

func isYearNumber(s string) bool { return s[:2] == "19" || s[:2] == "20" }

func yearFirstLength(s string) int {
	if len(s) < 8 || strings.IndexByte("-/._", s[4]) < 0 {
		return 0
	}
	if s[5] == 'W' && matchesPattern(s[6:], "99") && endsWord(s[8:]) {
		return len("2026-W10")
	}
	month := ascii.PrefixLen(s[5:], ascii.IsDigit)
	if month == 0 || month > 2 || len(s) <= 5+month || s[5+month] != s[4] {
		return 0
	}
	n := 6 + month
	day := ascii.PrefixLen(s[n:], ascii.IsDigit)
	if day == 0 || day > 2 {
		return 0
	}
	return n + day
}

// dayFirstLength returns the length of a date that begins with one or two digits.
func dayFirstLength(s string, digits int) int {
	if len(s) < digits+2 {
		return 0
	}
	separator := s[digits]
	if strings.IndexByte("-/. ", separator) < 0 {
		return 0
	}
	n := digits + 1
	width := monthNameLength(s[n:])
	if width == 0 && separator != ' ' {
		width = ascii.PrefixLen(s[n:], ascii.IsDigit)
		if width > 2 {
			return 0
		}
	}
	if width == 0 || len(s) <= n+width {
		return 0
	}
	if s[n+width] != separator {
		return 0
	}
	n += width + 1
	year := ascii.PrefixLen(s[n:], ascii.IsDigit)
	if year == 4 && isYearNumber(s[n:]) || year == 2 && (separator == '/' || !ascii.IsDigit(s[digits+1])) {
		return n + year
	}
	return 0
}

// monthFirstLength returns the length of Mar 4, March 4, 2026 or Mar 04 2026. May is a month only if
// a year or a time of day follows, for it is also a verb.
func monthFirstLength(s string) int {
	n := monthNameLength(s)
	if n == 0 || n+1 >= len(s) || s[n] != ' ' {
		return 0
	}
	day := ascii.PrefixLen(s[n+1:], ascii.IsDigit)
	if day == 0 || day > 2 {
		return 0
	}
	isMay := n == len("May")
	n += 1 + day
	if !endsWord(s[n:]) {
		return 0
	}
	rest := strings.TrimLeft(s[n:], ", ")
	if len(rest) < len(s[n:]) && isYear(rest) {
		return len(s) - len(rest) + 4
	}
	if isMay && s[:3] == "May" && clockLength(rest) == 0 {
		return 0
	}
	return n
}

func matchesPattern(p, pattern string) bool {
	if len(p) < len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == '9' && !ascii.IsDigit(p[i]) || pattern[i] != '9' && p[i] != pattern[i] {
			return false
		}
	}
	return true
}

// startsCalendarName reports whether s may start with the name of a month or a day.
func startsCalendarName(s string) bool {
	return len(s) > 3 && (monthNameLength(s) > 0 || weekdayLength(s) > 0)
}

// monthNameLength returns the length of the month's name or its abbreviation at the start of s, or 0.
func monthNameLength(s string) int { return calendarNameLength(s, monthNames) }

// weekdayLength returns the length of the day's name or its abbreviation at the start of s, or 0.
func weekdayLength(s string) int { return calendarNameLength(s, weekdayNames) }

// The names of months and days, by their abbreviations.
var (
	monthNames = map[string]string{
		"Jan": "January", "Feb": "February", "Mar": "March", "Apr": "April", "May": "May", "Jun": "June", "Jul": "July", "Aug": "August",
		"Sep": "September", "Oct": "October", "Nov": "November", "Dec": "December",
	}
	weekdayNames = map[string]string{
		"Mon": "Monday", "Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
	}
)

func calendarNameLength(s string, names map[string]string) int {
	if len(s) < 3 || !ascii.IsUpper(s[0]) || !ascii.IsLower(s[2]) {
		return 0
	}
	name, ok := names[s[:3]]
	switch {
	case !ok:
		return 0
	case len(s) == 3 || !isLetter(s[3]):
		return 3
	case strings.HasPrefix(s, name) && (len(s) == len(name) || !isLetter(s[len(name)])):
		return len(name)
	}
	return 0
}
