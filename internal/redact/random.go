package redact

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// shortestRandom is the length from which a word without a label is redacted if it is random text.
// Public identifiers are shorter: 20 (ULID, XID), 22 (UUID in base64, Kafka, Elasticsearch), 25
// (CUID), 27 (KSUID), 28 (Firebase).
const shortestRandom = 32

// scanRandom redacts the word that starts at start if it is random text in a place without a label.
// It returns the index after the word.
func (sc *scanner) scanRandom(start, end int) int {
	s := sc.text
	stop := end
	if end-start < shortestRandom && (end == len(s) || s[end] != '+' && s[end] != '/') {
		return end
	}
	if start == 0 || s[start-1] != '/' { // a part of base64, or of a path
		stop = start + ascii.PrefixLen(s[start:], func(c byte) bool { return isBase64Byte(c) && c != '=' })
		stop += ascii.PrefixLen(s[stop:min(len(s), stop+2)], func(c byte) bool { return c == '=' })
	}
	if stop-start < shortestRandom || start < sc.armourEnd {
		return end
	}
	word := s[start:stop]
	if sc.inBase64 {
		return stop
	}
	if isEncodedSecret(word) || isRandomWord(word) && !isDecodable(word) && !sc.isPublic(start, word) {
		return sc.add(start, stop, ActionToken)
	}
	return stop
}

// isRandomWord reports whether v is long and has letters of both cases and digits in random order:
// in random text of 62 characters, six of ten neighbours are of different classes; in words and
// identifiers, two of ten.
func isRandomWord(v string) bool {
	v = v[:min(len(v), 4*maxLabel)]
	if len(v) < 20 || isUUID(v) {
		return false
	}
	n := countClasses(v)
	if n.upper < 3 || n.lower < 3 || n.digit < 2 || n.other*5 > len(v) || ascii.PrefixLen(v, isBase64Byte) != len(v) {
		return false
	}
	changes, letters := 0, 0
	for i := 1; i < len(v); i++ {
		if !ascii.IsAlnum(v[i]) || !ascii.IsAlnum(v[i-1]) {
			continue
		}
		letters++
		if charClass(v[i]) != charClass(v[i-1]) {
			changes++
		}
	}
	return changes*20 >= letters*9 && randomLength(v) >= 20
}

// randomLength returns the length of the parts of v, between hyphens and underscores, that are not
// words.
func randomLength(v string) int {
	const shortestWord = 5
	length := 0
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == '-' || r == '_' }) {
		if n := countClasses(part); len(part) < shortestWord || n.digit > 0 || !isWordlike(part) {
			length += len(part)
		}
	}
	return length
}

func charClass(c byte) int {
	switch {
	case ascii.IsDigit(c):
		return 0
	case ascii.IsUpper(c):
		return 1
	}
	return 2
}

func isHexWord(v string) bool {
	return ascii.PrefixLen(v, func(c byte) bool { return ascii.IsHex(c) || c == '-' }) == len(v)
}

// isUUID reports whether v has the form of RFC 9562.
func isUUID(v string) bool {
	return len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-' && isHexWord(v)
}

// isDecodable reports whether v is the base64 form of text or of a file of a known format.
func isDecodable(v string) bool {
	if hasAnyPrefix(v, "H4sI", "iVBORw0KGgo", "/9j/", "UEsDB", "AAAA", "MII", "MCow", "MFkw", "MIGf", "R0lGOD", "JVBERi", "Cg", "LS0t", "Qlpo", "KLUv") {
		return true
	}
	const head = 256
	text, ok := decodeBase64(v[:min(len(v), head)])
	return ok && isPrintable(text)
}

// isEncodedSecret reports whether v is the base64 form of a text that has a secret, such as the
// credentials file of a service account.
func isEncodedSecret(v string) bool {
	if v[0] != 'e' && v[0] != 'L' && v[0] != 'W' && v[0] != 'I' && v[0] != 'c' { // {, -, [, blank, letters of a label
		return false
	}
	const head = 64
	if text, ok := decodeBase64(v[:min(len(v), head)]); !ok || !isPrintable(text) || !strings.ContainsAny(string(text), "{:=- \n") {
		return false
	}
	text, ok := decodeBase64(v)
	if !ok || !isPrintable(text) {
		return false
	}
	sc := &scanner{text: string(text), nest: nesting{text: string(text)}, inBase64: true}
	sc.scanWords()
	return len(sc.found) > 0 || isPrivateKeyTitle(sc.text)
}

func decodeBase64(v string) ([]byte, bool) {
	v = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(v, "="))
	v = v[:len(v)&^3]
	text, err := base64.RawStdEncoding.DecodeString(v)
	return text, err == nil && len(text) > 0
}

// isPrintable reports whether text is UTF-8 without control characters, at most for its last
// character, which may be cut.
func isPrintable(text []byte) bool {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && len(text) > 3 || unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
		text = text[size:]
	}
	return true
}

// skipArmour reads the word "-----BEGIN" of a certificate or public key (RFC 7468), whose body is
// random but not secret.
func (sc *scanner) skipArmour(start, end int) {
	if sc.text[start:end] != "-----BEGIN" {
		return
	}
	if start < sc.armourEnd {
		return
	}
	sc.armourEnd = len(sc.text)
	if n := strings.Index(sc.text[end:], "-----END"); n >= 0 {
		sc.armourEnd = end + n
	}
}

// publicLabels are the last words of labels whose values are random but not secret.
var publicLabels = wordsOf(`h1 id uid uuid guid etag digest sha sha1 sha224 sha256 sha384 sha512 md5 md sum checksum hash integrity fingerprint thumbprint kid x5t n e x y nonce trace
	traceparent span request correlation cert certificate ca crt cacert bundle public publickey pub client subject issuer cursor continue page revision version commit
	arn resource etcd image layer blob chunk object path file key sig2 rsa dsa ed25519 ecdsa ssh nistp256 data signature witness merkle root block tx txid address
	rayid ray cf location pk live pem chain data vapid siteid sitekey hostid`)

// isPublic reports whether a random word is public by its label, its prefix or what it is a part of.
func (sc *scanner) isPublic(start int, word string) bool {
	if n := strings.IndexAny(word, "-_"); n > 0 && publicLabels[strings.ToLower(word[:n])] {
		return true
	}
	const longestPrefix = 128
	from := start
	for from > 0 && start-from < longestPrefix && isBase64Byte(sc.text[from-1]) && sc.text[from-1] != '=' {
		from--
	}
	return strings.HasSuffix(sc.text[:from], "base64,") || sc.followsPublicLabel(from) || from < start && sc.followsPublicLabel(start)
}

// followsPublicLabel reports whether the label or prefix before the index announces a value that is
// random but public: an identifier, a checksum, a certificate, a public key.
func (sc *scanner) followsPublicLabel(start int) bool {
	s := sc.text
	end := start
	for end > 0 && start-end < 4 && strings.IndexByte("=: \"'\\/-", s[end-1]) >= 0 {
		end--
	}
	if end == start {
		return false
	}
	from := end
	for from > 0 && end-from < maxLabel && isLabelByte(s[from-1]) {
		from--
	}
	for _, word := range splitWords(s[from:end]) {
		if publicLabels[word] || publicLabels[ascii.Digits.TrimRight(word)] {
			return true
		}
	}
	return false
}
