package audit

import "strings"

// findConnectionStrings finds passwords in URLs (RFC 3986 userinfo), in Go's MySQL form user:password@tcp(host), and in Oracle's
// thin form user/password@.
func findConnectionStrings(s string, found []span) []span {
	for i := 0; ; {
		n := strings.Index(s[i:], "://")
		if n < 0 {
			break
		}
		i += n + len("://")
		end := len(s)
		if next := strings.Index(s[i:], "://"); next >= 0 {
			end = i + next
		}
		found = addUserinfo(found, s, i, end)
	}
	for _, anchor := range []string{"@tcp(", "@unix("} {
		for i := 0; ; {
			n := strings.Index(s[i:], anchor)
			if n < 0 {
				break
			}
			found = addBeforeAt(found, s, i, i+n, ':')
			i += n + len(anchor)
		}
	}
	const thin = "oracle:thin:"
	for i := 0; ; {
		n := strings.Index(s[i:], thin)
		if n < 0 {
			break
		}
		i += n + len(thin)
		word := s[i:min(len(s), i+4*maxLabel)]
		if at := strings.IndexByte(word[:spanOf(word, isAuthority)], '@'); at > 0 {
			found = addBeforeAt(found, s, i, i+at, '/')
		}
	}
	return found
}

// isAuthority is what may stand in a URL before its end in running text.
func isAuthority(c byte) bool { return !isSpace(c) && strings.IndexByte("\"'`<>|", c) < 0 }

// addUserinfo redacts the password of the URL whose authority starts at i, reading no further than end. Passwords are often written with / ? # unescaped, so an
// authority whose port is not a number is read on to the next @.
func addUserinfo(found []span, s string, i, end int) []span {
	word := s[i : i+spanOf(s[i:end], isAuthority)]
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
	for start > from && isAuthority(s[start-1]) && at-start < 4*maxLabel {
		start--
	}
	colon := strings.IndexByte(s[start:at], separator)
	if colon < 0 || isReference(s[start+colon+1:at]) {
		return found
	}
	return add(found, s, start+colon+1, at, ActionConnectionString)
}
