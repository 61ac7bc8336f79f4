package redact

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// scanAuthorization redacts the credentials of an Authorization header, whatever the scheme, and
// keeps the scheme.
func (sc *scanner) scanAuthorization(a *assignment) int {
	s := sc.text
	if a.place == placeBelow || a.place == placeProse || a.start >= len(s) {
		return 0
	}
	sc.nest.moveTo(a.start)
	for a.start < len(s) && s[a.start] == '[' {
		a.start++ // Go's http.Header: map[Authorization:[Bearer …]]
		sc.nest.moveTo(a.start)
	}
	a.quoted = false
	if quote := openingQuote(s[a.start:]); quote != "" && !sc.nest.closesString(a.start+len(quote)-1) {
		a.start += len(quote)
		a.end, a.quoted = sc.endOfQuoted(a.start, quote), true
	} else {
		a.end = sc.endOfHeader(a.start, min(len(s), a.start+2*reach))
	}
	span, action := credentialsOf(s[a.start:a.end])
	if span == nil {
		return 0
	}
	if !a.quoted && a.start+span[1] == a.start+2*reach {
		span[1] = sc.endOfHeader(a.start, len(s)) - a.start
	}
	return sc.add(a.start+span[0], a.start+span[1], action)
}

// endOfHeader returns the end of the header whose value starts at i: the end of the line or of the
// string or structure around it, the next white space out of reach, or the limit.
func (sc *scanner) endOfHeader(i, limit int) int {
	s := sc.text
	end := i
	for end < limit && (end < i+reach || !ascii.IsSpace(s[end])) && s[end] != '\n' && s[end] != '\r' && !hasAnyPrefix(s[end:], `\n`, `\r`) {
		if isQuote(s[end]) && sc.nest.closesString(end) {
			break
		}
		if (s[end] == ']' || s[end] == '}') && sc.nest.inBracket() {
			break
		}
		end++
	}
	return end
}

// credentialsOf returns the bounds of the credentials in a header's value, and nil if there are
// none. The scheme is any token of RFC 9110.
func credentialsOf(value string) (bounds []int, action Action) {
	scheme := ascii.PrefixLen(value, ascii.IsWord)
	blanks := ascii.PrefixLen(value[scheme:], ascii.IsBlank)
	start := scheme + blanks
	rest := strings.TrimRight(value[start:], " \t")
	if blanks == 0 || rest == "" {
		word := ascii.PrefixLen(value, func(c byte) bool { return !ascii.IsSpace(c) && c != ',' })
		if looksRandom(value[:word]) || looksLikePassword(value[:word]) {
			return []int{0, word}, ActionBearer
		}
		return nil, ""
	}
	word := ascii.PrefixLen(rest, func(c byte) bool { return !ascii.IsSpace(c) })
	known, action := schemeAction(value[:scheme])
	switch first := strings.TrimRight(rest[:word], ",;."); {
	case isReference(rest), isReference(first), strings.HasPrefix(first, "..."), strings.HasPrefix(first, "YOUR"), strings.HasPrefix(first, "<") && strings.Contains(rest, ">"):
		return nil, ""
	case strings.Contains(first, "=\"") || word < len(rest) && strings.HasSuffix(rest[:word], ","): // parameters: Digest, OAuth, AWS4-HMAC-SHA256
		return []int{start, start + len(rest)}, action
	case known && (word == len(rest) || !isWordlike(first) || looksRandom(first)):
		return []int{start, start + word}, action
	case looksRandom(strings.TrimLeft(first, ":")), word == len(rest) && looksLikePassword(first), strings.Contains(first, ":") && looksLikePassword(first), strings.Contains(first, "="):
		return []int{start, start + word}, action
	}
	return nil, ""
}

// schemeAction returns the action for an HTTP authentication scheme, and whether it is one of IANA's
// registry or in common use outside it.
func schemeAction(word string) (known bool, action Action) {
	switch strings.ToLower(word) {
	case "basic":
		return true, ActionBasic
	case "bearer", "token", "negotiate", "ntlm", "apikey", "oauth", "hawk", "digest", "splunk", "ssws", "bot", "key", "api-key", "api-token", "geniekey",
		"sharedkey", "sharedkeylite", "signature", "dpop", "gnap", "hoba", "mutual", "privatetoken", "scram-sha-256", "scram-sha-1", "vapid", "aws", "jwt", "pveapitoken", "discogs", "klaviyo-api-key":
		return true, ActionBearer
	}
	return false, ActionBearer
}

