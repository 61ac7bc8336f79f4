package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// startsWithReference accepts values whose first characters show that they refer to a secret rather
// than contain it: variables, templates, nested structures, addresses in secret stores, and PEM
// armour, whose body is found separately.
func startsWithReference(v string) bool {
	if v == "" || v[0] == '{' || v[0] == '<' {
		return true
	}
	return hasAnyPrefix(v, redacted, "${", "$(", "-----BEGIN", "arn:", "vault:", "ref+", "op://", "file:", "env:", "ssm:", "secretsmanager:",
		"projects/", "alias/", "ENC[", "sops:", "http://", "https://", "gcp:", "azurekeyvault:", "secretRef", "valueFrom", "secretKeyRef",
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

// startsWithExpression accepts expressions such as os.Getenv("X"), settings["x"] or &Token{, whose
// result is not in the text.
func startsWithExpression(v string) bool {
	v = strings.TrimPrefix(v, "&")
	n := ascii.PrefixLen(v[:min(len(v), maxLabel)], func(c byte) bool { return ascii.IsAlnum(c) || c == '_' || c == '.' })
	if n == 0 || n == len(v) || ascii.IsDigit(v[0]) {
		return false
	}
	return v[n] == '(' || v[n] == '{' && !strings.ContainsAny(v[:n], "0123456789") || strings.HasPrefix(v[n:], `["`)
}

// isReference reports whether v refers to a secret or stands for it: a value of startsWithReference,
// a shell or Windows variable, format verb, YAML alias, mask, fill-in placeholder or path, or a word
// such as null or required.
func isReference(v string) bool {
	if startsWithReference(v) || strings.Trim(v, "*xX•.") == "" {
		return true
	}
	switch v[0] {
	case '$':
		return ascii.PrefixLen(v[1:], isVariableByte) == len(v)-1
	case '%':
		return len(v) <= 6 && ascii.PrefixLen(v[1:], isFormatVerbByte) == len(v)-1 || len(v) > 2 && v[len(v)-1] == '%'
	case '(': // "(sensitive value)", "(known after apply)"
		return ascii.PrefixLen(strings.TrimRight(v[1:], ")"), ascii.IsLower) >= len(v)-2
	case '*', '&':
		return ascii.PrefixLen(v[1:], func(c byte) bool { return ascii.IsLower(c) || c == '_' || c == '-' }) == len(v)-1
	case '/', '.', '~':
		return isFilePath(v)
	}
	return ascii.HasPrefixFold(v, "your_") || ascii.HasPrefixFold(v, "your-") || isPlaceholderWord(v)
}

func isVariableByte(c byte) bool { return ascii.IsDottedWord(c) || c == ':' }
func isFormatVerbByte(c byte) bool {
	return ascii.IsAlnum(c) || c == '[' || c == ']' || c == '+' || c == '#'
}

// isFilePath reports whether v is a file name. Base64 that starts with a slash is not, because of its
// upper-case letters.
func isFilePath(v string) bool {
	n := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsLower(c) || ascii.IsDigit(c) || strings.IndexByte("/._-~", c) >= 0 })
	return n == len(v) && strings.Contains(v, "/") || hasAnyPrefix(v, "/run/", "/var/", "/etc/", "./", "~/")
}

// isPlaceholderWord reports whether programs and people write v after a label instead of a secret.
func isPlaceholderWord(v string) bool {
	const longest = 16
	if len(v) > longest {
		return false
	}
	switch strings.ToLower(strings.Trim(v, "!?()[]")) {
	case "null", "nil", "none", "true", "false", "yes", "no", "on", "off", "empty", "unset", "set", "undefined", "n/a", "default", // states
		"redacted", "masked", "hidden", "sensitive", "filtered", "omitted", "removed", "censored", "obfuscated", "changeme", "replace_me",
		"string", "str", "text", "bytes", "byte", "object", "integer", "int", "array", "token", // types
		"optional", "required", "enabled", "disabled", "expired", "expiring", "invalid", "missing", "revoked", "unknown", "incorrect", // reports
		"wrong", "valid", "ok", "failed", "denied", "unauthorized", "forbidden", "rejected", "accepted", "rotated", "refreshed", "renewed",
		"created", "updated", "deleted", "changed", "unchanged", "generated", "validated", "verified", "present", "absent", "stale",
		"active", "inactive", "pending", "provided", "configured", "skipped", "mismatch",
		"not", "is", "was", "must", "cannot", "could", "should", "has", "for", "the", "a", "an", "and", "or", "to", "from", "with", // prose
		"in", "of", "at", "by", "authentication", "authorization", "access", "permission", "unexpected", "expected", "error", "failure",
		"timeout", "eof", "found", "unable", "too", "please", "check", "user", "flag", "option", "file", "path", "stdin", "prompt":
		return true
	}
	return false
}

