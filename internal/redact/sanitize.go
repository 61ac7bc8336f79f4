package redact

import (
	"maps"
	"slices"
	"strconv"
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
// return. Other invisible characters, such as bidirectional marks and joiners, are kept because
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

// Tree applies Text to every string of a tree of map[string]any, []any and scalars, keys included.
// It returns a new tree and does not modify v. It also replaces whole values:
//
//   - of keys that contain password, passwd, secret, token or api key (api_key, api-key, apikey, any
//     case), or that Text treats as labels of secrets. Harmless keys such as tokens_used match too.
//     Numbers, objects and arrays are replaced as well; null, true, false and "" stay, since they
//     reveal nothing;
//   - of each member of data and stringData in an object whose kind is Secret;
//   - of value in an object whose name or key labels a secret, as in a container's env.
//
// Keys that become equal get a suffix (key, key~2), so no member is lost.
func Tree(v any, actions Actions) any {
	switch v := v.(type) {
	case string:
		return Text(v, actions)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = Tree(item, actions)
		}
		return out
	case map[string]any:
		return redactObject(v, actions)
	default:
		return v
	}
}

func redactObject(members map[string]any, actions Actions) map[string]any {
	out := make(map[string]any, len(members))
	names := sanitizedKeys(members, actions)
	label, ok := members["name"].(string)
	if !ok {
		label, _ = members["key"].(string)
	}
	for key, value := range members {
		var clean any
		switch {
		case isSensitiveKey(key), key == "value" && classifyLabel(label) != labelNone:
			clean = redactValue(value, ActionMetadataValue, actions)
		case members["kind"] == "Secret" && (key == "data" || key == "stringData"):
			clean = redactSecretData(value, actions)
		case strings.EqualFold(key, "authorization"), strings.EqualFold(key, "proxy-authorization"):
			clean = redactHeaderValue(value, actions)
		default:
			clean = Tree(value, actions)
		}
		out[names.storedName(key)] = clean
	}
	return out
}

// keyNames maps the keys that sanitizing changes to their new names. It is nil if there are none.
type keyNames map[string]string

func sanitizedKeys(members map[string]any, actions Actions) keyNames {
	var names keyNames
	for key := range members {
		if clean := Text(key, actions); clean != key {
			if names == nil {
				names = keyNames{}
			}
			names[key] = clean
		}
	}
	if names == nil {
		return nil
	}
	taken := make(map[string]bool, len(members))
	for key := range members {
		_, changed := names[key]
		taken[key] = !changed
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		names[key] = uniqueKeyName(names[key], taken)
		taken[names[key]] = true
	}
	return names
}

func (names keyNames) storedName(key string) string {
	if name, changed := names[key]; changed {
		return name
	}
	return key
}

func uniqueKeyName(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "~" + strconv.Itoa(n)
	}
	return free
}

func redactValue(value any, action Action, actions Actions) any {
	switch value {
	case nil, true, false, "", redacted:
		return value
	}
	actions[action]++
	return redacted
}

// redactSecretData replaces each member of a Kubernetes Secret's data and keeps the keys.
func redactSecretData(value any, actions Actions) any {
	members, ok := value.(map[string]any)
	if !ok {
		return redactValue(value, ActionKubernetesSecret, actions)
	}
	out := make(map[string]any, len(members))
	names := sanitizedKeys(members, actions)
	for key, value := range members {
		out[names.storedName(key)] = redactValue(value, ActionKubernetesSecret, actions)
	}
	return out
}

// isSensitiveKey reports whether a key contains one of the words listed at Tree or labels a secret.
func isSensitiveKey(key string) bool {
	folded := strings.ToLower(key)
	if strings.IndexFunc(key, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		folded = strings.ToLower(strings.ToUpper(key)) // upper case first folds letters such as U+017F (long s) into ASCII
	}
	for _, word := range []string{"password", "passwd", "secret", "token"} {
		if strings.Contains(folded, word) {
			return true
		}
	}
	isAPIKey := strings.IndexByte(folded, 'k') >= 0 && strings.Contains(keySeparators.Replace(folded), "apikey")
	return isAPIKey || classifyLabel(key) != labelNone
}

var keySeparators = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")
