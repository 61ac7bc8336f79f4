package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// quantityLength returns the length of the number at the start of s with the units attached to it:
// 12, 1,024, 1.2e-05s, 97.3%, 1.5GiB, 500m, 1h2m3.5s, 250.1k/s, NaN, Infms. It is 0 if there is
// none; what follows is not looked at.
func quantityLength(s string) int {
	end := 0
	for {
		width := numberLength(s[end:])
		if width == 0 {
			return end
		}
		unit := unitLength(s[end+width:])
		end += width + unit
		if unit == 0 {
			return end
		}
	}
}

func leadingLetters(s string) string { return s[:ascii.PrefixLen(s, isLetter)] }

// numberLength returns the length of an unsigned number: digits, also in groups of three, with a
// fraction and an exponent.
func numberLength(s string) int {
	n := ascii.PrefixLen(s, ascii.IsDigit)
	if n == 0 {
		return noNumberLength(s)
	}
	for n <= len(s)-4 && s[n] == ',' && ascii.PrefixLen(s[n+1:], ascii.IsDigit) == 3 {
		n += 4
	}
	if n < len(s) && s[n] == '.' {
		if fraction := ascii.PrefixLen(s[n+1:], ascii.IsDigit); fraction > 0 {
			n += 1 + fraction
		}
	}
	return n + exponentLength(s[n:])
}

// noNumberLength returns the length of NaN or Inf, with which monitoring writes missing numbers.
func noNumberLength(s string) int {
	for _, word := range [...]string{"NaN", "Inf"} {
		if rest, ok := strings.CutPrefix(s, word); ok {
			if unit := leadingLetters(rest); unit == "" && endsWord(rest) || unit != "" && isUnit(unit) {
				return len(word)
			}
		}
	}
	return 0
}

func exponentLength(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	if digits := ascii.PrefixLen(s[n:], ascii.IsDigit); digits > 0 {
		return n + digits
	}
	return 0
}

// unitLength returns the length of the unit at the start of s, which may be a rate such as MiB/s, or
// 0.
func unitLength(s string) int {
	n := 0
	switch {
	case s == "":
		return 0
	case s[0] == '%':
		n = 1
	case strings.HasPrefix(s, "µs"), strings.HasPrefix(s, "μs"), strings.HasPrefix(s, "°C"):
		n = len("µs")
	default:
		word := leadingLetters(s)
		if word != "" && !isUnit(word) {
			return 0
		}
		n = len(word)
		if strings.HasPrefix(s[n:], "%") {
			n++ // a percentage with a prefix of SI, as in 115.2n%
		}
	}
	return n + rateLength(s[n:])
}

// rateLength returns the length of /s, /sec or /min at the start of s, or 0.
func rateLength(s string) int {
	if s == "" || s[0] != '/' {
		return 0
	}
	switch word := leadingLetters(s[1:]); word {
	case "s", "sec", "second", "m", "min", "minute", "h", "hour", "d", "day":
		return 1 + len(word)
	}
	return 0
}

// isUnit reports whether word is a unit that may be attached to its number: of time, size,
// frequency or rate, also with a prefix of SI or IEC, or that prefix alone, as in 1.2k or 500m.
func isUnit(word string) bool {
	switch base := strings.TrimLeft(word[:1], "kKMGTPEZYmunpfazgt"); {
	case len(word) > len("milliseconds"):
		return false
	case base == "" && (len(word) == 1 || isBaseUnit(word[1:]) || word[1] == 'i' && (len(word) == 2 || isBaseUnit(word[2:]))):
		return true
	}
	return isBaseUnit(word) || isUnitWord(word)
}

func isBaseUnit(word string) bool {
	switch word {
	case "s", "ms", "h", "d", "w", "y", "B", "b", "bps", "Bps", "pps", "iops", "IOPS", "rps", "qps", "Hz", "W", "V", "A", "C", "rpm":
		return true
	}
	return false
}

// isUnitWord reports whether word is a unit that may also follow its number as the next word.
func isUnitWord(word string) bool {
	switch strings.ToLower(word) {
	case "ns", "us", "µs", "μs", "ms", "msec", "msecs", "usec", "usecs", "millis", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes",
		"hr", "hrs", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "year", "years",
		"millisecond", "milliseconds", "microsecond", "microseconds", "nanosecond", "nanoseconds",
		"byte", "bytes", "bit", "bits", "kb", "mb", "gb", "tb", "pb", "eb", "kib", "mib", "gib", "tib", "pib", "eib",
		"kbps", "mbps", "gbps", "tbps", "kbit", "mbit", "gbit", "percent", "hz", "khz", "mhz", "ghz", "dbm", "watts", "volts", "celsius":
		return true
	}
	return false
}

// isSpacedUnit reports whether word, which follows a number, is its unit.
func isSpacedUnit(word string) bool {
	switch word {
	case "s", "B", "%", "W", "V", "second(s", "minute(s", "hour(s", "day(s", "byte(s":
		return true
	}
	return isUnitWord(word)
}

// isISODuration reports whether p is a duration of ISO 8601 such as PT5M or P1DT2H.
func isISODuration(p string) bool {
	if len(p) < 3 || p[0] != 'P' {
		return false
	}
	designators := 0
	for i := 1; i < len(p); i++ {
		switch c := p[i]; {
		case ascii.IsDigit(c) || c == '.':
		case c == 'T' && !ascii.IsDigit(p[i-1]):
		case strings.IndexByte("YMWDHS", c) >= 0 && ascii.IsDigit(p[i-1]):
			designators++
		default:
			return false
		}
	}
	return designators > 0 && !ascii.IsDigit(p[len(p)-1])
}
