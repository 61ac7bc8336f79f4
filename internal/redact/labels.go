package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// class is the kind of value that a label announces.
type class int

const (
	labelNone          class = iota
	labelPassword            // the value is a password, unless it is a reference or prose
	labelSecret              // secret, token, API key: the value may also be an object's name or part of an error
	labelAuthorization       // credentials in an HTTP header
	labelDockerAuth          // user:password in base64
	labelName                // the name of an entry whose "value" comes next
)

// maxLabel is the number of bytes before a separator that are searched for its label.
const maxLabel = 64

// labelEnd has the characters that may follow the last word of a label.
var labelEnd = ascii.SetOf("0123456789_-")

// classifyLabel classifies a label by its last words: client_secret and DB_PASSWORD_2 label
// secrets; secretName, passwordSecretRef and token_ttl do not. It returns labelPassword,
// labelSecret or labelNone.
func classifyLabel(label string) class {
	label = labelEnd.TrimRight(label)
	if label == "" || len(label) > maxLabel || strings.IndexByte("dDeEsSwWtTnNyY", label[len(label)-1]) < 0 {
		return labelNone
	}
	letters := lettersAndDigits(label)
	if hasAnySuffix(letters, "password", "passwd", "passphrase", "keypass", "storepass", "bindpw") || isShortPasswordLabel(label) {
		return labelPassword
	}
	if isSecretLabel(letters) {
		return labelSecret
	}
	return labelNone
}

// isSecretLabel reports whether a label, reduced to letters and digits, labels a secret other than
// a password. "key" alone does not: it may be the key of a map or table, or a public key. Neither
// do tokens for pagination and idempotency.
func isSecretLabel(letters string) bool {
	if hasAnySuffix(letters, "pagetoken", "nexttoken", "continuetoken", "continuationtoken", "requesttoken", "idempotencytoken", "clienttoken",
		"fencingtoken", "stoptoken") {
		return false
	}
	return hasAnySuffix(letters, "secret", "token", "apikey", "appkey", "applicationkey", "accesskey", "secretkey", "secretkeybase",
		"privatekey", "accountkey", "authkey", "encryptionkey", "signingkey", "masterkey", "storagekey", "subscriptionkey", "sharedkey",
		"licensekey", "functionskey", "hmackey", "dockerconfigjson")
}

// isShortPasswordLabel reports whether label is one such as DB_PASS, pgPass or pwd. It excludes PWD,
// the shell's working directory, and "pass" alone, which usually counts passed tests.
func isShortPasswordLabel(label string) bool {
	switch ascii.LastWord(label) {
	case "pass", "pw":
		return len(label) > len("pass")
	case "pwd":
		return label != "PWD"
	}
	return false
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// lettersAndDigits reduces a label to its letters, in lower case, and digits.
func lettersAndDigits(label string) string {
	var buffer [maxLabel]byte
	out := buffer[:0]
	for i := range len(label) {
		switch c := label[i]; {
		case ascii.IsUpper(c):
			out = append(out, c|0x20)
		case ascii.IsLower(c) || ascii.IsDigit(c):
			out = append(out, c)
		}
	}
	return string(out)
}

// findLabelled finds values by their labels: password=…, "token": "…", <secret>…</secret>, and the
// value that follows a name, as in name: TOKEN, value: ….
func findLabelled(s string, found []span) []span {
	name := "" // the value of the previous assignment, if that was labelled "name"
	for i := indexSeparator(s, 0); i < len(s); i = indexSeparator(s, i) {
		a, ok := labelBeforeSeparator(s, i)
		i++
		if !ok {
			continue
		}
		a.classify(s, name)
		name = ""
		if a.class == labelNone || !a.readValue(s, i) {
			continue
		}
		if a.class == labelName {
			name = s[a.start:min(a.end, a.start+maxLabel)]
			continue
		}
		found = addAssignment(found, s, a)
		i = a.end // do not read the value again
	}
	return found
}

// indexSeparator returns the index of the first = : or > in s[i:], or the length of s.
func indexSeparator(s string, i int) int {
	for i < len(s) && s[i] != '=' && s[i] != ':' && s[i] != '>' {
		i++
	}
	return i
}

// classify sets the class of the assignment. name is the value of the previous assignment if that
// was labelled "name", and otherwise empty.
func (a *assignment) classify(s, name string) {
	switch strings.ToLower(a.label) {
	case "name", "parameterkey":
		a.class = labelName
	case "value", "parametervalue":
		a.class = classifyLabel(name)
	case "authorization", "proxy-authorization":
		a.class = labelAuthorization
	case "auth":
		a.class = labelDockerAuth
	case "key":
		before, _ := wordBeforeLabel(s, a.labelStart)
		if a.class = classifyLabel(before + a.label); a.class == labelNone {
			a.class = labelName
		}
	case "sig", "x-amz-signature", "x-goog-signature": // of presigned URLs
		if a.separator == '=' {
			a.class = labelSecret
		}
	default:
		// Parts of names such as arn:aws:…:secret:db are not labels.
		if a.separator != ':' || a.labelStart == 0 || s[a.labelStart-1] != ':' {
			a.class = classifyLabel(a.label)
		}
	}
}

func addAssignment(found []span, s string, a assignment) []span {
	value := s[a.start:a.end]
	switch a.class {
	case labelAuthorization:
		return addAuthorization(found, s, a)
	case labelDockerAuth:
		if a.quoted && isEncodedUserPassword(value) {
			return appendSecret(found, s, a.start, a.end, ActionBasic)
		}
		return found
	case labelSecret:
		if isObjectName(a, value) || isSmallNumber(value) || strings.EqualFold(a.label, "key") && !a.quoted && !looksRandom(value) {
			return found
		}
	}
	if isReference(value) || isPartOfSentence(s, a) {
		return found
	}
	return appendSecret(found, s, a.start, a.end, labelAction(a.class, a.label))
}

func labelAction(kind class, label string) Action {
	if kind == labelPassword {
		return ActionPassword
	}
	if hasAnySuffix(lettersAndDigits(label), "secretaccesskey", "awssecretkey") {
		return ActionAWSKey
	}
	return ActionToken
}
