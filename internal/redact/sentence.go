package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// isPartOfSentence reports whether an unquoted value is part of a sentence about a secret: a cause
// after "failed to get token:", a state after "password:".
//
// A sentence has words before the label on its line that do not assign anything, or function words
// after it. What looks like a password is one in a sentence too.
func (sc *scanner) isPartOfSentence(a *assignment) bool {
	s := sc.text
	value := s[a.start:a.end]
	before := sc.proseBefore(a.labelStart)
	if a.class != labelPassword && isParserWord(strings.ToLower(before)) {
		return true
	}
	if a.quoted || a.tight || a.labelQuote != "" {
		return false
	}
	line := s[a.start:nearLineEnd(s, a.start)]
	first, rest, _ := strings.Cut(line, " ")
	first = strings.TrimRight(first, "\r")
	switch {
	case strings.HasPrefix(rest, "byte"), strings.HasPrefix(rest, "char"):
		return true
	case before != "":
		return !looksLikeSecret(strings.TrimRight(first, ".,;:!?)")) && (a.class != labelPassword || rest != "" || !isLongUnlikeWord(first) && (isWordlike(first) || isTechnicalWord(first)))
	case strings.HasSuffix(first, ":") && rest != "" && (a.class != labelPassword || isWordlike(first) || isTechnicalWord(first)):
		return !looksLikePassword(strings.TrimRight(first, ":"))
	case rest == "":
		return a.class != labelPassword && isStatus(value)
	}
	return !looksLikePassword(first) && (hasFunctionWord(line) || isPlaceholder(first))
}

// isPhrase reports whether v is several words, which no token is: refresh needed.
func isPhrase(v string) bool { return strings.Contains(v, " ") && isWordlike(v) && !hasMixedWord(v) }

// isObjectWithState reports whether v is the name of an object whose state comes next, as in
// secret=regcred not found.
func (sc *scanner) isObjectWithState(a *assignment, v string) bool {
	rest, blank := strings.CutPrefix(sc.text[a.end:min(len(sc.text), a.end+maxLabel)], " ")
	word := rest[:ascii.PrefixLen(rest, ascii.IsLower)]
	return blank && (proseWords[word] || functionWords[word]) && labelsObjectName(a.label) && isDictionaryName(v)
}

// hasMixedWord reports whether a word of a line has digits among other characters, or is a number
// that is too long for a rule such as "at least 8 characters".
func hasMixedWord(line string) bool {
	const longestNumber = 3
	for word := range strings.FieldsSeq(line) {
		word = strings.Trim(word, ".,;:!?()'\"")
		if digits := countClasses(word).digit; digits > longestNumber || digits > 0 && digits < len(word) {
			return true
		}
	}
	return false
}

// looksLikeSecret reports whether a word in a sentence is a password or a long identifier.
func looksLikeSecret(v string) bool {
	return looksLikePassword(v) || looksRandom(v) && !isDictionaryName(v) && !isTechnicalWord(v)
}

// proseBefore returns the word before a label if words precede the label on its line, as in
// "failed to renew token: …", and "" if the label begins the line or follows a field.
func (sc *scanner) proseBefore(start int) string {
	s := sc.text
	if start == 0 || s[start-1] != ' ' {
		return ""
	}
	end := start - 1
	from := end
	for from > 0 && end-from < maxLabel && (ascii.IsAlnum(s[from-1]) || s[from-1] == '\'' || s[from-1] == '-') {
		from--
	}
	word := s[from:end]
	if from > 0 && (s[from-1] == '=' || s[from-1] == '"' || s[from-1] == '{' || s[from-1] == '$') || strings.Trim(word, "-'") == "" || !ascii.IsAlnum(word[0]) {
		return ""
	}
	return word
}

// isParserWord reports whether word precedes "token" in parsers' error messages.
func isParserWord(word string) bool {
	switch word {
	case "unexpected", "expected", "illegal", "unknown", "invalid", "bad", "missing", "next", "unrecognized", "unexpect", "expecting":
		return true
	}
	return false
}

var functionWords = wordsOf(`the a an is are was were be been must should could cannot can will would may not no in on at by for from of to with and or than then too
	if when while because before after until it its this that has have had does do did again only also expired missing required invalid rejected refused denied
	failed error unauthorized already`)

// hasFunctionWord reports whether a line has a word that connects others.
func hasFunctionWord(line string) bool {
	for word := range strings.FieldsSeq(line) {
		if word = strings.ToLower(strings.Trim(word, ".,;:!?()'\"")); functionWords[word] || placeholderWords[word] {
			return true
		}
	}
	return false
}

// statusWords are the words of error codes and states that follow "token:" and "secret=".
var statusWords = wordsOf(`invalid grant rate limited limit exceeded connection refused reset timeout timed out expired not found unauthorized unauthenticated forbidden
	denied access permission bad request server internal error failure failed unavailable service too many requests slow down temporarily client scope type
	unsupported response malformed mismatch signature missing required revoked inactive unknown untrusted issuer audience key id kid algorithm verification
	decode decoding decrypt encode parse parsing quota conflict gone closed broken pipe eof deadline canceled cancelled aborted retry later pending
	authorization authentication auth auth0 token secret password credential credentials user login session interaction consent account disabled locked
	suspended deleted rotated created updated stale outdated empty null none nil short long weak length value format encoding base64 json utf8
	identifier number string unexpected end of input stream file data context overflow underflow ready unready healthy unhealthy ok success succeeded valid
	network unreachable host dns lookup resolve tls handshake certificate cert x509 ssl proxy gateway upstream status code http https
	rotation completed complete started running stopped skipped ignored current latest previous next active replaced renewed refreshed synced unsynced
	nonexistent exists duplicate precondition policy violation validation invalidtoken expiredtoken accessdenied throttled throttling open is the no
	projected bound static dynamic sealed unsealed uninitialized initialized mounted unmounted available loading load loaded unset rejected wrong incorrect`)

// isStatus reports whether v consists of words of error codes, as rate_limited, EOF or
// InvalidSignature do.
func isStatus(v string) bool {
	v = strings.TrimRight(v, ".,;:!")
	words := splitWords(v)
	for _, word := range words {
		if !statusWords[word] && !placeholderWords[word] {
			return len(words) > 1 && hasAnySuffix(v, "error", "exception", "failure", "Error", "Exception", "Failure") && isWordlike(v)
		}
	}
	return len(words) > 0
}