// isPartOfSentence reports whether the value is part of a sentence about secrets, such as
// "unexpected token: identifier", "create secret: Post …" or "password:  16 bytes".
func isPartOfSentence(s string, a assignment) bool {
	value, rest := s[a.start:a.end], s[a.end:min(len(s), a.end+len(" bytes"))]
	before, lineStart := wordBeforeLabel(s, a.labelStart)
	if a.class == labelSecret && isParserWord(strings.ToLower(before)) {
		return true
	}
	if a.quoted || a.separator != ':' {
		return false
	}
	letters := ascii.PrefixLen(value, func(c byte) bool { return ascii.IsLower(c) || ascii.IsUpper(c) }) == len(value)
	if rest == "" || rest[0] != ' ' { // last word of the line: the name of an error, as in "create secret: Forbidden"
		return letters && a.class == labelSecret && before != "" && ascii.IsUpper(value[0])
	}
	if ascii.PrefixLen(value, ascii.IsDigit) == len(value) {
		return strings.HasPrefix(rest, " byte") || strings.HasPrefix(rest, " char")
	}
	goesOn := len(rest) > 1 && rest[1] != '\n'
	return letters && goesOn && (a.class == labelSecret || !lineStart && ascii.IsLower(rest[1]|0x20))
}

// isParserWord reports whether word precedes "token" in parsers' error messages.
func isParserWord(word string) bool {
	switch word {
	case "unexpected", "expected", "illegal", "unknown", "invalid", "bad", "missing", "next", "unrecognized":
		return true
	}
	return false
}

// isObjectName reports whether v is the name of an object in a place where a secret could be: a
// Kubernetes Secret after secret= or tlsSecret:, a key after signing-key:, or a single lower-case
// word after a colon.
func isObjectName(a assignment, v string) bool {
	name := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsLower(c) || ascii.IsDigit(c) || strings.IndexByte("-_./", c) >= 0 }) == len(v)
	if !name {
		return false
	}
	const longestWord = 10
	if a.separator == ':' && len(v) <= longestWord && ascii.PrefixLen(v, ascii.IsLower) == len(v) {
		return true
	}
	return labelsObjectName(a.label) && strings.ContainsAny(v, "-/._") && isDictionaryName(v)
}

// labelsObjectName reports whether the label's value is usually the name of an object rather than a
// secret.
func labelsObjectName(label string) bool {
	letters := lettersAndDigits(label)
	if hasAnySuffix(letters, "clientsecret", "appsecret", "webhooksecret", "sharedsecret", "consumersecret", "jwtsecret", "sessionsecret",
		"cookiesecret", "signingsecret", "apikey", "appkey", "accesskey", "secretkey") {
		return false
	}
	return hasAnySuffix(letters, "secret", "key")
}

// isDictionaryName reports whether each part of a name is a word (lower-case letters, then at most
// four digits) or a random Kubernetes suffix, and more than half are words.
func isDictionaryName(v string) bool {
	parts, words := 0, 0
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune("-/._", r) }) {
		parts++
		letters := len(strings.TrimRight(part, "0123456789"))
		switch {
		case ascii.PrefixLen(part, ascii.IsLower) == letters && len(part)-letters <= 4:
			words++
		case !ascii.IsPodHash(part, 4, 10):
			return false
		}
	}
	return 2*words > parts
}

// isSmallNumber reports whether v is a short number: "tokens: 512" is a count.
func isSmallNumber(v string) bool {
	const longestCount = 5
	return len(v) <= longestCount && ascii.PrefixLen(v, ascii.IsDigit) == len(v)
}
