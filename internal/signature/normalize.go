package signature

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// Normalize prepares free text for signatures and queries: it collapses white space within lines,
// drops blank lines, and replaces each part that varies between occurrences of one event by a
// placeholder. Words are unchanged, and so are numbers that identify an error, as in "exit code
// 137" or "HTTP 503". Normalize is idempotent. Only the first 64 KiB are read.
//
// The placeholders are <n> number, <duration>, <size>, <time>, <uuid>, <hex>, <digest>, <ip> with
// its port and prefix, <host>, <user>, <pod> for the suffix that Kubernetes appends to a workload's
// name, and <id> for the rest of a numbered name.
func Normalize(s string) string {
	n := normalizer{out: make([]byte, 0, min(len(s), maxNormalized))}
	for line := range strings.Lines(truncateText(s, maxNormalized)) {
		n.normalizeLine(strings.Fields(line))
	}
	return string(n.out)
}

// normalizer appends normalized words to out.
type normalizer struct {
	out []byte
	// label is the last word written unchanged. Punctuation keeps it; placeholders and numbers
	// reset it.
	label string
}

func (n *normalizer) normalizeLine(words []string) {
	if len(words) == 0 {
		return
	}
	if len(n.out) > 0 {
		n.out = append(n.out, '\n')
	}
	n.label = ""
	for i := 0; i < len(words); {
		if i > 0 {
			n.out = append(n.out, ' ')
		}
		i += n.normalizeWords(words, i)
	}
}

// normalizeWords writes word i, together with the next ones if they form one value, and returns the
// number of words written.
func (n *normalizer) normalizeWords(words []string, i int) int {
	if used := countDateWords(words[i:]); used > 0 {
		n.writePlaceholder(phTime)
		return used
	}
	if isUserName(words, i) && !n.outputEndsWith(phUser+" ") {
		n.writeUserName(words[i])
		return 1
	}
	n.normalizeWord(words[i])
	if i+1 < len(words) && n.mergeNumberAndUnit(words[i+1]) {
		return 2
	}
	return 1
}

// mergeNumberAndUnit replaces a number and the unit in the next word by one placeholder.
func (n *normalizer) mergeNumberAndUnit(word string) bool {
	end := len(n.out) - len(phNumber)
	if !n.outputEndsWith(phNumber) || end > 0 && (ascii.IsAlnum(n.out[end-1]) || n.out[end-1] == '>') {
		return false
	}
	name := strings.TrimRight(word, ".,;:)")
	if strings.HasSuffix(name, "(s") {
		name += ")"
	}
	unit := unitPlaceholder(name)
	if unit == "" || len(name) == 1 && name != "s" && name != "B" {
		return false
	}
	n.out = append(append(n.out[:end], unit...), word[len(name):]...)
	n.label = ""
	return true
}

func (n *normalizer) outputEndsWith(tail string) bool {
	return bytes.HasSuffix(n.out, []byte(tail))
}

// normalizeWord splits a word at the delimiters between names and values, and normalizes the
// pieces. Text next to a placeholder is already normalized and is copied.
func (n *normalizer) normalizeWord(w string) {
	from, write := 0, (*normalizer).normalizePiece
	for i := 0; i < len(w); {
		if ph := leadingPlaceholder(w[i:]); ph != "" {
			n.copyText(w[from:i])
			n.writePlaceholder(ph)
			i += len(ph)
			from, write = i, (*normalizer).copyText
			continue
		}
		if outerDelimiters[w[i]] {
			write(n, w[from:i])
			n.out = append(n.out, w[i])
			from, write = i+1, (*normalizer).normalizePiece
		}
		i++
	}
	write(n, w[from:])
	if ascii.HasPrefixFold(w, "http/") {
		n.label = "http"
	}
}

// outerDelimiters separate names and values, outerPunctuation may surround them, and
// innerDelimiters may occur within them.
var (
	outerDelimiters  = ascii.SetOf("=,;()[]{}\"'`<>|")
	outerPunctuation = ascii.SetOf(".:!?-+*&#@/\\")
	innerDelimiters  = ascii.SetOf("/\\:@#?&")
)

// normalizePiece writes the text between two delimiters. Punctuation around it is copied.
func (n *normalizer) normalizePiece(p string) {
	if strings.HasPrefix(p, "::") && isIPv6Address(p) {
		n.writePlaceholder(phIP)
		return
	}
	core := outerPunctuation.Trim(p)
	if n.outputEndsWith("=") && ascii.LastWord(n.label) == "rhost" && core != "" {
		n.writePlaceholder(phHost) // the peer of a PAM message, by name or by address
		return
	}
	if core == "" || len(core) <= maxWhole && ascii.Digits.Index(core) < 0 && !isPodName(core) {
		n.copyText(p)
		return
	}
	if len(p) <= maxWhole && isNumber(p) && !n.isSignificantNumber(core) {
		core = p // with its sign
	}
	start := strings.IndexByte(p, core[0])
	n.out = append(n.out, p[:start]...)
	n.normalizeCore(core)
	n.out = append(n.out, p[start+len(core):]...)
}

