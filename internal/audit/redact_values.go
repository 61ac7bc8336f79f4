package audit

import "strings"

// assignment is a label, a separator and a value.
type assignment struct {
	label      string
	labelStart int
	separator  byte // one of = : >
	class      class
	start, end int // of the value, without its quotes
	quoted     bool
}

// labelAt reads the label before the separator at i. It is not ok when none stands there.
func labelAt(s string, i int) (a assignment, ok bool) {
	a.separator = s[i]
	stop := i
	if s[i] == '=' && i > 0 && s[i-1] == ':' {
		stop-- // label := value
	}
	if a.separator == '>' && !closesTag(s, i) {
		return a, false
	}
	start, end := labelBefore(s, stop)
	a.label, a.labelStart = s[start:end], start
	return a, start < end
}

// closesTag reports whether the > at i ends <label> or </label>.
func closesTag(s string, i int) bool {
	from := i
	for from > 0 && i-from < maxLabel && isDotted(s[from-1]) {
		from--
	}
	return from < i && from > 0 && s[from-1] == '<'
}

// labelBefore is the label that ends before the separator at i, without quotes, spaces or a closing bracket between.
func labelBefore(s string, i int) (start, end int) {
	end = i
	for end > 0 && i-end < 4 && (isBlank(s[end-1]) || strings.IndexByte("\"'`\\]", s[end-1]) >= 0) {
		end--
	}
	start = end
	for start > 0 && end-start <= maxLabel && isDotted(s[start-1]) {
		start--
	}
	return start, end
}

// contextBefore is the word before a label on its line, and whether nothing stands there but indentation, dashes and quotes.
func contextBefore(s string, label int) (before string, lineStart bool) {
	end := label
	for end > 0 && label-end < maxLabel && strings.IndexByte(" \t-\"'`\\", s[end-1]) >= 0 {
		end--
	}
	if end == 0 || s[end-1] == '\n' {
		return "", true
	}
	start := end
	for start > 0 && end-start < maxLabel && isAlnum(s[start-1]) {
		start--
	}
	return s[start:end], false
}

// readValue sets the value's bounds, starting to look at i, which follows the separator. It is not ok when nothing stands there that
// could be a secret, which is seen from how it begins.
func (a *assignment) readValue(s string, i int) bool {
	if i < len(s) && (s[i] == '=' || s[i] == ':' || strings.HasPrefix(s[i:], "//")) {
		return false // ==, ::, :=, ://
	}
	if i < len(s) && s[i] == '>' { // =>
		i++
	}
	i += spanOf(s[i:], isBlank)
	if i < len(s) && s[i] == '[' && !strings.HasPrefix(s[i:], redacted) {
		i++
	}
	if i >= len(s) || s[i] == '\n' || s[i] == '\r' {
		return false
	}
	quote := quoteAt(s[i:])
	a.quoted = quote != ""
	a.start = i + len(quote)
	rest := s[a.start:]
	if a.class != labelName && (beginsReference(rest) || !a.quoted && beginsCall(rest)) {
		return false
	}
	if a.quoted {
		a.end = a.start + quotedLength(rest, quote)
	} else {
		a.end = a.start + bareLength(rest)
	}
	return a.start < a.end
}

// quoteAt is the quotation mark at the start of s, with the backslashes that escape it inside another string.
func quoteAt(s string) string {
	n := spanOf(s[:min(len(s), 3)], func(c byte) bool { return c == '\\' })
	if n < len(s) && strings.IndexByte("\"'`", s[n]) >= 0 {
		return s[:n+1]
	}
	return ""
}

// quotedLength is how long the text before the closing quote is. A quote that never closes reaches to the end of the line.
func quotedLength(s, quote string) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\n':
			return i
		case strings.HasPrefix(s[i:], quote):
			return i
		case s[i] == '\\' && len(quote) == 1 && quote != "'":
			i++
		}
	}
	return len(s)
}

// bareLength is how long a value without quotes is: up to white space, a quote, a bracket that closes nothing in the value, or a
// delimiter (, ; &) behind which the next assignment or nothing follows.
func bareLength(s string) int {
	if strings.HasPrefix(s, redacted) {
		return len(redacted)
	}
	depth, n := 0, 0
	for ; n < len(s); n++ {
		switch c := s[n]; {
		case isSpace(c), strings.IndexByte("\"'`<>\\", c) >= 0:
			return trimBare(s[:n])
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			if depth--; depth < 0 {
				return trimBare(s[:n])
			}
		case (c == ',' || c == ';' || c == '&') && delimits(s[n+1:]):
			return trimBare(s[:n])
		}
	}
	return trimBare(s)
}

// trimBare takes off the punctuation of the sentence around a value.
func trimBare(s string) int {
	return len(strings.TrimRight(s, ".,;:"))
}

// delimits reports whether rest continues after a delimiter: nothing, white space, a bracket, or the label of another assignment.
func delimits(rest string) bool {
	n := spanOf(rest[:min(len(rest), maxLabel)], func(c byte) bool { return isDotted(c) || c == ' ' || c == '%' })
	return n == 0 || n == len(rest) || isSpace(rest[0]) || strings.IndexByte("=:&,;", rest[n]) >= 0
}