// looksRandom accepts long words with digits and letters, which are rarely written by hand.
func looksRandom(v string) bool {
	const shortest = 16
	return len(v) >= shortest && ascii.PrefixLen(v, func(c byte) bool { return isToken68Byte(c) || c == '%' || c == '!' || c == ':' || c == '|' }) == len(v) &&
		strings.ContainsAny(v, "0123456789") && strings.ContainsAny(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyz")
}

// isToken68Byte accepts the alphabet of token68 (RFC 9110, section 11.2).
func isToken68Byte(c byte) bool { return isBase64Byte(c) || c == '.' || c == '~' }

// publicCookies begin the names of cookies that identify a browser to analytics, or a setting.
var publicCookies = []string{"_ga", "_gid", "_gat", "_utm", "__utm", "_fbp", "_gcl", "lang", "locale", "theme", "tz", "timezone", "consent", "cookie_consent", "currency"}

// cookieAttributes are those of Set-Cookie (RFC 6265, section 4.1).
var cookieAttributes = wordsOf("path domain expires max-age samesite version comment priority secure httponly partitioned")

// scanCookies redacts the values of the pairs in a Cookie or Set-Cookie header.
func (sc *scanner) scanCookies(a *assignment) int {
	s := sc.text
	if a.place == placeBelow || a.place == placeProse || a.start >= len(s) || a.start < sc.cookies {
		return 0
	}
	sc.nest.moveTo(a.start)
	for a.start < len(s) && (s[a.start] == '[' || isQuote(s[a.start]) && !sc.nest.closesString(a.start)) {
		a.start++
		sc.nest.moveTo(a.start)
	}
	sc.cookies = sc.endOfHeader(a.start, len(s))
	return sc.scanCookiePairs(a.start, sc.cookies)
}

func (sc *scanner) scanCookiePairs(i, end int) int {
	last := 0
	for i < end {
		next := end
		if n := strings.IndexByte(sc.text[i:end], ';'); n >= 0 {
			next = i + n
		}
		name, value, found := strings.Cut(sc.text[i:next], "=")
		value = strings.Trim(value, "\"")
		if found && isSecretCookie(strings.TrimLeft(name, " "), value) {
			start := i + len(name) + 1 + strings.Index(sc.text[i+len(name)+1:], value)
			last = sc.add(start, start+len(strings.TrimRight(value, " ")), ActionToken)
		}
		i = next + 1
	}
	return last
}

// isSecretCookie reports whether a cookie may identify a session: it is not an attribute, an
// analytics cookie or a short setting.
func isSecretCookie(name, value string) bool {
	const longestSetting, longestWord = 7, 12
	lower := strings.ToLower(name)
	return !cookieAttributes[lower] && !hasAnyPrefix(lower, publicCookies...) && !isReference(value) &&
		(len(value) > longestSetting && (!isWordlike(value) || len(value) > longestWord || namesSession(name)) || classifyLabel(name) == labelPassword)
}

// sessionWords are the words in names of cookies that identify a session or a user.
var sessionWords = wordsOf("sid sess sessid session sessionid auth token jwt ticket login remember")

func namesSession(cookie string) bool {
	for _, word := range splitWords(cookie) {
		if sessionWords[word] || hasAnySuffix(word, "sessid", "sessionid", "token") {
			return true
		}
	}
	return false
}

// scanUserPassword redacts user:password in base64, as in the file of docker login, and the password
// of user:password.
func (sc *scanner) scanUserPassword(a *assignment) int {
	if a.place == placeBelow || a.place >= placeProse || !sc.readValue(a) {
		return 0
	}
	v := sc.text[a.start:a.end]
	if isEncodedUserPassword(v) || a.place == placeQuery && looksRandom(v) {
		return sc.add(a.start, a.end, ActionBasic)
	}
	if a.quoted && isRandomWord(v) {
		return sc.add(a.start, a.end, sc.actionOf(a))
	}
	if user, password, found := strings.Cut(v, ":"); found && looksLikePassword(password) {
		return sc.add(a.start+len(user)+1, a.end, ActionBasic)
	}
	return 0
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
