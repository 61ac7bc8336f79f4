package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// findConnectionStrings finds passwords in URLs (RFC 3986, userinfo), in the form of Go's MySQL
// driver, user:password@tcp(host), and in Oracle's thin form, user/password@.
func findConnectionStrings(s string, pairs *bytePairs, found []span) []span {
	for i := range occurrencesOf(s, pairs, "://") {
		end := len(s)
		if next := strings.Index(s[i:], "://"); next >= 0 {
			end = i + next
		}
		found = addURLPassword(found, s, i, end)
	}
	for _, anchor := range []string{"@tcp(", "@unix("} {
		for i := range occurrencesOf(s, pairs, anchor) {
			found = addPasswordBefore(found, s, 0, i-len(anchor), ':')
		}
	}
	for i := range occurrencesOf(s, pairs, "oracle:thin:") {
		word := s[i:min(len(s), i+maxUserPassword)]
		if at := strings.IndexByte(word[:ascii.PrefixLen(word, isAuthorityByte)], '@'); at > 0 {
			found = addPasswordBefore(found, s, i, i+at, '/')
		}
	}
	return found
}

// maxUserPassword is the number of bytes before an @ that are searched for a user name where
// nothing else marks its start.
const maxUserPassword = 256

// findWebhooks finds the secret paths of incoming webhooks of chat services.
func findWebhooks(s string, pairs *bytePairs, found []span) []span {
	for _, anchor := range []string{
		"hooks.slack.com/services/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "api.telegram.org/bot",
	} {
		for i := range occurrencesOf(s, pairs, anchor) {
			end := i + ascii.PrefixLen(s[i:], func(c byte) bool { return ascii.IsWord(c) || c == '/' || c == ':' })
			if looksRandom(strings.ReplaceAll(s[i:end], ":", "")) {
				found = appendSecret(found, s, i, end, ActionToken)
			}
		}
	}
	return found
}

// isAuthorityByte rejects the characters that end a URL in running text.
func isAuthorityByte(c byte) bool { return !ascii.IsSpace(c) && strings.IndexByte("\"'`<>|", c) < 0 }

// addURLPassword redacts the password of the URL whose authority starts at i, reading no further
// than end. Passwords often contain unescaped / ? or #, so if the port is not a number, the
// authority extends to the next @.
func addURLPassword(found []span, s string, i, end int) []span {
	word := s[i : i+ascii.PrefixLen(s[i:end], isAuthorityByte)]
	authority := word
	if n := strings.IndexAny(word, "/?#"); n >= 0 {
		authority = word[:n]
	}
	if !strings.Contains(authority, "@") {
		_, port, hasPort := strings.Cut(authority, ":")
		if !hasPort || port == "" || strings.Trim(port, "0123456789") == "" || strings.HasPrefix(authority, "[") {
			return found
		}
		authority = word
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 || isImageDigest(word[at+1:]) {
		return found
	}
	colon := strings.IndexByte(authority[:at], ':')
	if colon < 0 || isReference(authority[colon+1:at]) && !isPlaceholderWord(authority[colon+1:at]) {
		return found
	}
	return appendSecret(found, s, i+colon+1, i+at, ActionConnectionString)
}

// isImageDigest distinguishes image@sha256:… from user@host.
func isImageDigest(s string) bool {
	return strings.HasPrefix(s, "sha256:") || strings.HasPrefix(s, "sha512:")
}

// addPasswordBefore redacts the text between the separator and the @ at index at. It does not
// search before index from.
func addPasswordBefore(found []span, s string, from, at int, separator byte) []span {
	start := at
	for start > from && isAuthorityByte(s[start-1]) && at-start < maxUserPassword {
		start--
	}
	colon := strings.IndexByte(s[start:at], separator)
	if colon < 0 || isReference(s[start+colon+1:at]) {
		return found
	}
	return appendSecret(found, s, start+colon+1, at, ActionConnectionString)
}
