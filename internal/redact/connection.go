package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// findConnectionStrings finds passwords in URLs (RFC 3986 userinfo), in Go's MySQL form user:password@tcp(host), and in Oracle's
// thin form user/password@.
func findConnectionStrings(s string, held *pairs, found []span) []span {
	for i := range after(s, held, "://") {
		end := len(s)
		if next := strings.Index(s[i:], "://"); next >= 0 {
			end = i + next
		}
		found = addUserinfo(found, s, i, end)
	}
	for _, anchor := range []string{"@tcp(", "@unix("} {
		for i := range after(s, held, anchor) {
			found = addBeforeAt(found, s, 0, i-len(anchor), ':')
		}
	}
	for i := range after(s, held, "oracle:thin:") {
		word := s[i:min(len(s), i+maxUserPassword)]
		if at := strings.IndexByte(word[:ascii.PrefixLen(word, isAuthority)], '@'); at > 0 {
			found = addBeforeAt(found, s, i, i+at, '/')
		}
	}
	return found
}

// maxUserPassword is how far before an @ a user's name is looked for where nothing else marks its beginning.
const maxUserPassword = 256

// findWebhooks finds the secret paths of chat services' incoming webhooks.
func findWebhooks(s string, held *pairs, found []span) []span {
	for _, anchor := range []string{
		"hooks.slack.com/services/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "api.telegram.org/bot",
	} {
		for i := range after(s, held, anchor) {
			end := i + ascii.PrefixLen(s[i:], func(c byte) bool { return ascii.IsWord(c) || c == '/' || c == ':' })
			if looksRandom(strings.ReplaceAll(s[i:end], ":", "")) {
				found = add(found, s, i, end, ActionToken)
			}
		}
	}
	return found
}

// isAuthority is what may stand in a URL before its end in running text.
func isAuthority(c byte) bool { return !ascii.IsSpace(c) && strings.IndexByte("\"'`<>|", c) < 0 }

// addUserinfo redacts the password of the URL whose authority starts at i, reading no further than end. Passwords are often
// written with / ? # unescaped, so an authority whose port is not a number is read on to the next @.
func addUserinfo(found []span, s string, i, end int) []span {
	word := s[i : i+ascii.PrefixLen(s[i:end], isAuthority)]
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
	if at < 0 || isDigest(word[at+1:]) {
		return found
	}
	colon := strings.IndexByte(authority[:at], ':')
	if colon < 0 || isReference(authority[colon+1:at]) && !isPlainWord(authority[colon+1:at]) {
		return found
	}
	return add(found, s, i+colon+1, i+at, ActionConnectionString)
}

// isDigest tells image@sha256:… from user@host.
func isDigest(s string) bool {
	return strings.HasPrefix(s, "sha256:") || strings.HasPrefix(s, "sha512:")
}

// addBeforeAt redacts what stands between the separator and the @ at index at, looking back to from at most.
func addBeforeAt(found []span, s string, from, at int, separator byte) []span {
	start := at
	for start > from && isAuthority(s[start-1]) && at-start < maxUserPassword {
		start--
	}
	colon := strings.IndexByte(s[start:at], separator)
	if colon < 0 || isReference(s[start+colon+1:at]) {
		return found
	}
	return add(found, s, start+colon+1, at, ActionConnectionString)
}
