package audit

import "strings"

// findPrivateKeys finds the bodies of PEM private keys (RFC 7468), of PGP and SSH2 ones, and of those cut off before their end.
// Line breaks may be written as the two characters \n.
func findPrivateKeys(s string, found []span) []span {
	const begin = "-BEGIN "
	for i := 0; ; {
		n := strings.Index(s[i:], begin)
		if n < 0 {
			return found
		}
		i += n + len(begin)
		armour := s[i:min(len(s), i+maxLabel)]
		title := strings.Index(armour, "-----")
		if title < 0 || !strings.Contains(armour[:title], "PRIVATE KEY") {
			continue
		}
		start := i + title + len("-----")
		end := start + privateKeyLength(s[start:])
		if strings.TrimSpace(unbreak(s[start:end])) != redacted {
			found = add(found, s, start, end, ActionPrivateKey)
		}
		i = start
	}
}

func unbreak(s string) string {
	return strings.NewReplacer(`\r`, "", `\n`, "").Replace(s)
}

// privateKeyLength is how much of s, which follows the first line of a private key, belongs to the key.
func privateKeyLength(s string) int {
	next := strings.Index(s, "-----")
	if next >= 0 && strings.HasPrefix(s[next:], "-----END ") {
		return next
	}
	if next < 0 {
		next = len(s)
	}
	// No end: take lines as long as they look like a key's body or its headers.
	n := 0
	for n < next {
		line, width := keyLine(s[n:next])
		if strings.Trim(line, " \t\"'+,|>") != "" && !isKeyLine(strings.Trim(line, " \t\"'+,|>")) {
			break
		}
		n += width
	}
	return n
}

// keyLine cuts the first line off s, at a line break or the characters \n, and says how far the next one is.
func keyLine(s string) (line string, width int) {
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

func isKeyLine(line string) bool {
	if strings.HasPrefix(line, "Proc-Type:") || strings.HasPrefix(line, "DEK-Info:") {
		return true
	}
	return spanOf(line, isBase64) >= min(len(line), 24)
}
