package audit

import (
	"strings"
)

// class is what a label says about its value.
type class int

const (
	labelNone     class = iota
	labelPassword       // whatever stands there is one, unless it is a reference or prose
	labelSecret         // secret, token, api key: also names of objects and words of errors stand there
)

// maxLabel is how many bytes before a separator are read as its label.
const maxLabel = 64

// labelClass decides by the last words of a label: client_secret and DB_PASSWORD_2 hold secrets, secretName, passwordSecretRef and
// token_ttl do not.
func labelClass(label string) class {
	label = strings.TrimRight(label, "0123456789_-")
	if label == "" || len(label) > maxLabel {
		return labelNone
	}
	letters := squeeze(label)
	for _, suffix := range []string{"password", "passwd", "passphrase", "keypass", "storepass"} {
		if strings.HasSuffix(letters, suffix) {
			return labelPassword
		}
	}
	switch lastWord(label) {
	case "pass", "pw":
		if len(letters) > len("pass") {
			return labelPassword
		}
	case "pwd":
		if label != "PWD" { // the shell's working directory
			return labelPassword
		}
	}
	for _, suffix := range secretSuffixes() {
		if strings.HasSuffix(letters, suffix) {
			return labelSecret
		}
	}
	return labelNone
}

// secretSuffixes ends the squeezed labels of secrets that are not passwords. A bare "key" is a map's, a table's or a public one.
func secretSuffixes() []string {
	return []string{
		"secret", "token", "apikey", "accesskey", "secretkey", "privatekey", "accountkey", "authkey", "encryptionkey",
		"signingkey", "masterkey", "storagekey", "subscriptionkey", "sharedkey", "amzsignature", "googsignature",
	}
}

// squeeze is a label in lower case without what joins its words.
func squeeze(label string) string {
	var buffer [maxLabel]byte
	out := buffer[:0]
	for i := range len(label) {
		switch c := label[i]; {
		case isUpper(c):
			out = append(out, c|0x20)
		case isLower(c) || isDigit(c):
			out = append(out, c)
		}
	}
	return string(out)
}

// lastWord is the last word of a label such as db.userPass or DB_PASS, in lower case.
func lastWord(label string) string {
	start := len(label)
	for start > 0 && isAlnum(label[start-1]) {
		start--
		if isUpper(label[start]) && start > 0 && isLower(label[start-1]) {
			break
		}
	}
	return strings.ToLower(label[start:])
}

// assignment is one label, separator and value: password=…, "token": "…", <secret>…</secret>, and "value: …" after "name: TOKEN".
type assignment struct {
	label      string
	before     string // the word before the label, on the same line
	joined     bool   // a colon stands right before the label
	lineStart  bool   // nothing but indentation, a list dash or a quote stands before the label
	separator  byte   // one of = : >
	start, end int    // of the value, without its quotes
	quoted     bool
}

// findLabelled finds values by the labels before them.
func findLabelled(s string, found []span) []span {
	var name string // the value of the last assignment if its label was "name"
	for i := strings.IndexAny(s, "=:>"); i < len(s) && i >= 0; {
		next := i + 1
		if a, ok := assignmentAt(s, i); ok {
			if strings.EqualFold(a.label, "value") && name != "" {
				a.label = name
			}
			name = ""
			if strings.EqualFold(a.label, "name") {
				name = s[a.start:a.end]
			}
			found = addAssignment(found, s, a)
		}
		n := strings.IndexAny(s[next:], "=:>")
		if n < 0 {
			break
		}
		i = next + n
	}
	return found
}

func addAssignment(found []span, s string, a assignment) []span {
	if isAuthorization(a.label) {
		return addAuthorization(found, s, a)
	}
	kind := a.class(s)
	if kind == labelNone {
		return addDockerAuth(found, s, a)
	}
	value := s[a.start:a.end]
	if strings.HasPrefix(value, "-----BEGIN") || isReference(value) || !a.quoted && isCode(value) || isProse(s, a, kind) {
		return found
	}
	if kind == labelSecret && (isObjectName(a, value) || isCounter(value)) {
		return found
	}
	return add(found, s, a.start, a.end, labelAction(kind, a.label))
}

// class is what the label says, with the word before it where one word is not enough.
func (a assignment) class(s string) class {
	switch strings.ToLower(a.label) {
	case "key":
		return labelClass(a.before + a.label)
	case "sig": // of a shared access signature, which is long
		const shortest = 40
		if a.end-a.start >= shortest && a.separator == '=' {
			return labelSecret
		}
	}
	if a.joined && a.separator == ':' { // a part of a name such as arn:aws:…:secret:db
		return labelNone
	}
	return labelClass(a.label)
}

func labelAction(kind class, label string) Action {
	if kind == labelPassword {
		return ActionPassword
	}
	if letters := squeeze(label); strings.HasSuffix(letters, "secretaccesskey") || strings.HasSuffix(letters, "awssecretkey") {
		return ActionAWSKey
	}
	return ActionToken
}

// addDockerAuth redacts the auth of a container registry's configuration: base64 of user:password.
func addDockerAuth(found []span, s string, a assignment) []span {
	if a.label == "auth" && a.quoted && isUserPassword(s[a.start:a.end]) {
		return add(found, s, a.start, a.end, ActionBasic)
	}
	return found
}
