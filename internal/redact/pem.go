package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// findPrivateKeys finds the bodies of private keys in PEM (RFC 7468), PGP and SSH2 armour, even if
// truncated. Line breaks may be written as the two characters \n.
func findPrivateKeys(s string, pairs *bytePairs, found []span) []span {
	for i := range occurrencesOf(s, pairs, "-BEGIN ") {
		armour := s[i:min(len(s), i+maxLabel)]
		title := strings.Index(armour, "-----")
		if title < 0 || !isPrivateKeyTitle(armour[:title]) {
			continue
		}
		start := i + title + len("-----")
		end := start + privateKeyLength(s[start:])
		if strings.TrimSpace(removeEscapedBreaks(s[start:end])) != redacted {
			found = appendSecret(found, s, start, end, ActionPrivateKey)
		}
	}
	return findOrphanedKeys(s, pairs, found)
}

// findOrphanedKeys finds the bodies of private keys whose first line is missing: the lines of base64
// before an END line.
func findOrphanedKeys(s string, pairs *bytePairs, found []span) []span {
	for i := range occurrencesOf(s, pairs, "-END ") {
		armour := s[i:min(len(s), i+maxLabel)]
		title := strings.Index(armour, "-----")
		end := i - len("-----END ")
		if title < 0 || end < 0 || !isPrivateKeyTitle(armour[:title]) {
			continue
		}
		start := end
		for start > 0 && (isBase64Byte(s[start-1]) && s[start-1] != '-' || ascii.IsSpace(s[start-1])) {
			start--
		}
		body := strings.TrimSpace(s[start:end])
		if len(body) > maxLabel && start < end && (start == 0 || s[start-1] != '-') {
			from := start + strings.Index(s[start:end], body)
			found = appendSecret(found, s, from, from+len(body), ActionPrivateKey)
		}
	}
	return found
}

func isPrivateKeyTitle(title string) bool {
	return strings.Contains(title, "PRIVATE KEY") || strings.Contains(title, "Static key")
}

func removeEscapedBreaks(s string) string {
	return strings.NewReplacer(`\r`, "", `\n`, "").Replace(s)
}

// privateKeyLength returns the length of the key's body at the start of s, the text after the BEGIN
// line.
func privateKeyLength(s string) int {
	next := strings.Index(s, "-----")
	if next >= 0 && strings.HasPrefix(s[next:], "-----END ") {
		return next
	}
	if next < 0 {
		next = len(s)
	}
	return truncatedKeyLength(s[:next])
}

// truncatedKeyLength returns the length of a key's body whose end is missing: headers, lines of
// base64, and one shorter line after them.
func truncatedKeyLength(s string) int {
	const short = 24 // shorter runs may be words
	end, longBefore := 0, false
	for i := 0; i < len(s); {
		line, width := firstKeyLine(s[i:])
		start := i + ascii.PrefixLen(line, func(c byte) bool { return ascii.IsBlank(c) || strings.IndexByte("\"'+,|>", c) >= 0 })
		line = line[start-i:]
		i += width
		body := ascii.PrefixLen(line, isBase64Byte)
		switch {
		case line == "", isKeyHeader(line):
			continue
		case body < short && !longBefore:
			return end
		}
		end = start + body
		if longBefore = body >= short; !longBefore || body < len(line) {
			return end
		}
	}
	return end
}

// isKeyHeader reports whether line is a header of an encrypted key (RFC 1421).
func isKeyHeader(line string) bool {
	return strings.HasPrefix(line, "Proc-Type:") || strings.HasPrefix(line, "DEK-Info:")
}

// firstKeyLine returns the first line of s, which ends at a line break or at the characters \n, and
// the index of the next line.
func firstKeyLine(s string) (line string, width int) {
	for i := range len(s) {
		switch {
		case s[i] == '\n':
			return strings.TrimSuffix(s[:i], "\r"), i + 1
		case s[i] == '\\' && strings.HasPrefix(s[i:], `\n`):
			return strings.TrimSuffix(s[:i], `\r`), i + len(`\n`)
		}
	}
	return s, len(s)
}