// copyText writes text unchanged.
func (n *normalizer) copyText(p string) {
	n.out = append(n.out, p...)
	if word := outerPunctuation.TrimRight(p); word != "" && ascii.IsAlnum(word[len(word)-1]) {
		n.label = word
	}
}

// normalizeCore writes a piece that contains digits.
func (n *normalizer) normalizeCore(p string) {
	if ph := n.wholePlaceholder(p); ph != "" {
		n.writePlaceholder(ph)
		return
	}
	if n.isSignificantNumber(p) {
		n.out = append(n.out, p...)
		n.label = ""
		return
	}
	if isVersion(p) {
		n.out = append(n.out, p[0])
		n.writePlaceholder(phNumber)
		return
	}
	i := innerDelimiters.Index(p[:min(len(p), maxWhole)])
	if i < 0 {
		i = strings.IndexByte(p[:min(len(p), maxWhole)], '.')
	}
	if i < 0 {
		n.normalizeName(p)
		return
	}
	n.normalizePiece(p[:i])
	n.out = append(n.out, p[i])
	n.normalizePiece(p[i+1:])
}

// maxWhole is the maximum length of a piece that is matched as a single value. Host names with a
// port and digests are shorter.
const maxWhole = 300

// wholePlaceholder returns the placeholder for a piece that is a single value, or "".
func (n *normalizer) wholePlaceholder(p string) string {
	switch {
	case len(p) > maxWhole:
		return ""
	case isUUID(p):
		return phUUID
	case isTimestamp(p):
		return phTime
	case isIPAddress(p):
		return phIP
	case isContentDigest(p):
		return phDigest
	case isNumber(p):
		if n.isSignificantNumber(p) {
			return ""
		}
		return phNumber
	case isHexNumber(p):
		return phHex
	case isHostName(p):
		return phHost
	}
	return quantityPlaceholder(p)
}

func (n *normalizer) writePlaceholder(ph string) {
	n.out = append(n.out, ph...)
	n.label = ""
}

// isSignificantNumber reports whether p is a short number after a word such as "code" or "status":
// it identifies the error.
func (n *normalizer) isSignificantNumber(p string) bool {
	const longest = 5
	if len(p) > longest || ascii.PrefixLen(p, ascii.IsAlnum) != len(p) || !ascii.IsDigit(p[0]) {
		return false
	}
	switch ascii.LastWord(n.label) {
	case "code", "status", "signal", "errno", "rc", "exit", "http", "error", "sqlstate":
		return true
	}
	return false
}

// normalizeName writes a name that contains digits: letters, digits, hyphens, underscores.
func (n *normalizer) normalizeName(p string) {
	if isErrorCode(p) || isTechnicalWord(p) {
		n.copyText(p)
		return
	}
	if stem, ok := splitPodName(p); ok {
		n.normalizePiece(stem)
		n.writePlaceholder(phPod)
		return
	}
	if pod, rest, ok := strings.Cut(p, "_"); ok && isPodName(pod) {
		n.normalizeName(pod)
		n.out = append(n.out, '_')
		n.normalizePiece(rest)
		return
	}
	if i := indexInstanceNumber(p); i >= 0 {
		n.normalizePiece(p[:i])
		n.writePlaceholder(phID)
		return
	}
	n.normalizeSegments(p)
}

// normalizeSegments writes a name segment by segment.
func (n *normalizer) normalizeSegments(p string) {
	for i := 0; i < len(p); {
		if len(p)-i >= uuidLength && isUUID(p[i:i+uuidLength]) {
			n.writePlaceholder(phUUID)
			i += uuidLength
			continue
		}
		width := ascii.PrefixLen(p[i:], func(c byte) bool { return ascii.IsAlnum(c) || c >= utf8.RuneSelf })
		if width == 0 {
			n.out = append(n.out, p[i])
			i++
			continue
		}
		n.normalizeSegment(p[i : i+width])
		i += width
	}
}

// normalizeSegment writes a run of letters and digits.
func (n *normalizer) normalizeSegment(p string) {
	digits, runs := countDigitRuns(p)
	at := ascii.Digits.Index(p)
	switch {
	case digits == 0 || isTechnicalWord(p):
		n.copyText(p)
	case isNumber(p):
		n.writePlaceholder(phNumber)
	case isHexNumber(p):
		n.writePlaceholder(phHex)
	case isCamelCase(p) && runs == 1 && digits <= 2 && at > 0 && at+digits < len(p):
		n.copyText(p)
	case isOrdinal(p):
		n.writePlaceholder(phNumber)
		n.copyText("th")
	case runs == 1 && at > 0 && at+digits == len(p):
		n.copyText(p[:at])
		n.writePlaceholder(phNumber)
	default:
		n.writePlaceholder(phID)
	}
}

// countDigitRuns returns the number of digits and of runs of adjacent digits.
func countDigitRuns(p string) (digits, runs int) {
	for i := range len(p) {
		if ascii.IsDigit(p[i]) {
			digits++
			if i == 0 || !ascii.IsDigit(p[i-1]) {
				runs++
			}
		}
	}
	return digits, runs
}
