package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Action is a kind of change made to a text before it is stored. The set is closed because it is a
// metric dimension.
type Action string

// The closed set of actions.
const (
	ActionControlRemoved   Action = "control_removed"            // a control character removed
	ActionUTF8Replaced     Action = "utf8_replaced"              // an invalid UTF-8 byte replaced by U+FFFD
	ActionAWSKey           Action = "redacted_aws_key"           // an AWS access key id or secret access key
	ActionBearer           Action = "redacted_bearer"            // bearer and other token credentials of an HTTP header
	ActionBasic            Action = "redacted_basic"             // user:password credentials of an HTTP header or command
	ActionPrivateKey       Action = "redacted_private_key"       // the body of a PEM private key
	ActionConnectionString Action = "redacted_connection_string" // the password inside a URL or connection string
	ActionPassword         Action = "redacted_password"          // a value labelled as a password
	ActionToken            Action = "redacted_token"             // a token recognized by its shape or its label
	ActionKubernetesSecret Action = "redacted_kubernetes_secret" // one value of a Kubernetes Secret's data or stringData
	ActionMetadataValue    Action = "redacted_metadata_value"    // a metadata value whose key names a secret
)

// AllActions lists the actions.
func AllActions() []Action {
	return []Action{
		ActionControlRemoved, ActionUTF8Replaced, ActionAWSKey, ActionBearer, ActionBasic, ActionPrivateKey, ActionConnectionString,
		ActionPassword, ActionToken, ActionKubernetesSecret, ActionMetadataValue,
	}
}

// Actions counts the changes made, by kind.
type Actions map[Action]int

// Text returns s with three changes, each counted in actions: control characters are removed,
// invalid UTF-8 is replaced by U+FFFD, and secrets are replaced by [REDACTED]. The text around a
// secret is kept: postgres://app:[REDACTED]@db/orders still shows the database. Text is idempotent
// and takes time linear in the length of s.
//
// Control characters are Unicode's category Cc (C0, DEL and C1) except tab, line feed and carriage
// return. An escape is removed with its sequence, such as the color \x1b[31m of a terminal. Other invisible characters, such as bidirectional marks and joiners, are kept because
// some languages need them.
func Text(s string, actions Actions) string {
	s = cleanCharacters(s, actions)
	// A secret next to another may be recognizable only after that one is redacted. In ordinary
	// text, the second pass finds nothing.
	for range maxRedactionPasses {
		spans := findSecrets(s)
		if len(spans) == 0 {
			break
		}
		s = replaceSpans(s, spans, actions)
	}
	return s
}

// cleanCharacters removes control characters and replaces bytes that are not UTF-8.
func cleanCharacters(s string, actions Actions) string {
	clean := 0
	for clean < len(s) && (s[clean] >= ' ' && s[clean] < 0x7F || s[clean] == '\n' || s[clean] == '\t' || s[clean] == '\r') {
		clean++
	}
	if clean == len(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	out.WriteString(s[:clean])
	for rest := s[clean:]; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			actions[ActionUTF8Replaced]++
			out.WriteRune(utf8.RuneError)
		case r == escape:
			actions[ActionControlRemoved]++
			size = controlSequenceLength(rest)
		case isRemovedControl(r):
			actions[ActionControlRemoved]++
		default:
			out.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return out.String()
}

func isRemovedControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
}
