package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// phrases are words that announce a secret in SQL, PowerShell, IMAP and other languages. Each function gets the
// bounds of the word and returns the index after the secret, or 0.
var phrases = map[string]func(sc *scanner, start, end int) int{
	"by":                     (*scanner).scanIdentifiedBy,
	"convertto-securestring": (*scanner).scanQuotedArgument,
	"pscredential":           (*scanner).scanQuotedArgument,
	"--from-literal":         (*scanner).scanSecretLiteral,
	"setuser":                (*scanner).scanRedisUser,
	"echo":                   (*scanner).scanPipedWord,
	"printf":                 (*scanner).scanPipedWord,
	"login":                  (*scanner).scanLogin,
	"md5":                    (*scanner).scanDigestKey,
	"password":               (*scanner).scanDevicePassword,
	"secret":                 (*scanner).scanDevicePassword,
	"change_password":        (*scanner).scanQuotedArgument,
	"unseal":                 (*scanner).scanUnsealKey,
	"recovery":               (*scanner).scanUnsealKey,
	"list":                   (*scanner).scanUserList,
	"key":                    (*scanner).scanDeviceKey,
	"key-string":             (*scanner).scanDeviceKey,
	"is":                     (*scanner).scanStatedSecret,
	"was":                    (*scanner).scanStatedSecret,
	"to":                     (*scanner).scanStatedSecret,
	"for":                    (*scanner).scanPasswordFor,
}

