package signature

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// Normalize turns free text into what a signature and a query keep of it: one line per line, single spaces, and a placeholder
// for each part that changes when the same thing happens again. Words stay as they are written. A number after a word that makes it
// a name, as in "exit code 137" or "HTTP 503", stays too. Normalising twice equals normalising once. Only the first 64 KiB are read.
//
// The placeholders are <n> number, <duration>, <size>, <time>, <uuid>, <hex>, <digest>, <ip> with its port and prefix, <host>,
// <user>, <pod> for what Kubernetes appends to a workload's name, and <id> for the rest of a numbered name.
func Normalize(s string) string {
	n := normalizer{out: make([]byte, 0, min(len(s), maxNormalized))}
	for line := range strings.Lines(cutText(s, maxNormalized)) {
		n.line(strings.Fields(line))
	}
	return string(n.out)
}

// normalizer writes normalised words one after another and remembers what it needs of those before.
type normalizer struct {
	out []byte
	// label ends in the last word made of letters, as long as only punctuation has followed it.
	label string
}

func (n *normalizer) line(words []string) {
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
		i += n.words(words, i)
	}
}

// words writes word i, or as many from there as mean one thing together, and returns how many they were.
func (n *normalizer) words(words []string, i int) int {
	if used := dateWords(words[i:]); used > 0 {
		n.placeholder(phTime)
		return used
	}
	if isUserName(words, i) && !n.endsWith(phUser+" ") {
		n.userName(words[i])
		return 1
	}
	n.word(words[i])
	if i+1 < len(words) && n.joinUnit(words[i+1]) {
		return 2
	}
	return 1
}

// joinUnit turns a number and the unit in the next word into one placeholder.
func (n *normalizer) joinUnit(word string) bool {
	end := len(n.out) - len(phNumber)
	if !n.endsWith(phNumber) || end > 0 && (ascii.IsAlnum(n.out[end-1]) || n.out[end-1] == '>') {
		return false
	}
	name := strings.TrimRight(word, ".,;:)")
	if strings.HasSuffix(name, "(s") {
		name += ")"
	}
	unit := unitOf(name)
	if unit == "" || len(name) == 1 && name != "s" && name != "B" {
		return false
	}
	n.out = append(append(n.out[:end], unit...), word[len(name):]...)
	n.label = ""
	return true
}

// endsWith reports whether the text written so far ends so.
func (n *normalizer) endsWith(tail string) bool {
	return bytes.HasSuffix(n.out, []byte(tail))
}

// word cuts a word at what can only stand between names and values, and writes the pieces. What touches a placeholder was normalised
// with it and stays.
func (n *normalizer) word(w string) {
	from, write := 0, (*normalizer).piece
	for i := 0; i < len(w); {
		if ph := placeholderAt(w[i:]); ph != "" {
			n.plain(w[from:i])
			n.placeholder(ph)
			i += len(ph)
			from, write = i, (*normalizer).plain
			continue
		}
		if outerDelimiters[w[i]] {
			write(n, w[from:i])
			n.out = append(n.out, w[i])
			from, write = i+1, (*normalizer).piece
		}
		i++
	}
	write(n, w[from:])
	if ascii.HasPrefixFold(w, "http/") {
		n.label = "http"
	}
}

// outerDelimiters stand between names and values, outerPunctuation around them without being part of them, and innerDelimiters within.
var (
	outerDelimiters  = ascii.SetOf("=,;()[]{}\"'`<>|")
	outerPunctuation = ascii.SetOf(".:!?-+*&#@/\\")
	innerDelimiters  = ascii.SetOf("/\\:@#?&")
)

// piece writes what stands between two delimiters, after the punctuation around it.
func (n *normalizer) piece(p string) {
	if strings.HasPrefix(p, "::") && isIPv6(p) {
		n.placeholder(phIP)
		return
	}
	core := outerPunctuation.Trim(p)
	if n.endsWith("=") && ascii.LastWord(n.label) == "rhost" && core != "" {
		n.placeholder(phHost) // the peer of a PAM message, by name or by address
		return
	}
	if core == "" || len(core) <= maxWhole && ascii.Digits.Index(core) < 0 && !isPodName(core) {
		n.plain(p)
		return
	}
	if len(p) <= maxWhole && isNumber(p) && !n.keepsNumber(core) {
		core = p // with its sign
	}
	start := strings.IndexByte(p, core[0])
	n.out = append(n.out, p[:start]...)
	n.core(core)
	n.out = append(n.out, p[start+len(core):]...)
}

