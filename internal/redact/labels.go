package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// class is what a label says about its value.
type class int

const (
	labelNone          class = iota
	labelPassword            // whatever stands there is one, unless it is a reference or prose
	labelSecret              // secret, token, api key: also names of objects and words of errors stand there
	labelAuthorization       // a header's credentials
	labelDockerAuth          // user:password in base64
	labelName                // the name of what "value" is next to it
)

// maxLabel is how many bytes before a separator are read as its label.
const maxLabel = 64

// labelEnd are what may follow a label's last word.
var labelEnd = ascii.SetOf("0123456789_-")

// classifyLabel decides by the last words of a label: client_secret and DB_PASSWORD_2 hold secrets, secretName, passwordSecretRef and
// token_ttl do not. It answers labelPassword, labelSecret or labelNone.
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

// isSecretLabel holds for the squeezed labels of secrets other than passwords. A bare "key" is a map's, a table's or a public one, and
// some tokens only say where a list goes on, or that a request is the same.
func isSecretLabel(letters string) bool {
	if hasAnySuffix(letters, "pagetoken", "nexttoken", "continuetoken", "continuationtoken", "requesttoken", "idempotencytoken", "clienttoken",
		"fencingtoken", "stoptoken") {
		return false
	}
	return hasAnySuffix(letters, "secret", "token", "apikey", "appkey", "applicationkey", "accesskey", "secretkey", "secretkeybase",
		"privatekey", "accountkey", "authkey", "encryptionkey", "signingkey", "masterkey", "storagekey", "subscriptionkey", "sharedkey",
		"licensekey", "functionskey", "hmackey", "dockerconfigjson")
}

// isShortPasswordLabel holds for labels such as DB_PASS, pgPass and pwd, but not for PWD, the shell's working directory, nor for the word
// "pass", which counts tests.
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

// lettersAndDigits is a label in lower case without what joins its words.
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

// findLabelled finds values by the labels before them: password=…, "token": "…", <secret>…</secret>, and the value beside a name in
// name: TOKEN, value: ….
func findLabelled(s string, found []span) []span {
	name := "" // the value of the assignment before, if its label was "name"
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
		i = a.end // so that no value is read twice
	}
	return found
}

// indexSeparator is the index of the next = : or > from i on.
func indexSeparator(s string, i int) int {
	for i < len(s) && s[i] != '=' && s[i] != ':' && s[i] != '>' {
		i++
	}
	return i
}

// classify sets the class of an assignment, given the value of a "name" right before it.
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
	case "sig", "x-amz-signature", "x-goog-signature": // of a URL that is itself the credential
		if a.separator == '=' {
			a.class = labelSecret
		}
	default:
		// A part of a name such as arn:aws:…:secret:db is no label.
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
