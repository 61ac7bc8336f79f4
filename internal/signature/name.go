package signature

import (
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// segmentDelimiters occur within paths, URLs, images and qualified names.
var segmentDelimiters = ascii.SetOf("/\\:@#?&$~+*!%^")

// writeSegments writes the segments of a path, a URL or a qualified name.
func (n *normalizer) writeSegments(core string, l label) {
	segment := ""
	for i := 0; i < len(core); {
		if segmentDelimiters[core[i]] {
			n.out = append(n.out, core[i])
			i++
			continue
		}
		size := ascii.PrefixLen(core[i:], func(c byte) bool { return !segmentDelimiters[c] })
		before := segment
		segment = core[i : i+size]
		s := position{label: l, delimiter: delimiterBefore(core, i), before: before, rest: core[i+size:], first: i == 0}
		if s.rest == "" {
			s.rest = n.line[n.pos:]
		}
		i += n.writeSegment(core[i:], segment, s)
	}
}

func delimiterBefore(core string, i int) byte {
	if i == 0 {
		return 0
	}
	return core[i-1]
}

// position is where a segment stands.
type position struct {
	label     label
	delimiter byte   // directly before it, 0 if there is none
	before    string // the segment before it
	rest      string // the text behind it
	first     bool
}

// segmentLabel returns the label of the segment: the one before it in code:503.
func (p position) segmentLabel() label {
	switch {
	case p.first:
		return p.label
	case p.delimiter == ':':
		return label{word: p.before, gap: ":"}
	}
	return label{}
}

// writeSegment writes the segment at the start of core and returns the length written, which is
// more than the segment's if a date or an address with its port spans several.
func (n *normalizer) writeSegment(core, segment string, p position) int {
	inPath := p.delimiter == '/' || p.delimiter == '\\'
	if size := timestampLength(core); size > 0 && ascii.IsDigit(core[0]) {
		n.writePlaceholder(phTime)
		return size
	}
	switch {
	case isIPv4(segment):
		n.writePlaceholder(phAddress)
		port := core[len(segment):][:portLength(core[len(segment):])]
		n.writePort(port)
		return len(segment) + len(port)
	case inPath && p.before == "tmp" && len(segment) > 8 && strings.HasPrefix(segment, "tmp"):
		n.out = append(n.out, "tmp"...)
		n.writePlaceholder(phValue)
	case inPath && isPersonalFolder(p.before), p.delimiter == '@' && isObjectHash(segment), isHexNumber(segment) && !isHexStatus(segment):
		n.writePlaceholder(phValue)
	case isDigits(segment) && isCode(segment, p.segmentLabel(), p.rest):
		n.out = append(n.out, segment...)
	default:
		n.writeName(segment, p)
	}
	return len(segment)
}

// writePort writes what follows an address of IPv4 if it is a colon and the port of a service, which
// tells services apart. Clients' ports vary.
func (n *normalizer) writePort(suffix string) {
	if portLength(suffix) != len(suffix) {
		return
	}
	if port, err := strconv.ParseUint(strings.TrimPrefix(suffix, ":"), 10, 16); err == nil && port < firstEphemeralPort {
		n.out = append(n.out, suffix...)
	}
}

// firstEphemeralPort is the first port that Linux gives to clients (ip_local_port_range).
const firstEphemeralPort = 32768

// portLength returns the length of a colon and digits at the start of s, or 0.
func portLength(s string) int {
	if s == "" || s[0] != ':' {
		return 0
	}
	if digits := ascii.PrefixLen(s[1:], ascii.IsDigit); digits > 0 {
		return 1 + digits
	}
	return 0
}

// isObjectHash reports whether p is the hash of an object in Java, as in Listener@e2d7281.
func isObjectHash(p string) bool {
	return len(p) >= 4 && len(p) <= 8 && ascii.PrefixLen(p, ascii.IsHex) == len(p)
}

// writeName writes a name: words of letters and digits, joined by dots, hyphens and underscores.
func (n *normalizer) writeName(name string, p position) {
	if size := productCodeLength(name); size > 0 && !isTicketLabel(p.label) {
		n.out = append(n.out, name[:size]...)
		name = name[size:]
	}
	if isBase64(name) {
		n.writePlaceholder(phValue)
		return
	}
	w := nameWriter{normalizer: n, name: name, place: p}
	for w.at < len(name) {
		if !ascii.IsAlnum(name[w.at]) {
			n.out = append(n.out, name[w.at])
			w.at++
			continue
		}
		w.writeNext()
	}
}

func isTicketLabel(l label) bool {
	switch l.name() {
	case "see", "ticket", "issue", "jira", "bug", "case", "story", "task":
		return true
	}
	return false
}

// nameWriter writes the words of a name.
type nameWriter struct {
	*normalizer
	place     position
	name      string
	at        int    // index of what is not yet written
	last      string // the word before
	afterHash bool   // whether the word before was a hash
}

func (w *nameWriter) writeNext() {
	size := ascii.PrefixLen(w.name[w.at:], ascii.IsAlnum)
	word := w.name[w.at : w.at+size]
	if size >= 8 && w.at+size+28 <= len(w.name) && isUUID(w.name[w.at+size-8:w.at+size+28]) {
		w.out = append(w.out, word[:size-8]...)
		w.writePlaceholder(phValue)
		w.at += size + 28
		return
	}
	if version := protocolLength(w.name[w.at:]); version > 0 {
		w.out = append(w.out, w.name[w.at:w.at+version]...)
		w.at += version
		return
	}
	kept, rest := w.split(word)
	w.out = append(w.out, word[:kept]...)
	if kept < len(word) || rest < len(word) {
		w.writePlaceholder(phValue)
		w.out = append(w.out, word[rest:]...)
	}
	w.afterHash = kept == 0 && isHexWord(word)
	w.last = word
	w.at += size
}

// split returns the part of a word that varies: word[from:to]. It is empty, at the end of the word,
// if the word stays.
func (w *nameWriter) split(word string) (from, to int) {
	whole := len(word)
	digits := ascii.Digits.Index(word)
	switch {
	case digits >= 0 && isTechnicalWord(word):
		return whole, whole
	case isMemoryFlag(word):
		return digits, whole
	case w.isSuffix(word), w.isDisk(word), isHexNumber(word) && !isHexStatus(word), isRandom(word) && !isCodeWord(word), isHexWord(word):
		return 0, whole
	case digits < 0:
		if countBreaks(word).breaks >= 2 && w.place.label.suggestsIdentifier() {
			return 0, whole
		}
		return whole, whole
	case isDigits(word):
		if w.isStatusInName(word) || word == "64" && w.last == "x86" {
			return whole, whole
		}
		return 0, whole
	case isOrdinal(word):
		return 0, whole
	case w.place.label.suggestsIdentifier():
		return numberedWordLength(word), whole
	case isCodeWord(word), isPercentile(word) && !w.place.label.namesTable():
		return whole, whole
	}
	return w.splitLettersAndDigits(word)
}

// numberedWordLength returns the length of the word before the digits that end p, as in redis5, or 0
// if there is none: the letters of identifiers are few, hexadecimal, or follow each other as in no
// word.
func numberedWordLength(p string) int {
	const shortest = 4
	stem := ascii.Digits.TrimRight(p)
	if len(stem) < shortest || !isPlainWord(stem) || ascii.PrefixLen(stem, ascii.IsHex) == len(stem) {
		return 0
	}
	return len(stem)
}

// isSuffix reports whether word is a random suffix that Kubernetes or a cloud appends to a name:
// api-7d9f8b6c5d-x2k4j, default-pool-53c06784-49ql.
func (w *nameWriter) isSuffix(word string) bool {
	if w.at == 0 || w.name[w.at-1] != '-' {
		return false
	}
	isLast := w.at+len(word) == len(w.name)
	switch {
	case ascii.IsPodHash(word, 5, 5):
		return !isAbbreviation(word)
	case ascii.IsPodHash(word, 6, 10):
		return len(word) >= 8 || w.podFollows(word)
	}
	return w.afterHash && isLast && (len(word) == 4 || len(word) == 5) || isLast && isShortRandom(word)
}

// isDisk reports whether word is the name of a disk or a partition in Linux: sda, nvme0n1p2.
func (w *nameWriter) isDisk(word string) bool {
	inDev := w.place.delimiter == '/' && w.place.before == "dev"
	return len(word) == len(w.name) && isDiskName(word) && (inDev || isUnmistakableDisk(word) || w.place.label.namesDevice())
}

// podFollows reports whether the word is followed by the suffix of a pod.
func (w *nameWriter) podFollows(word string) bool {
	rest := w.name[w.at+len(word):]
	return len(rest) >= 6 && rest[0] == '-' && ascii.IsPodHash(rest[1:6], 5, 5) && endsWord(rest[6:])
}

// isStatusInName reports whether digits of a name are an HTTP status: http_500_errors, HTTP-503-spike.
func (w *nameWriter) isStatusInName(word string) bool {
	if !isStatusForm(word) {
		return false
	}
	switch strings.ToLower(w.last) {
	case "http", "https", "error", "errors", "status", "code", "response":
		return true
	}
	return false
}

// splitLettersAndDigits returns the part of a word of ASCII letters and digits that varies.
func (w *nameWriter) splitLettersAndDigits(word string) (from, to int) {
	whole := len(word)
	if from, ok := indexSerial(word); ok {
		return from, whole
	}
	end := whole // of the part before the trailing digits
	for end > 0 && ascii.IsDigit(word[end-1]) {
		end--
	}
	stem, trailing := word[:end], word[end:]
	alone := len(word) == len(w.name)
	switch {
	case trailing == "":
		return w.splitInside(word, alone)
	case isProtocol(stem) && alone || isHumps(stem) && isStatusForm(trailing):
		return whole, whole
	case !alone, trailing[0] == '0' && len(trailing) > 1, len(trailing) > 4, w.place.delimiter == '$', w.place.label.namesInstance(), isInstanceNoun(strings.ToLower(stem)),
		isHumps(stem) && len(trailing) > 1, w.isBracketed():
		return end, whole
	}
	return whole, whole
}

// indexSerial returns the index of a serial number that starts with four or more digits and may end
// in other characters, as in vmss00001b.
func indexSerial(word string) (from int, ok bool) {
	const longestTail = 3
	from = ascii.Digits.Index(word)
	run := ascii.PrefixLen(word[from:], ascii.IsDigit)
	return from, len(word) >= 8 && run >= 4 && len(word)-from-run <= longestTail
}

// isMemoryFlag reports whether word is an option of a Java virtual machine with its size: Xmx512m.
func isMemoryFlag(word string) bool {
	digits := ascii.Digits.Index(word)
	return digits > 0 && digits <= len("Xmx") && word[0] == 'X' && quantityLength(word[digits:]) == len(word)-digits
}

// isBracketed reports whether the name is alone in square brackets, as a thread's is.
func (w *nameWriter) isBracketed() bool {
	return strings.HasSuffix(w.place.label.gap, "[") && strings.HasPrefix(w.place.rest, "]") || w.place.label.word == "" && strings.HasPrefix(w.place.rest, "]")
}

// splitInside returns the part of a word with digits before its last letter that varies.
func (w *nameWriter) splitInside(word string, alone bool) (from, to int) {
	whole := len(word)
	from = ascii.Digits.Index(word)
	run := ascii.PrefixLen(word[from:], ascii.IsDigit)
	tail := whole - from - run
	switch {
	case quantityLength(word) == whole:
		return 0, whole
	case from == 0 && tail >= 3 && !alone && !isStatusForm(word[:run]):
		return 0, run
	}
	return whole, whole
}