// beginsReference holds for values that stand in place of a secret, as their first characters show: variables, templates, nested
// structures, PEM armour (whose body is found by itself), and addresses of secret stores.
func beginsReference(v string) bool {
	if v == "" || v[0] == '{' || v[0] == '<' {
		return true
	}
	return hasAnyPrefix(v, redacted, "${", "$(", "-----BEGIN", "arn:", "vault:", "ref+", "op://", "file:", "env:", "ssm:", "secretsmanager:",
		"projects/", "ENC[", "sops:", "http://", "https://", "gcp:", "azurekeyvault:", "secretRef", "valueFrom", "secretKeyRef",
		"!Ref", "!Sub", "!GetAtt", "!vault")
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// beginsCall holds for code such as os.Getenv("X"), whose result is not in the text.
func beginsCall(v string) bool {
	n := spanOf(v[:min(len(v), maxLabel)], func(c byte) bool { return isAlnum(c) || c == '_' || c == '.' })
	return n > 0 && n < len(v) && v[n] == '(' && !isDigit(v[0])
}

// isReference holds for the other values that stand in place of a secret: shell and Windows variables, format verbs, YAML aliases,
// masks, paths, and words such as null and required.
func isReference(v string) bool {
	if beginsReference(v) || strings.Trim(v, "*xX•.") == "" {
		return true
	}
	switch v[0] {
	case '$':
		return spanOf(v[1:], isDottedColon) == len(v)-1
	case '%':
		return len(v) <= 6 && spanOf(v[1:], isAlnumBracket) == len(v)-1 || len(v) > 2 && v[len(v)-1] == '%'
	case '*', '&':
		return spanOf(v[1:], func(c byte) bool { return isLower(c) || c == '_' || c == '-' }) == len(v)-1
	case '/', '.', '~':
		return isPath(v)
	}
	return isPlainWord(v)
}

func isDottedColon(c byte) bool  { return isDotted(c) || c == ':' }
func isAlnumBracket(c byte) bool { return isAlnum(c) || c == '[' || c == ']' || c == '+' || c == '#' }

// isPath holds for file names; base64 that happens to start with a slash has upper-case letters early.
func isPath(v string) bool {
	n := spanOf(v, func(c byte) bool { return isLower(c) || isDigit(c) || strings.IndexByte("/._-~", c) >= 0 })
	return n == len(v) && strings.Count(v, "/") > 0 || strings.HasPrefix(v, "/run/") || strings.HasPrefix(v, "/var/") ||
		strings.HasPrefix(v, "/etc/") || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "~/")
}

// isPlainWord holds for what programs and people write after a label when they speak about the secret.
func isPlainWord(v string) bool {
	switch strings.ToLower(strings.TrimRight(v, "!?")) {
	case "null", "nil", "none", "true", "false", "yes", "no", "on", "off", "empty", "unset", "set", "undefined", "n/a",
		"redacted", "(redacted)", "masked", "hidden", "sensitive", "(sensitive", "changeme", "unchanged",
		"string", "string!", "str", "text", "bytes", "object", "integer", "int", "optional", "required", "enabled", "disabled",
		"expired", "invalid", "missing", "revoked", "unknown", "incorrect", "wrong", "valid", "ok", "failed", "denied",
		"unauthorized", "forbidden", "rejected", "rotated", "not", "is", "was", "must", "cannot", "could", "should", "has", "for",
		"the", "a", "an", "and", "or", "to", "from", "with", "in", "of", "at", "by", "authentication", "authorization", "access",
		"permission", "unexpected", "expected", "error", "failure", "timeout", "eof", "found", "no such", "unable", "too",
		"cannot be", "please", "check", "user", "flag", "option", "file", "path", "stdin", "prompt":
		return true
	}
	return false
}

// isProse holds for a sentence about a secret: "unexpected token: identifier", "password: does not match the policy".
func isProse(s string, a assignment) bool {
	before, lineStart := contextBefore(s, a.labelStart)
	switch strings.ToLower(before) {
	case "unexpected", "expected", "illegal", "unknown", "invalid", "bad", "missing", "next", "unrecognized":
		if a.class == labelSecret {
			return true
		}
	}
	value, rest := s[a.start:a.end], s[a.end:min(len(s), a.end+len(" bytes"))]
	if a.quoted || a.separator != ':' || len(rest) < 2 || rest[0] != ' ' || rest[1] == '\n' {
		return false
	}
	if spanOf(value, isDigit) == len(value) {
		return strings.HasPrefix(rest, " byte") || strings.HasPrefix(rest, " char")
	}
	return spanOf(value, isLower) == len(value) && (a.class == labelSecret || !lineStart && isLower(rest[1]))
}

// isObjectName holds for the names that stand where a secret could: of a Kubernetes Secret after secret= or tlsSecret:, and single
// words of prose or structure after a colon.
func isObjectName(a assignment, v string) bool {
	name := spanOf(v, func(c byte) bool { return isLower(c) || isDigit(c) || c == '-' || c == '.' || c == '/' }) == len(v)
	if !name {
		return false
	}
	const longestWord = 10
	if a.separator == ':' && len(v) <= longestWord && spanOf(v, isLower) == len(v) {
		return true
	}
	return namesObject(a.label) && strings.ContainsAny(v, "-/.") && isDictionary(v)
}

// namesObject holds for labels whose value is usually the name of a Secret object rather than a secret.
func namesObject(label string) bool {
	letters := squeeze(label)
	for _, compound := range []string{"clientsecret", "appsecret", "webhooksecret", "sharedsecret", "consumersecret", "jwtsecret", "sessionsecret", "cookiesecret", "signingsecret"} {
		if strings.HasSuffix(letters, compound) {
			return false
		}
	}
	return strings.HasSuffix(letters, "secret")
}

// isDictionary holds when each part of a name is letters or a short number, as people name things.
func isDictionary(v string) bool {
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == '-' || r == '/' || r == '.' }) {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		letters := spanOf(part[digits:], isLower)
		if len(part)-letters > 4 || digits+letters+spanOf(part[digits+letters:], isDigit) != len(part) {
			return false
		}
	}
	return true
}

// isCounter holds for small numbers: tokens are counted, too.
func isCounter(v string) bool {
	const longestCount = 5
	return len(v) <= longestCount && spanOf(v, isDigit) == len(v)
}
