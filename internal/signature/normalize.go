package signature

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// Normalize prepares free text for signatures and queries: it removes control sequences and excess
// white space, sorts the fields of structured lines, and replaces each part that varies between
// occurrences of one event by a placeholder. Words are unchanged, and so are numbers that identify
// an error, as in "exit code 137" or "HTTP 503". Normalize is idempotent. Only the first 64 KiB are
// read.
//
// The placeholders are <n> for a value (a number with its unit, or an identifier, whatever its
// form), <time> and <ip>. What a value looks like does not decide: a slot whose values are
// sometimes all digits, sometimes hexadecimal or words, must always become the same placeholder.
// A list of values is one value.
func Normalize(s string) string {
	s = cleanText(truncateText(s, maxNormalized))
	n := normalizer{out: make([]byte, 0, min(len(s), maxNormalized))}
	for line := range strings.Lines(s) {
		n.normalizeLine(collapseSpace(line))
	}
	return string(n.out)
}

// collapseSpace returns the line without white space around it, and with single spaces.
func collapseSpace(line string) string {
	line = strings.TrimSpace(line)
	for i := range len(line) {
		if c := line[i]; c == ' ' && line[i-1] == ' ' || c == '\t' || c == '\r' {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return line
}

// normalizer appends normalized text to out.
type normalizer struct {
	out       []byte
	lineStart int // index in out of the current line or field
	line      string
	pos       int // index in line of what is not yet read
	// label is the last word that was copied, before the one before it. A value resets both.
	label, before span
	values        int // number of placeholders written
}

// span is a part of the line.
type span struct{ start, end int }

func (n *normalizer) normalizeLine(line string) {
	if line == "" {
		return
	}
	if len(n.out) > 0 {
		n.out = append(n.out, n.lineSeparator(line)...)
	}
	if r, ok := parseRecord(line); ok {
		for i, field := range r.fields {
			var part normalizer
			part.normalizeText(field)
			r.fields[i] = string(part.out)
		}
		n.out = append(n.out, r.join()...)
		return
	}
	n.normalizeText(line)
}

// lineSeparator returns what separates the line from the one before: a line break, or a space if the
// line before ends in the middle of a sentence and was wrapped.
func (n *normalizer) lineSeparator(line string) string {
	const longest = 16
	tail := n.out[max(0, len(n.out)-longest):]
	last := tail[bytes.LastIndexByte(tail, ' ')+1:]
	if ascii.IsLower(line[0]) && isFunctionWord(string(last)) {
		return " "
	}
	return "\n"
}

func (n *normalizer) normalizeText(text string) {
	n.line, n.pos, n.lineStart = text, 0, len(n.out)
	n.resetLabel()
	n.normalizeLogHead()
	for n.pos < len(n.line) {
		n.normalizeNext()
	}
}

// normalizeLogHead reads the severity and date that start a line of klog: E0304 05:06:07.123456.
func (n *normalizer) normalizeLogHead() {
	if len(n.line) > 13 && strings.IndexByte("IWEF", n.line[0]) >= 0 && matchesPattern(n.line[1:], "9999 99:99:99") {
		n.out = append(n.out, n.line[0])
		n.pos = len("E0304 ")
		n.pos += clockLength(n.line[n.pos:])
		n.writePlaceholder(phTime)
	}
}

// normalizeNext reads a placeholder, a delimiter, a timestamp, or the text up to the next delimiter.
func (n *normalizer) normalizeNext() {
	rest := n.line[n.pos:]
	if ph := leadingPlaceholder(rest); ph != "" {
		start := n.pos
		n.pos += len(ph)
		if n.writePlaceholder(ph); ph == phValue && isStandalone(n.line[:start]) {
			n.skipSpacedUnit()
		}
		n.copyAdjacent()
		n.endValue(max(0, start-len(versionedLabel)))
		return
	}
	if delimiters[rest[0]] {
		n.out = append(n.out, rest[0])
		n.pos++
		return
	}
	if size := timestampLength(rest); size > 0 {
		n.pos += size
		n.writePlaceholder(phTime)
		n.endValue(n.pos)
		return
	}
	n.normalizeChunk(rest[:chunkLength(rest)])
}

// delimiters separate words, and names from values; punctuation may surround both.
var (
	delimiters  = ascii.SetOf(" =,;()[]{}\"'`<>|")
	punctuation = ascii.SetOf(".:!?-+*&#@/\\~^$_")
)

// chunkLength returns the length of the text before the next delimiter. Commas between groups of
// three digits do not delimit.
func chunkLength(s string) int {
	for i := range len(s) {
		if delimiters[s[i]] && (s[i] != ',' || !ascii.IsDigit(s[0])) {
			return i
		}
		if s[i] == ',' {
			return max(i, numberLength(s))
		}
	}
	return len(s)
}

// copyAdjacent copies text next to a placeholder, which is already normalized.
func (n *normalizer) copyAdjacent() {
	size := chunkLength(n.line[n.pos:])
	n.out = append(n.out, n.line[n.pos:n.pos+size]...)
	n.pos += size
}

// normalizeChunk reads the text between two delimiters.
func (n *normalizer) normalizeChunk(chunk string) {
	if leadingPlaceholder(n.line[n.pos+len(chunk):]) != "" {
		n.copyAdjacent()
		n.resetLabel()
		return
	}
	core := trimPunctuation(chunk)
	if core == "" {
		n.copyAdjacent()
		return
	}
	lead := strings.Index(chunk, core)
	n.out = append(n.out, chunk[:lead]...)
	start, values, written := n.pos+lead, n.values, len(n.out)
	n.pos = start + len(core)
	n.writeCore(core, n.labelOf(start))
	if len(n.out) <= written+len(phValue) && n.values > values && bytes.HasSuffix(n.out, []byte(phValue)) {
		n.skipSpacedUnit() // the value is all of core
	}
	if tail := chunk[lead+len(core):]; n.pos == start+len(core) {
		n.out = append(n.out, tail...)
		n.pos += len(tail)
	}
	if n.values > values {
		n.endValue(start)
		return
	}
	if lead > 0 && chunk[lead-1] == '&' {
		start-- // the name of a parameter of a URL
	}
	n.before, n.label = n.label, span{start, n.pos - len(chunk) + lead + len(core)}
}

// trimPunctuation removes the punctuation around text. Colons start some addresses of IPv6.
func trimPunctuation(chunk string) string {
	if strings.HasPrefix(chunk, "::") {
		if address := punctuation.TrimRight(chunk); isIPv6(address) {
			return address
		}
	}
	return punctuation.Trim(chunk)
}

// isStandalone reports whether the value behind the text is not part of a name or another value.
func isStandalone(before string) bool {
	before = punctuation.TrimRight(before[max(0, len(before)-longestUnit):])
	return before == "" || delimiters[before[len(before)-1]] && before[len(before)-1] != '>'
}

// versionedLabel is a label that has a value itself: HTTP/1.1 503.
const versionedLabel = "HTTP/"

// endValue ends text from the index start that had a value, or still has its placeholder.
func (n *normalizer) endValue(start int) {
	n.resetLabel()
	if ascii.HasPrefixFold(n.line[start:n.pos], versionedLabel) {
		n.label = span{start, n.pos}
	} else if parameter := strings.LastIndexByte(n.line[start:n.pos], '&'); parameter >= 0 {
		n.label = span{start + parameter, n.pos} // the name of the next parameter of a URL
	}
	if n.pos == len(n.line) || n.line[n.pos] == ',' || n.line[n.pos] == ' ' {
		n.mergeListItem()
	}
}

func (n *normalizer) resetLabel() { n.label, n.before = span{}, span{} }

// labelOf returns the label of the value that starts at the index.
func (n *normalizer) labelOf(start int) label {
	if request := requestLabel(n.line[:start]); request.word != "" || n.label.end == 0 {
		return request
	}
	return label{
		word: n.line[n.label.start:n.label.end], before: n.line[n.before.start:n.before.end], gap: n.line[n.label.end:start],
	}
}

// writeCore writes text between delimiters, without the punctuation around it. n.pos is behind it.
func (n *normalizer) writeCore(core string, l label) {
	characters := charactersOf(core)
	switch {
	case l.gap != " " && l.holdsIdentifier(core, n.line[n.pos:]):
		n.writeIdentifier(core, l)
	case mayAnnounceUser[len(l.word)&15] && l.isUserName(core, n.line[n.pos:]):
		n.writePlaceholder(phValue)
	case characters == onlyLetters && !mayVary(core):
		n.out = append(n.out, core...)
	case n.isNumber(core):
		n.writeNumber(core, l)
	case (characters > hasDigits || len(core) >= shortestBase64) && len(core) <= maxWhole && n.writeWhole(core):
	default:
		n.writeSegments(core, l)
	}
}

// maxWhole is the maximum length of text that is matched as a single value; longer than any
// digest in base64 and any host name.
const maxWhole = 300

// The kinds of characters in text.
const (
	onlyLetters    = 0
	hasDigits      = 1
	hasPunctuation = 2 // and letters outside ASCII
)

// charactersOf returns the kinds of characters in text besides letters.
func charactersOf(text string) (kinds int) {
	for i := range len(text) {
		switch c := text[i]; {
		case isLetter(c):
		case ascii.IsDigit(c):
			kinds |= hasDigits
		default:
			return kinds | hasPunctuation
		}
	}
	return kinds
}

// mayAnnounceUser has the lengths of the words before user names: for, user, sudo, login, username.
var mayAnnounceUser = [16]bool{3: true, 4: true, 5: true, 8: true}

// mayVary reports whether a word of letters needs a closer look: it can be NaN, Inf, a disk, a hash
// or a random identifier.
func mayVary(word string) bool {
	if len(word) >= 8 {
		return countBreaks(word).breaks >= 2 || isHexWord(word)
	}
	return len(word) >= 3 && strings.IndexByte("NIsvx", word[0]) >= 0
}

// writeIdentifier writes whatever stands where an identifier does. A parameter of a URL ends at the
// next one.
func (n *normalizer) writeIdentifier(core string, l label) {
	_, others, isQuery := strings.Cut(core, "&")
	n.writePlaceholder(phValue)
	if isQuery {
		n.out = append(append(n.out, '&'), others...)
	}
	n.skipQuoted(l)
}

// skipQuoted skips the rest of a short quoted value.
func (n *normalizer) skipQuoted(l label) {
	const longest = 64
	quote := l.gap[len(l.gap)-1]
	if quote != '"' && quote != '\'' {
		return
	}
	rest := n.line[n.pos:]
	if end := strings.IndexByte(rest[:min(len(rest), longest)], quote); end >= 0 {
		n.pos += end
	}
}

// isNumber reports whether core is a number with its units, not a date or a name.
func (n *normalizer) isNumber(core string) bool {
	if c := core[0]; !ascii.IsDigit(c) && c != 'N' && c != 'I' {
		return isISODuration(core)
	}
	return quantityLength(core) == len(core) || isHexNumber(core)
}

func isHexNumber(p string) bool {
	return ascii.HasPrefixFold(p, "0x") && len(p) > 2 && ascii.PrefixLen(p[2:], ascii.IsHex) == len(p)-2
}

// writeNumber writes a number with its sign and unit, as it is if it identifies an error.
func (n *normalizer) writeNumber(core string, l label) {
	signed := len(n.out) > n.lineStart && (n.out[len(n.out)-1] == '-' || n.out[len(n.out)-1] == '+') && n.signs(len(core))
	number := core
	if signed {
		number = n.line[n.pos-len(core)-1 : n.pos]
		l.gap = strings.TrimRight(l.gap, "+-")
	}
	if isCode(number, l, n.line[n.pos:]) {
		n.out = append(n.out, core...)
		return
	}
	if signed {
		n.out = n.out[:len(n.out)-1]
	}
	n.writePlaceholder(phValue)
}

// signs reports whether the character before the number of the given length is its sign: nothing
// but a delimiter precedes it.
func (n *normalizer) signs(length int) bool {
	sign := n.pos - length - 1
	return sign == 0 || delimiters[n.line[sign-1]]
}

// longestUnit is the length of a word that is longer than any unit.
const longestUnit = len("milliseconds(s)")

// skipSpacedUnit skips the units that follow a value as the next words.
func (n *normalizer) skipSpacedUnit() {
	for size := 1; size > 0; n.pos += size {
		size = spacedUnitLength(n.line[n.pos:])
	}
}

// spacedUnitLength returns the length of a space and a unit at the start of s, or 0.
func spacedUnitLength(s string) int {
	if len(s) < 2 || s[0] != ' ' {
		return 0
	}
	size := 1 + ascii.PrefixLen(s[1:min(len(s), 1+longestUnit)], func(c byte) bool { return isLetter(c) || c == '%' || c == '(' || c >= utf8.RuneSelf })
	unit := s[1:size]
	if strings.HasSuffix(unit, "(s") && strings.HasPrefix(s[size:], ")") {
		size++
	}
	if behind := s[size:]; !isSpacedUnit(unit) || behind != "" && strings.IndexByte(" .,;:)]}\"'", behind[0]) < 0 {
		return 0
	}
	return size
}

// writeWhole writes text that is a single value by its form, and reports whether it was one.
func (n *normalizer) writeWhole(core string) bool {
	switch {
	case isAddress(core):
		n.writePlaceholder(phAddress)
		n.writePort(core[ascii.PrefixLen(core, ascii.IsDottedWord):])
		n.skipBracketed(isHostName)
	case n.isNamedAddress(core):
		n.writePlaceholder(phAddress)
	case isUUID(core), isHexGroups(core), isLogPosition(core), isMailAddress(core):
		n.writePlaceholder(phValue)
	case isBase64(core):
		n.skipPadding()
		n.writePlaceholder(phValue)
	case digestNameLength(core) > 0:
		n.out = append(n.out, core[:digestNameLength(core)]...)
		n.skipPadding()
		n.writePlaceholder(phValue)
	default:
		return false
	}
	return true
}

// isNamedAddress reports whether core is the name of a host together with its address, as in
// node-9/10.0.0.1:50010 or ns.example.com [10.0.0.1], and skips the brackets.
func (n *normalizer) isNamedAddress(core string) bool {
	if name, address, ok := strings.Cut(core, "/"); ok {
		return isHostName(name) && isAddress(address)
	}
	return isHostName(core) && n.skipBracketed(func(p string) bool { return isAddress(p) || p == phAddress })
}

// skipBracketed skips the next word if it is in brackets and of the given kind.
func (n *normalizer) skipBracketed(isKind func(string) bool) bool {
	rest := n.line[n.pos:]
	open := strings.IndexAny(rest[:min(len(rest), 2)], "[(")
	if open < 0 {
		return false
	}
	end := strings.IndexAny(rest[:min(len(rest), maxWhole)], "])")
	if end < open || !isKind(rest[open+1:end]) {
		return false
	}
	n.pos += end + 1
	return true
}

// isHostName reports whether p can be the name of a host rather than a word.
func isHostName(p string) bool {
	return ascii.PrefixLen(p, ascii.IsDottedWord) == len(p) && (ascii.Digits.Index(p) >= 0 || strings.IndexByte(p, '.') > 0)
}

// shortestBase64 is the minimum length of base64 that is recognized by its form.
const shortestBase64 = 16

// isBase64 reports whether p is base64 or base64url, and not a path.
func isBase64(p string) bool {
	if len(p) < shortestBase64 || !isBase64Text(p) || !isRandom(p) {
		return false
	}
	for piece := range strings.FieldsFuncSeq(p, func(r rune) bool { return !ascii.IsAlnum(byte(r)) }) {
		if len(piece) > 4 && countBreaks(piece).breaks == 0 && !ascii.Digits.Only(piece) {
			return false
		}
	}
	return strings.ContainsFunc(p, unicode.IsUpper) && strings.ContainsFunc(p, unicode.IsLower)
}

func isBase64Text(p string) bool {
	return ascii.PrefixLen(p, func(c byte) bool { return ascii.IsWord(c) || c == '+' || c == '/' }) == len(p)
}

// digestNameLength returns the length of the name of a hash function and its separator at the start
// of a digest, as in sha256:0a1b… and sha512-Xn+hw…, or 0.
func digestNameLength(p string) int {
	const shortest = 12
	name := ascii.PrefixLen(p, ascii.IsAlnum)
	if name == len(p) || p[name] != ':' && p[name] != '-' || len(p)-name <= shortest {
		return 0
	}
	switch strings.ToLower(p[:name]) {
	case "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake3":
		if isBase64Text(p[name+1:]) {
			return name + 1
		}
	}
	return 0
}

// skipPadding skips what belongs to base64 and looks like the punctuation around it.
func (n *normalizer) skipPadding() {
	n.out = bytes.TrimSuffix(n.out, []byte("+"))
	rest := n.line[n.pos:]
	size := ascii.PrefixLen(rest, func(c byte) bool { return c == '+' || c == '/' || c == '=' || c == '-' || c == '_' })
	if endsWord(rest[size:]) {
		n.pos += size
	}
}
