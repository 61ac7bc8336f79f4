package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// label is the word before a value, and what stands between them.
type label struct {
	word   string // as written; "" if the value stands alone
	before string // the word before it on the same line
	gap    string // from the end of word to the value
}

// requestLabel returns the label of a value behind the text if the text ends in a request, as
// GET /orders/7 does: the path, whatever values it has. The label's word is "" if it does not.
func requestLabel(text string) label {
	request := strings.TrimRight(text, ` "'([`)
	gap := text[len(request):]
	if strings.IndexByte(gap, ' ') < 0 {
		return label{}
	}
	space := strings.LastIndexByte(request, ' ')
	if space < 0 {
		return label{}
	}
	method := strings.TrimLeft(request[strings.LastIndexByte(request[:space], ' ')+1:space], `"'([`)
	if !isMethod(method) {
		return label{}
	}
	return label{word: request[space+1:], before: method, gap: gap}
}

// name returns the last word of the label in lower case: status for http_status, code for exitCode.
func (l label) name() string { return ascii.LastWord(l.word) }

// assigns reports whether the label and the value are a field of a structure: key=value,
// "key":"value", key="value".
func (l label) assigns() bool {
	switch {
	case strings.HasPrefix(l.gap, "="):
		return l.gap == "=" || l.gap[1] != ' ' // logname= uid=0 has no value
	case strings.HasPrefix(l.gap, `":`), strings.HasPrefix(l.gap, `':`):
		return true
	}
	return l.gap == " = "
}

// quotes reports whether the value is quoted directly behind the label: user 'app'.
func (l label) quotes() bool {
	gap := strings.TrimLeft(l.gap, " :")
	return gap == `"` || gap == "'" || gap == "`"
}

// identifierKind is what the identifiers behind a label are like.
type identifierKind int

const (
	noIdentifier identifierKind = iota
	anyValue                    // id, a parameter of a URL: whatever stands there
	generated                   // hash, trace: digits and letters as in no word
	hostName                    // node, remote: a name or an address in lower case
	personName                  // user, account: any word
)

// identifierKind returns what stands behind the label: id=, "node":", user '.
func (l label) identifierKind() identifierKind {
	if l.word == "" || l.gap == "" || l.gap == " " {
		return noIdentifier
	}
	if l.gap == "=" && strings.ContainsAny(l.word, "?&") {
		return anyValue
	}
	kind := identifierKindOf(l.name())
	if l.assigns() && (kind != anyValue || !l.isEventID()) || kind == personName && l.quotes() {
		return kind
	}
	return noIdentifier
}

// identifierKindOf returns what the field of the name holds.
func identifierKindOf(field string) identifierKind {
	switch field {
	case "id", "uid", "uuid", "guid", "sid", "pid", "tid", "traceid", "spanid", "requestid", "sessionid", "reqid", "userid":
		return anyValue
	case "hash", "sha", "commit", "digest", "checksum", "etag", "fingerprint", "serial", "nonce", "trace", "span", "correlation":
		return generated
	case "node", "nodename", "host", "hostname", "rhost", "instance", "machine", "peer", "client", "addr", "address", "ip", "remote":
		return hostName
	case "user", "username", "login", "owner", "ruser", "logname", "account", "customer", "email", "principal":
		return personName
	}
	return noIdentifier
}

// holdsIdentifier reports whether the value behind the label is an identifier, which varies, and not
// a word or a sentence about the state of what the label names. rest follows the value's first word.
func (l label) holdsIdentifier(word, rest string) bool {
	kind := l.identifierKind()
	switch {
	case kind == noIdentifier, isNoValue(word):
		return false
	case kind == anyValue:
		return true
	case l.opensSentence(word, rest):
		return kind == personName && ascii.IsUpper(word[0]) // "Jane Doe"
	case kind == generated:
		return !isPlainWord(word)
	case kind == hostName && ascii.IsUpper(word[0]) && isPlainWord(word) && strings.ToUpper(word) != word:
		return false // NotReady, Unreachable
	}
	return !isStateWord(word)
}

// opensSentence reports whether the quoted value that starts with the word is a sentence.
func (l label) opensSentence(word, rest string) bool {
	quote := l.gap[len(l.gap)-1]
	return (quote == '"' || quote == '\'') && strings.HasPrefix(rest, " ") && len(rest) > 1 && rest[1] != quote && leadingLetters(word) == word
}

// isPlainWord reports whether p is letters that follow each other as in words.
func isPlainWord(p string) bool {
	words := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, p)
	return leadingLetters(words) == words && countBreaks(words).breaks == 0 && !isHexWord(words)
}

