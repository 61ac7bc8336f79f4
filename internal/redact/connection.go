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
		found = addURLPassword(found, s, i, i+authorityLength(s, i, end))
	}
	for _, anchor := range []string{"@tcp(", "@unix(", "@("} {
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

// findUserInformation finds the password of user:password@host without a scheme, and of URLs that are
// percent-encoded.
func findUserInformation(s string, pairs *bytePairs, found []span) []span {
	for i := strings.IndexByte(s, '@'); i >= 0; {
		found = addBareUserInformation(found, s, i)
		next := strings.IndexByte(s[i+1:], '@')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	for i := range occurrencesOf(s, pairs, "%3A%2F%2F") {
		word := s[i : i+ascii.PrefixLen(s[i:min(len(s), i+maxUserPassword)], func(c byte) bool { return isAuthorityByte(c) && c != '&' })]
		authority, _, found1 := strings.Cut(word, "%40")
		if user, password, found2 := strings.Cut(authority, "%3A"); found1 && found2 && !isTemplate(password) {
			found = appendSecret(found, s, i+len(user)+len("%3A"), i+len(authority), ActionConnectionString)
		}
	}
	return found
}

// addBareUserInformation redacts the password before the @ at index at, if the text before looks
// like user:password and the text after like a host.
func addBareUserInformation(found []span, s string, at int) []span {
	host := ascii.PrefixLen(s[at+1:], ascii.IsDottedWord)
	if host == 0 || !strings.Contains(s[at+1:at+1+host], ".") && !strings.HasPrefix(s[at+1+host:], ":") && s[at+1:at+1+host] != "localhost" {
		return found
	}
	start := at
	for start > 0 && at-start < maxUserPassword && isAuthorityByte(s[start-1]) && strings.IndexByte("/=,;(){}[]", s[start-1]) < 0 {
		start--
	}
	user, password, isPair := strings.Cut(s[start:at], ":")
	if !isPair || user == "" || ascii.PrefixLen(user, ascii.IsDottedWord) != len(user) || !looksLikePassword(password) || strings.ContainsAny(password, ":") {
		return found
	}
	return appendSecret(found, s, start+len(user)+1, at, ActionConnectionString)
}

// findPasswordFiles finds the passwords in lines of PostgreSQL's password file,
// host:port:database:user:password.
func findPasswordFiles(s string, found []span) []span {
	for start := 0; start < len(s); {
		end := endOfLine(s, start)
		if line := strings.TrimRight(s[start:end], "\r"); len(line) < 1024 && strings.Count(line, ":") >= 4 {
			fields := strings.SplitN(line, ":", 5)
			port, password := fields[1], fields[4]
			if (port == "*" || isUserID(port)) && !strings.Contains(line, " ") && looksLikePassword(password) && !strings.Contains(fields[0], "/") {
				found = appendSecret(found, s, start+len(line)-len(password), start+len(line), ActionPassword)
			}
		}
		start = end + 1
	}
	return found
}

// hashMethods are the identifiers of crypt(5) and of libraries that write hashes in its format.
var hashMethods = wordsOf("1 2 2a 2b 2x 2y 5 6 7 y gy sm3 apr1 sha1 md5 P H S argon2i argon2d argon2id scrypt pbkdf2 pbkdf2-sha1 pbkdf2-sha256 pbkdf2-sha512 bcrypt-sha256 scram")

// isPasswordHash reports whether s is $method$parameters, salt and hash.
func isPasswordHash(s string) bool {
	const shortest = 28 // MD5-crypt with a short salt
	method, _, found := strings.Cut(s[1:], "$")
	return found && hashMethods[method] && len(s) >= shortest
}

// findHashes finds hashes of passwords in crypt's format, $id$salt$hash.
func findHashes(s string, found []span) []span {
	for i := strings.IndexByte(s, '$'); i >= 0; {
		end := i + 1 + ascii.PrefixLen(s[i+1:], func(c byte) bool { return ascii.IsAlnum(c) || strings.IndexByte("./$=,+-", c) >= 0 })
		if hash := s[i:end]; isPasswordHash(hash) {
			found = appendSecret(found, s, i, end, ActionPassword)
		}
		next := strings.IndexByte(s[end:], '$')
		if next < 0 {
			break
		}
		i = end + next
	}
	return found
}

// maxUserPassword is the number of bytes before an @ that are searched for a user name where
// nothing else marks its start.
const maxUserPassword = 256

// findWebhooks finds the secret paths of incoming webhooks of chat services.
func findWebhooks(s string, pairs *bytePairs, found []span) []span {
	for _, anchor := range []string{
		"hooks.slack.com/services/", "hooks.slack.com/triggers/", "hooks.slack.com/workflows/", "outlook.office.com/webhook/", ".webhook.office.com/webhookb2/", "hooks.zapier.com/hooks/catch/", "maker.ifttt.com/trigger/",
		"open.feishu.cn/open-apis/bot/v2/hook/", "open.larksuite.com/open-apis/bot/v2/hook/", "events.pagerduty.com/integration/", "api.opsgenie.com/v1/json/",
		"hooks.teams.microsoft.com/", "mattermost.com/hooks/", "/hooks/catch/", "hook.integromat.com/", "hook.eu1.make.com/", "hook.us1.make.com/",
		"alert.victorops.com/integrations/generic/20131114/alert/", "hc-ping.com/", "heartbeat.uptimerobot.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "api.telegram.org/bot",
	} {
		last := 0
		for i := range occurrencesOf(s, pairs, anchor) {
			if i < last {
				continue
			}
			end := i + ascii.PrefixLen(s[i:], func(c byte) bool { return ascii.IsDottedWord(c) || strings.IndexByte("/:@%", c) >= 0 })
			last = end
			if path := s[i:end]; len(path) >= 16 && strings.ContainsAny(path, "0123456789") {
				found = appendSecret(found, s, i, end, ActionToken)
			}
		}
	}
	return found
}

// isAuthorityByte rejects the characters that end a URL in running text.
func isAuthorityByte(c byte) bool { return !ascii.IsSpace(c) && strings.IndexByte("\"'`<>|", c) < 0 }

// authorityLength returns the length of the longest text at i, before end, that may be the authority
// of a URL and its path. A password may have any character but white space: what ends a URL in
// running text does not end it before an @, unless it closes what was opened before the URL.
func authorityLength(s string, i, end int) int {
	scheme := i - len("://")
	for scheme > 0 && (ascii.IsWord(s[scheme-1]) || s[scheme-1] == '+' || s[scheme-1] == ':') {
		scheme--
	}
	closing := byte(0)
	if scheme > 0 {
		closing = closingOf(s[scheme-1])
	}
	short := ascii.PrefixLen(s[i:end], isAuthorityByte)
	long := ascii.PrefixLen(s[i:end], func(c byte) bool { return !ascii.IsSpace(c) && (c != closing || closing == 0) })
	user, rest, found := strings.Cut(s[i:i+long], ":")
	at := strings.LastIndexByte(rest, '@')
	if !found || at < 0 || strings.LastIndexByte(s[i:i+short], '@') > 0 || ascii.PrefixLen(user, ascii.IsDottedWord) != len(user) || !startsHost(rest[at+1:]) {
		return short
	}
	return len(user) + 1 + at + 1
}

func closingOf(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	case '{':
		return '}'
	case '<':
		return '>'
	case '"', '\'', '`':
		return open
	case '=', ',', ';', '>':
		return '"'
	}
	return 0
}

// startsHost reports whether s begins with a host, and a port, a path or a dot in it.
func startsHost(s string) bool {
	n := ascii.PrefixLen(s, ascii.IsWord)
	return n > 0 && (n == len(s) || strings.IndexByte(".:/,", s[n]) >= 0)
}

// addURLPassword redacts the password of the URL whose authority starts at i, reading no further
// than end. Passwords often contain unescaped / ? or #, so if the port is not a number, the
// authority extends to the next @.
func addURLPassword(found []span, s string, i, end int) []span {
	word := s[i:end]
	authority := word
	if n := strings.IndexAny(word, "/?#"); n >= 0 {
		authority = word[:n]
	}
	if !strings.Contains(authority, "@") {
		_, port, hasPort := strings.Cut(authority, ":")
		if !hasPort || strings.HasPrefix(authority, "[") || (port == "" || strings.Trim(port, "0123456789") == "") && !isDatabaseURL(s, i, word) {
			return found
		}
		authority = word
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 || isImageDigest(word[at+1:]) {
		return found
	}
	colon := strings.IndexByte(authority[:at], ':')
	if colon < 0 && at >= 20 && isRandomWord(authority[:at]) { // a token as the user
		return appendSecret(found, s, i, i+at, ActionConnectionString)
	}
	if colon < 0 || isTemplate(authority[colon+1:at]) {
		return found
	}
	return appendSecret(found, s, i+colon+1, i+at, ActionConnectionString)
}

// isDatabaseURL reports whether the URL with the authority at i has a scheme whose URLs have no @ in
// their path, and the last @ is before a host.
func isDatabaseURL(s string, i int, word string) bool {
	before := s[max(0, i-maxLabel):i]
	at := strings.LastIndexByte(word, '@')
	return !hasAnySuffix(before, "http://", "https://", "git://", "docker://", "oci://", "file://") && at > 0 && word[at-1] != '/' && startsHost(word[at+1:])
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
	if colon < 0 || isTemplate(s[start+colon+1:at]) || isTemplate(s[start+1+strings.LastIndexByte(s[start:at], separator):at]) {
		return found
	}
	return appendSecret(found, s, start+colon+1, at, ActionConnectionString)
}
