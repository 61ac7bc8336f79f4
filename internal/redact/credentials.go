package redact

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// authSchemeAction returns the action for an HTTP authentication scheme (RFC 9110, section 11;
// IANA's registry and schemes in use outside it).
func authSchemeAction(word string) (Action, bool) {
	switch strings.ToLower(word) {
	case "basic":
		return ActionBasic, true
	case "bearer", "token", "negotiate", "ntlm", "apikey", "oauth", "hawk", "digest", "splunk", "ssws", "bot":
		return ActionBearer, true
	}
	return "", false
}

// addAuthorization redacts the credentials of an Authorization header and keeps the scheme.
func addAuthorization(found []span, s string, a assignment) []span {
	if a.quoted {
		return addSchemeCredentials(found, s, a.start, a.end)
	}
	return addSchemeCredentials(found, s, a.start, len(s))
}

func addSchemeCredentials(found []span, s string, start, end int) []span {
	value := s[start:end]
	word := ascii.PrefixLen(value[:min(len(value), maxLabel)], ascii.IsWord)
	action, known := authSchemeAction(value[:word])
	if !known {
		if n := ascii.PrefixLen(value, isToken68Byte); looksRandom(value[:n]) {
			return appendSecret(found, s, start, start+n, ActionBearer)
		}
		return found
	}
	from := start + word + ascii.PrefixLen(value[word:], ascii.IsBlank)
	if strings.EqualFold(value[:word], "digest") {
		return appendSecret(found, s, from, min(end, endOfLine(s, from)), action) // digest parameters contain quotes
	}
	to := from + bareValueLength(s[from:end])
	if isReference(s[from:to]) {
		return found
	}
	return appendSecret(found, s, from, to, action)
}

// isToken68Byte accepts the alphabet of token68 (RFC 9110, section 11.2).
func isToken68Byte(c byte) bool { return isBase64Byte(c) || c == '.' || c == '~' }

// looksRandom accepts long words with digits and letters, which are rarely written by hand.
func looksRandom(v string) bool {
	const shortest = 16
	return len(v) >= shortest && ascii.PrefixLen(v, isToken68Byte) == len(v) &&
		strings.ContainsAny(v, "0123456789") && strings.ContainsAny(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz")
}

// findCredentials finds "Bearer …" and "Basic …" without a header name.
func findCredentials(s string, pairs *bytePairs, found []span) []span {
	for _, anchor := range [...]string{"earer ", "EARER ", "asic ", "ASIC "} {
		for i := range occurrencesOf(s, pairs, anchor) {
			start := i - len(anchor) - 1
			if start >= 0 && s[start]|0x20 == 'b' && (start == 0 || !ascii.IsAlnum(s[start-1])) {
				found = addBareCredentials(found, s, i, len(anchor) == len("asic "))
			}
		}
	}
	return found
}

func addBareCredentials(found []span, s string, start int, basic bool) []span {
	end := start + ascii.PrefixLen(s[start:], isToken68Byte)
	value := strings.TrimRight(s[start:end], ".")
	end = start + len(value)
	if basic {
		if isEncodedUserPassword(value) {
			return appendSecret(found, s, start, end, ActionBasic)
		}
		return found
	}
	if looksRandom(value) {
		return appendSecret(found, s, start, end, ActionBearer)
	}
	return found
}

// isEncodedUserPassword reports whether v is the base64 form of user:password (RFC 7617).
func isEncodedUserPassword(v string) bool {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	if err != nil || len(text) < 3 || !utf8.Valid(text) || !strings.Contains(string(text), ":") {
		return false
	}
	for _, r := range string(text) {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// redactHeaderValue is Tree for an authorization header's value or list of values.
func redactHeaderValue(value any, actions Actions) any {
	switch value := value.(type) {
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = redactHeaderValue(item, actions)
		}
		return out
	case string:
		text := Text(value, actions)
		return replaceSpans(text, addSchemeCredentials(nil, text, 0, len(text)), actions)
	default:
		return Tree(value, actions)
	}
}