// isEventID reports whether the label announces the number of an event of Windows, which is a code.
func (l label) isEventID() bool {
	return strings.EqualFold(l.before, "event") || strings.EqualFold(l.word, "eventid")
}

// suggestsIdentifier reports whether the word before a value says that an identifier follows: span
// dd959e, commit 4150908. Then anything with a digit is one.
func (l label) suggestsIdentifier() bool {
	if strings.Trim(l.gap, ` :"'([{#`) != "" {
		return false
	}
	switch l.name() {
	case "id", "uid", "uuid", "guid", "commit", "revision", "rev", "hash", "sha", "digest", "checksum", "etag", "fingerprint", "serial",
		"span", "trace", "session", "request", "correlation", "transaction", "txn", "xid",
		"order", "invoice", "ticket", "container", "sandbox", "cuid", "ksuid", "ulid", "nano", "nanoid":
		return true
	}
	return false
}

// names reports whether the word before a value names a kind of instance, whose number varies: node
// db2, thread T7.
func (l label) namesInstance() bool {
	if strings.Trim(l.gap, ` :="'([{#`) != "" {
		return false
	}
	return isInstanceNoun(l.name())
}

// namesTable reports whether the value is the name of a table, which may be a partition.
func (l label) namesTable() bool {
	switch l.name() {
	case "table", "relation", "partition", "index":
		return true
	}
	return false
}

// namesDevice reports whether the value is the name of a device.
func (l label) namesDevice() bool {
	switch l.name() {
	case "device", "disk", "drive", "partition", "volume":
		return true
	}
	return false
}

// isPersonalFolder reports whether the segment of a path holds folders or resources that are named
// after users.
func isPersonalFolder(segment string) bool {
	switch segment {
	case "home", "Users", "users", "user", "accounts", "customers":
		return true
	}
	return false
}

// isNoValue reports whether text in the position of an identifier does not vary: it says that there
// is none, or names an account that no person owns.
func isNoValue(p string) bool {
	switch p {
	case "", "null", "none", "nil", "None", "true", "false", "unknown", "undefined", "N/A", "n/a", "root", "guest", "anonymous":
		return true
	}
	return false
}

// isUserName reports whether the words around name show that it is a user's: user: bob was, invalid
// user bob from, session opened for user bob by, password for bob from, sudo: bob : TTY=pts/0. rest
// follows the name.
func (l label) isUserName(name, rest string) bool {
	if l.word == "sudo" && l.gap == ": " && strings.HasPrefix(rest, " : ") {
		return true
	}
	announced := isUserNoun(l.word)
	if !announced && (l.word != "for" || !isCredentialWord(l.before)) {
		return false
	}
	next := nextWord(rest)
	switch gap := strings.Trim(l.gap, ` "'[(`); {
	case gap == ":":
		return followsUserName(next) || isVerbOfState(next)
	case gap != "" || announced && !isUserPreposition(l.before) || isUserProse(name):
		return false
	}
	return followsUserName(next) || next == "" && announced
}

// nextWord returns the start of the word at the start of s, without the punctuation before it.
func nextWord(s string) string {
	const longest = 16
	for range len("\", '") {
		if s != "" && !isLetter(s[0]) {
			s = s[1:]
		}
	}
	return leadingLetters(s[:min(len(s), longest)])
}

func isUserNoun(word string) bool {
	return strings.EqualFold(word, "user") || strings.EqualFold(word, "username") || strings.EqualFold(word, "login")
}

func isUserPreposition(word string) bool {
	switch strings.ToLower(word) {
	case "for", "by", "as", "invalid", "unknown", "illegal":
		return true
	}
	return false
}

// isVerbOfState reports whether word says what became of a user.
func isVerbOfState(word string) bool {
	switch word {
	case "was", "is", "has", "had", "cannot", "could", "tried", "failed", "does":
		return true
	}
	return false
}

// isUserProse reports whether word follows "user" without being a user's name.
func isUserProse(word string) bool {
	switch strings.ToLower(word) {
	case "request", "unknown", "is", "was", "not", "has", "name", "id", "account", "agent", "session", "error", "invalid", "illegal",
		"input", "data", "login", "access", "group", "profile":
		return true
	}
	return false
}

// isCredentialWord reports whether word is an authentication method in sshd's messages.
func isCredentialWord(word string) bool {
	switch word {
	case "password", "publickey", "none", "keyboard-interactive/pam", "hostbased", "failures":
		return true
	}
	return false
}

// followsUserName reports whether next is a word after a user's name.
func followsUserName(next string) bool {
	switch next {
	case "from", "by", "preauth", "at", "on", "port", "via":
		return true
	}
	return false
}
