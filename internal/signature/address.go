package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// isAddress reports whether p is IPv4 or IPv6 with an optional port, prefix length or zone.
func isAddress(p string) bool {
	if len(p) < 3 || len(p) > 60 {
		return false
	}
	if addr, rest, ok := strings.Cut(p, ":"); isIPv4(addr) {
		return !ok || isDigits(rest)
	}
	if addr, bits, ok := strings.Cut(p, "/"); ok && isIPv4(addr) {
		return len(bits) <= 2 && isDigits(bits)
	}
	return isIPv6(p)
}

func isDigits(p string) bool { return p != "" && ascii.Digits.Only(p) }

func isIPv4(p string) bool {
	groups, width := 1, 0
	for i := range len(p) {
		switch c := p[i]; {
		case ascii.IsDigit(c) && width < 3:
			width++
		case c == '.' && width > 0:
			groups, width = groups+1, 0
		default:
			return false
		}
	}
	return groups == 4 && width > 0
}

func isIPv6(p string) bool {
	if strings.IndexByte(p, ':') < 0 {
		return false
	}
	p, _, _ = strings.Cut(p, "%")
	p, _, _ = strings.Cut(p, "/")
	if strings.HasPrefix(p, "::ffff:") && isIPv4(p[len("::ffff:"):]) {
		return true
	}
	if strings.Count(p, ":") != 7 && !strings.Contains(p, "::") || ascii.Digits.Index(p) < 0 {
		return false
	}
	for group := range strings.SplitSeq(p, ":") {
		if len(group) > 4 || ascii.PrefixLen(group, ascii.IsHex) != len(group) {
			return false
		}
	}
	return true
}

// isHexGroups reports whether p is groups of hexadecimal digits: a MAC address in any notation
// (aa:bb:cc:dd:ee:ff, aa-bb-cc-dd-ee-ff, aabb.ccdd.eeff), a fingerprint, or a PCI address
// (0000:00:1f.2).
func isHexGroups(p string) bool {
	groups, width, wide := 1, 0, true // wide: every group has the width of a MAC address's
	for i := range len(p) {
		switch c := p[i]; {
		case ascii.IsHex(c) && width < 4:
			width++
		case (c == ':' || c == '-' || c == '.') && width > 0:
			wide = wide && (width == 2 || width == 4 && c == '.')
			groups, width = groups+1, 0
		default:
			return false
		}
	}
	switch wide = wide && width > 1; {
	case width == 0:
		return false
	case wide:
		return groups >= 6 || groups == 3 && len(p) == len("aabb.ccdd.eeff")
	}
	return len(p) >= len("00:1f.2") && groups >= 3 && strings.IndexByte(p, ':') > 0 && ascii.Digits.Index(p) >= 0
}

// isLogPosition reports whether p is a position in PostgreSQL's write-ahead log, such as 0/16B3748.
func isLogPosition(p string) bool {
	file, offset, ok := strings.Cut(p, "/")
	return ok && file != "" && len(file) <= 8 && len(offset) >= 6 && len(offset) <= 8 && isUpperHex(file) && isUpperHex(offset) && !ascii.Digits.Only(offset)
}

func isUpperHex(p string) bool {
	return ascii.PrefixLen(p, func(c byte) bool { return ascii.IsDigit(c) || c >= 'A' && c <= 'F' }) == len(p)
}

// uuidLength is the length of the 8-4-4-4-12 form.
const uuidLength = 36

// isUUID reports whether p has the 8-4-4-4-12 form in upper or lower case, with hyphens or, as in
// the names of control groups, underscores.
func isUUID(p string) bool {
	if len(p) != uuidLength {
		return false
	}
	for i := range len(p) {
		if separator := i == 8 || i == 13 || i == 18 || i == 23; separator && p[i] != '-' && p[i] != '_' || !separator && !ascii.IsHex(p[i]) {
			return false
		}
	}
	return true
}

// isMailAddress reports whether p is an e-mail address, and not a unit of systemd such as
// getty@tty1.service or a package with its version.
func isMailAddress(p string) bool {
	local, domain, ok := strings.Cut(p, "@")
	dot := strings.LastIndexByte(domain, '.')
	if !ok || local == "" || dot <= 0 || ascii.PrefixLen(domain, ascii.IsDottedWord) != len(domain) {
		return false
	}
	top := domain[dot+1:]
	switch top {
	case "service", "socket", "timer", "target", "mount", "slice", "scope", "path":
		return false
	}
	return len(top) >= 2 && ascii.PrefixLen(top, isLetter) == len(top) && !strings.ContainsAny(local, "/:")
}
