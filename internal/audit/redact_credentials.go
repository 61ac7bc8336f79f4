package audit

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// isAuthorization holds for the headers that carry credentials (RFC 9110, sections 11.6.2 and 11.7.2).
func isAuthorization(label string) bool {
	return strings.EqualFold(label, "authorization") || strings.EqualFold(label, "proxy-authorization")
}

// schemes of HTTP authentication whose credentials are one word (IANA registry, and those that services made up).
func schemeAction(word string) (Action, bool) {
	switch strings.ToLower(word) {
	case "basic":
		return ActionBasic, true
	case "bearer", "token", "negotiate", "ntlm", "apikey", "oauth", "hawk", "digest", "splunk", "ssws", "bot":
		return ActionBearer, true
	}
	return "", false
}

// addAuthorization redacts the credentials of an Authorization header and keeps its scheme.
func addAuthorization(found []span, s string, a assignment) []span {
	end := a.end
	switch {
	case a.quoted:
	case foldPrefix(s[a.start:], "digest "): // its parameters have quotes of their own
		end = lineEnd(s, a.start)
	default:
		end = headerEnd(s, a.start)
	}
	return addScheme(found, s, a.start, end)
}

// headerEnd is where a header value without quotes of its own ends: at the quote that closes the whole header, or the line.
func headerEnd(s string, start int) int {
	end := lineEnd(s, start)
	if n := strings.IndexAny(s[start:end], "\"'`\\"); n >= 0 {
		end = start + n
	}
	return end
}

func addScheme(found []span, s string, start, end int) []span {
	value := s[start:end]
	word := spanOf(value, isWord)
	action, known := schemeAction(value[:word])
	rest := strings.TrimLeft(value[word:], " \t")
	if !known {
		if looksRandom(value[:bareLength(value)]) {
			return add(found, s, start, start+bareLength(value), ActionBearer)
		}
		return found
	}
	from := end - len(rest)
	if strings.EqualFold(value[:word], "digest") {
		return add(found, s, from, end, action)
	}
	length := bareLength(rest)
	if isReference(rest[:length]) {
		return found
	}
	return add(found, s, from, from+length, action)
}

// looksRandom holds for a word that nobody wrote by hand: long, with digits and letters.
func looksRandom(v string) bool {
	const shortest = 16
	return len(v) >= shortest && spanOf(v, func(c byte) bool { return isBase64(c) || c == '.' || c == '~' }) == len(v) &&
		strings.ContainsAny(v, "0123456789") && strings.ContainsAny(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz")
}

// findCredentials finds "Bearer …" and "Basic …" that stand without the name of their header.
func findCredentials(s string, found []span) []span {
	for _, scheme := range []string{"bearer ", "basic "} {
		tail := scheme[1:]
		for _, anchor := range []string{tail, strings.ToUpper(tail)} {
			for i := 0; ; {
				n := strings.Index(s[i:], anchor)
				if n < 0 {
					break
				}
				i += n + len(anchor)
				start := i - len(scheme)
				if start < 0 || s[start]|0x20 != scheme[0] || start > 0 && isAlnum(s[start-1]) {
					continue
				}
				found = addBare(found, s, i, scheme)
			}
		}
	}
	return found
}

func addBare(found []span, s string, start int, scheme string) []span {
	end := start + spanOf(s[start:], func(c byte) bool { return isBase64(c) || c == '.' || c == '~' })
	value := strings.TrimRight(s[start:end], ".")
	end = start + len(value)
	if scheme == "basic " {
		if isUserPassword(value) {
			return add(found, s, start, end, ActionBasic)
		}
		return found
	}
	if looksRandom(value) {
		return add(found, s, start, end, ActionBearer)
	}
	return found
}

// isUserPassword holds for base64 of user:password (RFC 7617).
func isUserPassword(v string) bool {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	if err != nil || len(text) < 3 || !utf8.Valid(text) || !strings.Contains(string(text), ":") {
		return false
	}
	for _, r := range string(text) {
		if isControl(r) {
			return false
		}
	}
	return true
}

// sanitizeCredentials is SanitizeTree for the value, or the list of values, of a member that is an authorization header.
func sanitizeCredentials(value any, counts Actions) any {
	switch value := value.(type) {
	case []any:
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = sanitizeCredentials(item, counts)
		}
		return out
	case string:
		text := SanitizeText(value, counts)
		return redact(text, addScheme(nil, text, 0, len(text)), counts)
	default:
		return SanitizeTree(value, counts)
	}
}