// plain writes text without anything that changes.
func (n *normalizer) plain(p string) {
	n.out = append(n.out, p...)
	if word := outerPunctuation.TrimRight(p); word != "" && ascii.IsAlnum(word[len(word)-1]) {
		n.label = word
	}
}

// core writes a piece that holds digits.
func (n *normalizer) core(p string) {
	if ph := n.whole(p); ph != "" {
		n.placeholder(ph)
		return
	}
	if n.keepsNumber(p) {
		n.out = append(n.out, p...)
		n.label = ""
		return
	}
	if isVersion(p) {
		n.out = append(n.out, p[0])
		n.placeholder(phNumber)
		return
	}
	i := innerDelimiters.Index(p[:min(len(p), maxWhole)])
	if i < 0 {
		i = strings.IndexByte(p[:min(len(p), maxWhole)], '.')
	}
	if i < 0 {
		n.atom(p)
		return
	}
	n.piece(p[:i])
	n.out = append(n.out, p[i])
	n.piece(p[i+1:])
}

// maxWhole is more than the longest host name with its port and the longest digest take.
const maxWhole = 300

// whole is the placeholder for a piece that is one changing thing from end to end.
func (n *normalizer) whole(p string) string {
	switch {
	case len(p) > maxWhole:
		return ""
	case isUUID(p):
		return phUUID
	case isTimestamp(p):
		return phTime
	case isIPAddress(p):
		return phIP
	case isDigestText(p):
		return phDigest
	case isNumber(p):
		if n.keepsNumber(p) {
			return ""
		}
		return phNumber
	case isHexNumber(p):
		return phHex
	case isHostName(p):
		return phHost
	}
	return quantity(p)
}

func (n *normalizer) placeholder(ph string) {
	n.out = append(n.out, ph...)
	n.label = ""
}

// keepsNumber holds for a short number right after a word that makes it the name of what happened.
func (n *normalizer) keepsNumber(p string) bool {
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

// atom writes a name with digits in it: letters, digits, hyphens, underscores.
func (n *normalizer) atom(p string) {
	if isErrorCode(p) || isTechnicalWord(p) {
		n.plain(p)
		return
	}
	if stem, ok := podStem(p); ok {
		n.piece(stem)
		n.placeholder(phPod)
		return
	}
	if pod, rest, ok := strings.Cut(p, "_"); ok && isPodName(pod) {
		n.atom(pod)
		n.out = append(n.out, '_')
		n.piece(rest)
		return
	}
	if i := numberedFrom(p); i >= 0 {
		n.piece(p[:i])
		n.placeholder(phID)
		return
	}
	n.segments(p)
}

// segments writes a name part by part.
func (n *normalizer) segments(p string) {
	for i := 0; i < len(p); {
		if len(p)-i >= uuidLength && isUUID(p[i:i+uuidLength]) {
			n.placeholder(phUUID)
			i += uuidLength
			continue
		}
		width := ascii.PrefixLen(p[i:], func(c byte) bool { return ascii.IsAlnum(c) || c >= utf8.RuneSelf })
		if width == 0 {
			n.out = append(n.out, p[i])
			i++
			continue
		}
		n.segment(p[i : i+width])
		i += width
	}
}

// segment writes letters and digits without anything between them.
func (n *normalizer) segment(p string) {
	digits, runs := digitRuns(p)
	at := ascii.Digits.Index(p)
	switch {
	case digits == 0 || isTechnicalWord(p):
		n.plain(p)
	case isNumber(p):
		n.placeholder(phNumber)
	case isHexNumber(p):
		n.placeholder(phHex)
	case isCamelCase(p) && runs == 1 && digits <= 2 && at > 0 && at+digits < len(p):
		n.plain(p)
	case isOrdinal(p):
		n.placeholder(phNumber)
		n.plain("th")
	case runs == 1 && at > 0 && at+digits == len(p):
		n.plain(p[:at])
		n.placeholder(phNumber)
	default:
		n.placeholder(phID)
	}
}

// digitRuns counts digits and the runs they stand in.
func digitRuns(p string) (digits, runs int) {
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