// scanIdentifiedBy reads SQL's IDENTIFIED BY 'X'.
func (sc *scanner) scanIdentifiedBy(start, end int) int {
	before := strings.TrimRight(sc.text[max(0, start-len("identified  ")):start], " ")
	if !ascii.HasPrefixFold(before[max(0, len(before)-len("identified")):], "identified") {
		return 0
	}
	a, value := sc.readArgument(end, placeField)
	if value == "" || !a.quoted && !looksLikePassword(value) && sc.text[start:end] != "BY" || strings.EqualFold(value, "random") || strings.EqualFold(value, "password") || isReference(value) && !placeholderWords[strings.ToLower(value)] {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanStatedSecret reads "the password is X" and "set the token to X".
func (sc *scanner) scanStatedSecret(start, end int) int {
	s := sc.text
	label := wordBefore(s, start)
	for copulas[label] {
		start -= len(label) + 1
		label = wordBefore(s, start)
	}
	if label == "" || strings.IndexByte("dtneyws", label[len(label)-1]|0x20) < 0 { // most words
		return 0
	}
	kind := classifyLabel(label)
	if kind <= labelRandom {
		return 0
	}
	a, value := sc.readArgument(end, placeProse)
	if value == "" || isReference(value) || !looksLikePassword(value) && !isLongUnlikeWord(value) || kind != labelPassword && !looksRandom(value) {
		return 0
	}
	return sc.add(a.start, a.end, labelAction(kind, label))
}

// wordBefore returns the word before the blank that precedes the index, or "".
func wordBefore(s string, i int) string {
	if i == 0 || s[i-1] != ' ' {
		return ""
	}
	end := i - 1
	start := end
	for start > 0 && end-start < maxLabel && labelBytes[s[start-1]] {
		start--
	}
	return s[start:end]
}

// copulas may stand between a label and the word before its value: "was changed to".
var copulas = wordsOf("is was has been be now changed set reset updated rotated equals")

// scanPasswordFor reads SQL's SET PASSWORD FOR user = 'X'.
func (sc *scanner) scanPasswordFor(start, end int) int {
	s := sc.text
	line := s[end:nearLineEnd(s, end)]
	equals := strings.IndexByte(line, '=')
	if !strings.EqualFold(s[max(0, start-len("password ")):start], "password ") || equals < 0 {
		return 0
	}
	a := assignment{class: labelPassword, place: placeField, start: skipWrapper(s, skipBlanks(s, end+equals+1))}
	sc.nest.moveTo(a.start)
	if !sc.readValue(&a) || !a.quoted {
		return 0
	}
	return sc.redactValue(&a)
}

// readArgument reads the word or string after white space at i.
func (sc *scanner) readArgument(i int, p place) (a assignment, value string) {
	a = assignment{class: labelPassword, place: p, start: skipBlanks(sc.text, i)}
	if a.start == i {
		return a, ""
	}
	sc.nest.moveTo(a.start)
	if !sc.readValue(&a) {
		return a, ""
	}
	return a, sc.text[a.start:a.end]
}

// scanQuotedArgument reads PowerShell's ConvertTo-SecureString [-String] "X".
func (sc *scanner) scanQuotedArgument(_, end int) int {
	for _, flag := range [...]string{" -AsPlainText", " -Force", " -String"} {
		if ascii.HasPrefixFold(sc.text[end:], flag) {
			end += len(flag)
		}
	}
	a, value := sc.readArgument(end, placeField)
	if value == "" || !a.quoted && !looksLikePassword(value) || isReference(value) {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanSecretLiteral reads kubectl create secret … --from-literal=key=value.
func (sc *scanner) scanSecretLiteral(start, end int) int {
	const command = "create secret"
	s := sc.text
	if !strings.Contains(s[max(0, start-reach):start], command) || end == len(s) {
		return 0
	}
	i := end + 1
	for i < len(s) && isQuote(s[i]) {
		i++
	}
	key := strings.IndexAny(s[i:], "= \n")
	if key < 0 || s[i+key] != '=' {
		return 0
	}
	a := assignment{class: labelPassword, place: placeWord, start: i + key + 1, tight: true}
	sc.nest.moveTo(a.start)
	if !sc.readValue(&a) || isTemplateValue(s[a.start:a.end]) {
		return 0
	}
	return sc.add(a.start, a.end, ActionKubernetesSecret)
}

// scanRedisUser reads ACL SETUSER name … >X and <X.
func (sc *scanner) scanRedisUser(_, end int) int {
	line := sc.text[end:nearLineEnd(sc.text, end)]
	i := strings.Index(line, " >")
	if i < 0 {
		return 0
	}
	start := end + i + len(" >")
	return sc.add(start, start+ascii.PrefixLen(sc.text[start:], func(c byte) bool { return !ascii.IsSpace(c) && !isQuote(c) }), ActionPassword)
}

// scanPipedWord reads the word that echo or printf writes to a program that reads a secret from
// standard input.
func (sc *scanner) scanPipedWord(_, end int) int {
	s := sc.text
	line := s[end:nearLineEnd(s, end)]
	pipe := strings.Index(line, "|")
	if pipe < 0 || !readsSecret(line[pipe:]) {
		return 0
	}
	words := strings.TrimRight(line[:pipe], " ")
	start := end + strings.LastIndexByte(words, ' ') + 1
	a := assignment{class: labelPassword, place: placeWord, start: start, tight: true}
	sc.nest.moveTo(start)
	if !sc.readValue(&a) || isReference(s[a.start:a.end]) || a.end > end+pipe {
		return 0
	}
	if user := strings.IndexByte(s[a.start:a.end], ':'); user > 0 && strings.Contains(line[pipe:], "chpasswd") {
		a.start += user + 1
	}
	return sc.add(a.start, a.end, ActionPassword)
}

func readsSecret(command string) bool {
	for _, word := range [...]string{"login", "chpasswd", "passwd", "stdin", "create secret", "kinit", "sudo -S", "cryptsetup", "gpg"} {
		if strings.Contains(command, word) {
			return true
		}
	}
	return false
}

// scanLogin reads IMAP's LOGIN user X, whose line begins with a tag.
func (sc *scanner) scanLogin(start, end int) int {
	s := sc.text
	line := s[nearLineStart(s, start):start]
	if s[start:end] != "LOGIN" || len(strings.Fields(line)) != 1 || !strings.ContainsAny(line, "0123456789.") {
		return 0
	}
	user, name := sc.readArgument(end, placeWord)
	if name == "" {
		return 0
	}
	a, value := sc.readArgument(user.end, placeWord)
	if value == "" || isReference(value) {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanDigestKey reads routers' message-digest-key 1 md5 X.
func (sc *scanner) scanDigestKey(start, end int) int {
	if !strings.Contains(sc.text[max(0, start-maxLabel):start], "digest-key") {
		return 0
	}
	a, value := sc.readArgument(end, placeWord)
	if value == "" {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanDevicePassword reads routers' password 7 X, where a digit names the encryption.
func (sc *scanner) scanDevicePassword(_, end int) int {
	s := sc.text
	if end+3 >= len(s) || s[end] != ' ' || !ascii.IsDigit(s[end+1]) || s[end+2] != ' ' {
		return 0
	}
	a, value := sc.readArgument(end+2, placeWord)
	if !looksLikePassword(value) && !isHexWord(value) || len(value) < 6 {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanDeviceKey reads routers' radius-server host h key X and key-string X.
func (sc *scanner) scanDeviceKey(start, end int) int {
	line := sc.text[nearLineStart(sc.text, start):start]
	if !strings.Contains(line, "-server") && sc.text[start:end] != "key-string" {
		return 0
	}
	a, value := sc.readArgument(end, placeWord)
	if !looksLikePassword(value) {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// scanUnsealKey reads Vault's Unseal Key 1: X.
func (sc *scanner) scanUnsealKey(_, end int) int {
	s := sc.text
	rest := s[end:]
	if !ascii.HasPrefixFold(rest, " key ") {
		return 0
	}
	i := len(" key ")
	i += ascii.PrefixLen(rest[i:], ascii.IsDigit)
	if !strings.HasPrefix(rest[i:], ":") {
		return 0
	}
	a, value := sc.readArgument(end+i+1, placeWord)
	if !looksRandom(value) {
		return 0
	}
	return sc.add(a.start, a.end, ActionToken)
}

// scanUserList reads cloud-init's chpasswd: list: with lines of user:X.
func (sc *scanner) scanUserList(start, end int) int {
	s := sc.text
	if !strings.Contains(s[max(0, start-maxLabel):start], "chpasswd:") {
		return 0
	}
	last := 0
	for i := endOfLine(s, end); i < len(s); {
		line := i + 1
		i = endOfLine(s, line)
		user, password, found := strings.Cut(strings.TrimSpace(s[line:i]), ":")
		if !found || password == "" || strings.Contains(user, " ") {
			break
		}
		from := line + strings.IndexByte(s[line:i], ':') + 1
		last = sc.add(from, from+len(password), ActionPassword)
	}
	return last
}
