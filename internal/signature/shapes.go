package signature

import (
	"strings"
	"unicode"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// The placeholders. Normalize leaves them unchanged.
const (
	phNumber   = "<n>"
	phDuration = "<duration>"
	phSize     = "<size>"
	phTime     = "<time>"
	phUUID     = "<uuid>"
	phHex      = "<hex>"
	phDigest   = "<digest>"
	phIP       = "<ip>"
	phHost     = "<host>"
	phUser     = "<user>"
	phPod      = "<pod>"
	phID       = "<id>"
)

// leadingPlaceholder returns the placeholder at the start of s, or "".
func leadingPlaceholder(s string) string {
	if s[0] != '<' {
		return ""
	}
	for _, ph := range [...]string{phNumber, phDuration, phSize, phTime, phUUID, phHex, phDigest, phIP, phHost, phUser, phPod, phID} {
		if strings.HasPrefix(s, ph) {
			return ph
		}
	}
	return ""
}

// uuidLength is the length of the 8-4-4-4-12 form.
const uuidLength = 36

// isUUID reports whether p has the 8-4-4-4-12 form in upper or lower case.
func isUUID(p string) bool {
	if len(p) != uuidLength {
		return false
	}
	for i := range len(p) {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen && p[i] != '-' || !hyphen && !ascii.IsHex(p[i]) {
			return false
		}
	}
	return true
}

// isNumber reports whether p is digits and dots, as in 12, 1.5 and 1.28.3, with an optional sign.
func isNumber(p string) bool {
	p = strings.TrimLeft(p, "+-")
	whole := ascii.PrefixLen(p, ascii.IsDigit)
	if whole == 0 {
		return false
	}
	rest := p[whole:]
	if rest == "" {
		return true
	}
	return rest[0] == '.' && len(rest) > 1 && strings.Trim(rest[1:], "0123456789.") == "" && !strings.Contains(rest, "..")
}

// isVersion reports whether p is a version such as v1.28.3.
func isVersion(p string) bool {
	return len(p) > 3 && len(p) < maxWhole && (p[0] == 'v' || p[0] == 'V') && isNumber(p[1:]) && strings.Contains(p, ".")
}

// isOrdinal reports whether p is an ordinal such as 1st, 2nd, 3rd or 99th.
func isOrdinal(p string) bool {
	digits := ascii.PrefixLen(p, ascii.IsDigit)
	switch strings.ToLower(p[digits:]) {
	case "st", "nd", "rd", "th":
		return digits > 0
	}
	return false
}

// isCamelCase reports whether p is a mixed-case word, usually the name of a class or an alert. Digits
// inside it are part of the name.
func isCamelCase(p string) bool {
	return strings.ContainsFunc(p, unicode.IsLower) && strings.ContainsFunc(p, unicode.IsUpper)
}

// isHexNumber reports whether p is 0x…, or a word of at least seven hexadecimal digits (the length of
// git's short hashes) with both letters and digits.
func isHexNumber(p string) bool {
	if ascii.HasPrefixFold(p, "0x") && len(p) > 2 {
		return ascii.PrefixLen(p[2:], ascii.IsHex) == len(p)-2
	}
	return len(p) >= 7 && ascii.PrefixLen(p, ascii.IsHex) == len(p) && !ascii.Digits.Only(p) && ascii.Digits.Index(p) >= 0
}

func isContentDigest(p string) bool {
	_, hex, ok := strings.Cut(p, ":")
	return ok && (ascii.HasPrefixFold(p, "sha256:") || ascii.HasPrefixFold(p, "sha512:") || ascii.HasPrefixFold(p, "sha1:") || ascii.HasPrefixFold(p, "md5:")) &&
		len(hex) >= 12 && ascii.PrefixLen(hex, ascii.IsHex) == len(hex)
}

// quantityPlaceholder returns the placeholder for a number with an attached unit, such as 15000ms,
// 1h2m3.5s or 17.7GB, or "".
func quantityPlaceholder(p string) string {
	p = strings.TrimLeft(p, "+-")
	found := ""
	for p != "" {
		digits := ascii.PrefixLen(p, ascii.IsDigit)
		if digits == 0 {
			return ""
		}
		p = p[digits:]
		if p != "" && p[0] == '.' {
			p = p[1+ascii.PrefixLen(p[1:], ascii.IsDigit):]
		}
		letters := ascii.PrefixLen(p, func(c byte) bool { return ascii.IsLower(c) || ascii.IsUpper(c) || c == '%' || c >= 0x80 })
		unit := unitPlaceholder(p[:letters])
		if unit == "" || found != "" && unit != found {
			return ""
		}
		found, p = unit, p[letters:]
	}
	return found
}

// unitPlaceholder returns the placeholder for a number of the given unit, or "".
func unitPlaceholder(unit string) string {
	switch strings.ToLower(unit) {
	case "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "second", "seconds", "second(s", "second(s)", "m", "min", "mins", "minute", "minutes",
		"h", "hr", "hrs", "hour", "hours", "d", "day", "days", "w", "week", "weeks", "msec", "msecs", "usec", "millis",
		"millisecond", "milliseconds", "microseconds", "nanoseconds":
		return phDuration
	case "b", "byte", "bytes", "k", "kb", "kib", "ki", "mb", "mib", "mi", "g", "gb", "gib", "gi", "t", "tb", "tib", "ti":
		return phSize
	}
	return ""
}

// isTimestamp reports whether p is a time in RFC 3339 or a similar form, a date, or a time of day.
func isTimestamp(p string) bool {
	if len(p) >= 10 && matchesPattern(p, "9999-99-99") || len(p) >= 10 && matchesPattern(p, "9999/99/99") {
		return len(p) == 10 || p[10] == 'T' || p[10] == 't' || p[10] == '_'
	}
	if len(p) >= 8 && matchesPattern(p, "99:99:99") {
		return strings.Trim(p[8:], "0123456789.,Z+-:") == ""
	}
	return (len(p) == 8 || len(p) == 7) && (matchesPattern(p, "99/99/99") || matchesPattern(p, "9/99/99"))
}

// matchesPattern reports whether p starts like the pattern, in which 9 matches any digit.
func matchesPattern(p, pattern string) bool {
	if len(p) < len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == '9' && !ascii.IsDigit(p[i]) || pattern[i] != '9' && p[i] != pattern[i] {
			return false
		}
	}
	return true
}

// countDateWords returns the number of leading words that form one date or time: "Jun 18 02:23:10
// 2005", "2026-01-01 12:00:00,123".
func countDateWords(words []string) int {
	i := 0
	if len(words) > 1 && isAbbreviation(words[0], "Mon Tue Wed Thu Fri Sat Sun") && isAbbreviation(words[1], monthNames) {
		i++
	}
	if isAbbreviation(words[i], monthNames) {
		if i++; i == len(words) || len(words[i]) > 2 || !isNumber(words[i]) {
			return 0
		}
		i++
	} else if !isTimestamp(words[0]) {
		return 0
	} else {
		i++
	}
	for i < len(words) && (isTimestamp(words[i]) || isYear(words[i])) {
		i++
	}
	return i
}

const monthNames = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"

func isAbbreviation(word, names string) bool {
	return len(word) == 3 && strings.Contains(names, word)
}

func isYear(word string) bool {
	return len(word) == 4 && (strings.HasPrefix(word, "19") || strings.HasPrefix(word, "20")) && isNumber(word)
}

// isIPAddress reports whether p is IPv4 with an optional port or prefix length, or IPv6 with an
// optional zone or prefix length.
func isIPAddress(p string) bool {
	if addr, rest, ok := strings.Cut(p, ":"); isIPv4Address(addr) {
		return !ok || ascii.PrefixLen(rest, ascii.IsDigit) == len(rest)
	}
	if addr, bits, ok := strings.Cut(p, "/"); ok && isIPv4Address(addr) {
		return bits != "" && len(bits) <= 2 && ascii.PrefixLen(bits, ascii.IsDigit) == len(bits)
	}
	return isIPv6Address(p)
}

func isIPv4Address(p string) bool {
	groups := 0
	for group := range strings.SplitSeq(p, ".") {
		groups++
		if len(group) == 0 || len(group) > 3 || ascii.PrefixLen(group, ascii.IsDigit) != len(group) || groups > 4 {
			return false
		}
	}
	return groups == 4
}

func isIPv6Address(p string) bool {
	p, _, _ = strings.Cut(p, "%")
	p, _, _ = strings.Cut(p, "/")
	if strings.Count(p, ":") < 4 && !strings.Contains(p, "::") || len(p) > 50 || ascii.Digits.Index(p) < 0 {
		return false
	}
	for group := range strings.SplitSeq(p, ":") {
		if len(group) > 5 || ascii.PrefixLen(group, ascii.IsHex) != len(group) {
			return false
		}
	}
	return true
}

// isHostName reports whether p is a dotted host name that contains a digit and ends in letters, rather
// than a file, class or module.
func isHostName(p string) bool {
	name, port, _ := strings.Cut(p, ":")
	if ascii.PrefixLen(port, ascii.IsDigit) != len(port) || ascii.PrefixLen(name, ascii.IsDottedWord) != len(name) {
		return false
	}
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || len(last) < 2 || ascii.PrefixLen(last, ascii.IsLower) != len(last) || isFileExtension(last) {
		return false
	}
	switch labels[0] {
	case "org", "com", "net", "io", "java", "javax", "sun", "k8s", "github", "go":
		return false
	}
	return ascii.Digits.Index(name) >= 0 && !isTechnicalWord(labels[0]) && (len(labels) > 2 || !isNumber(labels[0]))
}

func isFileExtension(s string) bool {
	switch s {
	case "jar", "log", "yaml", "yml", "json", "so", "gz", "tar", "tgz", "zip", "py", "go", "java", "js", "ts", "sh", "conf", "cfg", "txt",
		"xml", "html", "sock", "pid", "service", "socket", "mount", "db", "dat", "data", "tmp", "lock", "sql", "crt", "pem", "key", "img",
		"splitmetainfo", "xml_tmp", "out", "err", "bin", "rpm", "deb", "class", "md", "csv", "properties", "dll", "exe":
		return true
	}
	return false
}

// isTechnicalWord reports whether the digits of the word p are part of its name.
func isTechnicalWord(p string) bool {
	const longest = 8
	if len(p) > longest {
		return false
	}
	switch strings.ToLower(p) {
	case "ipv4", "ipv6", "sha1", "sha256", "sha512", "md5", "utf8", "utf16", "base64", "crc32", "x86", "x86_64", "x64", "i386", "i586", "i686",
		"amd64", "arm64", "aarch64", "armv7", "s390x", "ppc64le", "h2", "h2c", "http2", "http3", "k8s", "k3s", "s3", "ec2", "ext2", "ext3",
		"ext4", "oauth2", "log4j", "slf4j", "tls1", "ssl3", "ssh2", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
		"uint64", "float32", "float64", "win32", "l4", "l7", "v1", "v2", "v3", "v1alpha1", "v1beta1", "v1beta2", "v2beta1", "v2beta2",
		"e2e", "p99", "p95", "p50", "neo4j", "b64", "x509", "rfc3339", "2xx", "3xx", "4xx", "5xx", "route53", "db2",
		"etcd3", "python3", "nfs4", "nfsv4", "smb3", "cgroup2", "cgroupv2", "http1", "layer4", "layer7", "i2c":
		return true
	}
	return false
}

// isErrorCode reports whether p is an error code of a product, such as ORA-00942 or TNS-12541.
func isErrorCode(p string) bool {
	letters := ascii.PrefixLen(p, ascii.IsUpper)
	rest := p[letters:]
	return letters >= 2 && letters <= 4 && len(rest) >= 5 && len(rest) <= 6 && rest[0] == '-' && ascii.PrefixLen(rest[1:], ascii.IsDigit) == len(rest)-1
}

// podDigits are the digits of ascii.PodAlphabet.
var podDigits = ascii.SetOf("2456789")

// splitPodName returns the part of a pod's or replica set's name that precedes the suffix appended
// by Kubernetes.
func splitPodName(p string) (stem string, ok bool) {
	i := strings.LastIndexByte(p, '-')
	if i <= 0 {
		return "", false
	}
	suffix := p[i+1:]
	if !ascii.IsPodHash(suffix, 5, 5) {
		return p[:i+1], isTemplateHash(suffix)
	}
	if j := strings.LastIndexByte(p[:i], '-'); j > 0 && isTemplateHash(p[j+1:i]) {
		return p[:j+1], true
	}
	return p[:i+1], suffix != "https" && suffix != "xhtml" && suffix != "html5" && !podDigits.Only(suffix)
}

// isTemplateHash reports whether p is the hash of a replica set: 6 to 10 characters of the pod
// alphabet, including a digit and a letter.
func isTemplateHash(p string) bool {
	return ascii.IsPodHash(p, 6, 10) && podDigits.Index(p) >= 0 && !podDigits.Only(p)
}

// notInPodNames has characters that cannot be in the name of a Kubernetes object.
var notInPodNames = ascii.SetOf("/:. ")

// isPodName reports whether p is the name of a pod, even if its random part has no digit.
func isPodName(p string) bool {
	if strings.IndexByte(p, '-') < 0 || notInPodNames.Index(p) >= 0 {
		return false
	}
	_, ok := splitPodName(p)
	return ok
}

// indexInstanceNumber returns the index of the number in a name such as
// attempt_1445144423722_0020_m_000008_0 or rdd_42_3: the first part between underscores that is all
// digits, if only digits and single letters follow. It returns -1 for other names.
func indexInstanceNumber(p string) int {
	from, at := -1, 0
	for part := range strings.SplitSeq(p, "_") {
		digits := ascii.PrefixLen(strings.TrimPrefix(part, "-"), ascii.IsDigit) == len(strings.TrimPrefix(part, "-")) && part != ""
		switch {
		case digits && from < 0 && at > 0:
			from = at
		case !digits && from >= 0 && len(part) > 1:
			return -1
		}
		at += len(part) + 1
	}
	return from
}

// isUserName reports whether the words around word i show that it is a user name: "invalid user bob
// from", "session opened for user bob by", "Failed password for bob from".
func isUserName(words []string, i int) bool {
	if i == 0 || !precedesUserName(words[:i]) || i+1 < len(words) && !followsUserName(words[i+1]) {
		return false
	}
	name := userNameQuotes.Trim(words[i])
	return name != "" && !strings.ContainsAny(words[i], "=/<") && !isUserProse(strings.ToLower(name))
}

// userNameQuotes has the characters that may surround a user name.
var userNameQuotes = ascii.SetOf("'\"[](),.;:")

// precedesUserName reports whether a user name follows the words.
func precedesUserName(words []string) bool {
	last := len(words) - 1
	switch strings.ToLower(words[last]) {
	case "user", "username":
		return true
	case "for":
		return last > 0 && isCredentialWord(strings.ToLower(words[last-1]))
	}
	return false
}

// isUserProse reports whether word follows "user" without being a user name.
func isUserProse(word string) bool {
	switch word {
	case "request", "unknown", "is", "was", "not", "has", "name", "id", "account", "agent", "session", "error", "invalid", "illegal":
		return true
	}
	return false
}

// isCredentialWord reports whether word is an authentication method in sshd's messages.
func isCredentialWord(word string) bool {
	switch word {
	case "password", "publickey", "none", "keyboard-interactive/pam", "hostbased", "failures":
		return true
	}
	return false
}

// followsUserName reports whether next is a word after a user name.
func followsUserName(next string) bool {
	switch userNameQuotes.Trim(next) {
	case "from", "by", "preauth", "at", "on", "port", "via":
		return true
	}
	return false
}

func (n *normalizer) writeUserName(word string) {
	name := userNameQuotes.Trim(word)
	before, after, _ := strings.Cut(word, name)
	n.out = append(n.out, before...)
	n.writePlaceholder(phUser)
	n.out = append(n.out, after...)
}
