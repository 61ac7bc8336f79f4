package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// isReference reports whether all of v refers to a secret or stands for it: a variable, a template,
// an address in a secret store, a file, an expression of a program, a mask or a placeholder.
func isReference(v string) bool {
	const longest = 512
	if v == "" || v == "~" || hasAnyPrefix(v, redacted, "-----BEGIN") {
		return true
	}
	if len(v) > longest {
		return false
	}
	if isMask(v) {
		return true
	}
	if n := referenceLength(v); n > 0 {
		return n == len(v) && !containsLiteral(v)
	}
	switch v[0] {
	case '$':
		return isVariable(v[1:])
	case '%':
		return len(v) <= 6 && ascii.PrefixLen(v[1:], isFormatVerbByte) == len(v)-1 || len(v) > 2 && v[len(v)-1] == '%' && isVariable(v[1:len(v)-1]) ||
			strings.HasPrefix(v, "%(") && strings.HasSuffix(v, ")s")
	case '(': // "(sensitive value)", "(known after apply)"
		return ascii.PrefixLen(strings.TrimRight(v[1:], ")"), func(c byte) bool { return ascii.IsLower(c) || c == ' ' }) >= len(v)-2
	case '{': // a field of a format string
		return len(v) > 2 && v[len(v)-1] == '}' && isVariable(v[1:len(v)-1])
	case '*', '&', ':':
		return isWordlike(v[1:])
	case '!': // a YAML tag
		return ascii.PrefixLen(v[1:], ascii.IsDottedWord) == len(v)-1 && isWordlike(v[1:]) || strings.HasPrefix(v, "!vault") || strings.Contains(v, " ") && ascii.IsUpper(v[1])
	case '/', '.', '~':
		if isFilePath(v) {
			return true
		}
	}
	return isAddress(v) || isExpression(v) || isPlaceholder(v)
}

// isTemplate reports whether a program or a person replaces all of v: a variable, a template, a mask
// or a placeholder in brackets.
func isTemplate(v string) bool {
	if v == "" || strings.HasPrefix(v, redacted) || len(v) < reach && isMask(v) {
		return true
	}
	if n := referenceLength(v); n > 0 {
		return n == len(v) && !containsLiteral(v)
	}
	return v[0] == '$' && isVariable(v[1:]) || v[0] == '%' && len(v) <= 3 && ascii.IsAlnum(v[len(v)-1]) || v[0] == '{' && isReference(v)
}

// isMask reports whether v hides a secret or marks its place: ***, xxxx, ….
func isMask(v string) bool {
	const shortest = 3
	return strings.Trim(v, "*•.…") == "" || len(v) >= shortest && strings.Trim(v, "xX_#-*") == ""
}

// isVariable reports whether name is a name of a variable rather than a password after a dollar
// sign: it does not mix digits with letters of both cases.
func isVariable(name string) bool {
	if ascii.PrefixLen(name, func(c byte) bool { return ascii.IsDottedWord(c) || c == ':' }) != len(name) {
		return false
	}
	classes := countClasses(name)
	return classes.upper == 0 || classes.lower == 0 || classes.digit == 0 || classifyLabel(name) != labelNone
}

func isFormatVerbByte(c byte) bool {
	return ascii.IsAlnum(c) || c == '[' || c == ']' || c == '+' || c == '#'
}

// containsLiteral reports whether a template has a value of its own: {{ x | default "…" }}, ${X:-…}.
func containsLiteral(v string) bool {
	if _, fallback, found := strings.Cut(v, ":-"); found && strings.HasPrefix(v, "${") {
		return !isReference(strings.TrimSuffix(fallback, "}"))
	}
	for rest := v; ; {
		i := strings.IndexAny(rest, "\"'`")
		if i < 0 {
			return false
		}
		end := strings.IndexByte(rest[i+1:], rest[i])
		if end < 0 {
			return false
		}
		if looksLikePassword(rest[i+1 : i+1+end]) {
			return true
		}
		rest = rest[i+end+2:]
	}
}

// isFilePath reports whether v is a file name. Base64 that starts with a slash is not, because of its
// upper-case letters.
func isFilePath(v string) bool {
	n := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsLower(c) || ascii.IsDigit(c) || strings.IndexByte("/._-~", c) >= 0 })
	return n == len(v) && strings.Contains(v, "/") && isWordlike(strings.Trim(v, "/.~")) || hasAnyPrefix(v, "/run/", "/var/", "/etc/", "/opt/", "/usr/", "/home/", "/tmp/", "/mnt/", "/secrets/", "./", "~/", "../")
}

// addressPrefixes begin an address in a secret store or another place that has the value.
var addressPrefixes = []string{
	"arn:", "vault:", "ref+", "op://", "file:", "env:", "ssm:", "secretsmanager:", "projects/", "alias/", "ENC[", "sops:", "gcp:", "azurekeyvault:",
	"secretRef", "valueFrom", "secretKeyRef", "!Ref", "!Sub", "!GetAtt", "!vault", "-----BEGIN", "resolve:", "akv://", "awsssm:", "awssm:", "bws:", "keyring:", "pass:", "doppler:",
}

// isAddress reports whether v is an address: one of addressPrefixes, or a URL without user
// information.
func isAddress(v string) bool {
	if hasAnyPrefix(v, addressPrefixes...) {
		return true
	}
	scheme := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsLower(c) || ascii.IsDigit(c) || c == '+' || c == '-' })
	return scheme > 1 && strings.HasPrefix(v[scheme:], "://") && !strings.Contains(v, "@")
}

// expressionRoots begin dotted expressions of programs and templates.
var expressionRoots = wordsOf(`self this process var local locals module data each env config settings os ctx context req request spec values secrets params input inputs
	args opts options credentials cfg conf props state c s r app viper github vars each steps needs item form user body event model flask django window document`)

// isExpression reports whether v is an expression whose result is not in the text: os.Getenv("X"),
// self.password, settings["x"], &Token{.
func isExpression(v string) bool {
	v = strings.TrimLeft(v, "&*!")
	n := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsAlnum(c) || c == '_' || c == '.' || c == ':' })
	if n == 0 || ascii.IsDigit(v[0]) {
		return false
	}
	name := v[:n]
	if n < len(v) {
		switch {
		case v[n] == '(':
			return v[len(v)-1] == ')' && (!containsLiteral(v[n:]) || isReader(name))
		case strings.HasPrefix(v[n:], `["`), strings.HasPrefix(v[n:], `['`):
			return true
		case v[n] == '{':
			return n+1 == len(v) && isWordlike(name)
		case v[n] == '[':
			return strings.HasSuffix(v, "]") && isWordlike(name)
		}
		return false
	}
	root, rest, dotted := strings.Cut(name, ".")
	return dotted && rest != "" && isWordlike(rest) && (expressionRoots[strings.ToLower(root)] || classifyLabel(rest) > labelRandom || classifyLabel(root) > labelRandom)
}

// isReader reports whether a function reads the secret from elsewhere, so its arguments are names.
func isReader(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"env", "get", "read", "lookup", "load", "fetch", "find", "vault", "secret", "decrypt", "field", "prompt", "param", "config", "ssm"} {
		if strings.Contains(name, part) {
			return name != "secret" && name != "secretstr"
		}
	}
	return false
}

var placeholderWords = wordsOf(`null nil none undefined unset set empty true false yes no on off n/a default
	redacted masked hidden sensitive filtered omitted removed censored obfuscated encrypted scrubbed protected
	changeme change_me change-me replace_me replaceme todo tbd fixme placeholder
	string str text bytes byte object integer int array number boolean bool varchar char
	optional required enabled disabled expired expiring invalid missing revoked unknown incorrect
	wrong valid ok okay failed denied unauthorized forbidden rejected accepted rotated refreshed renewed expires renewing
	created updated deleted changed unchanged generated validated verified present absent stale mismatched
	active inactive pending provided configured skipped mismatch matched loaded found completed complete failing
	authentication authorization access permission unexpected expected error failure
	timeout eof unable stdin prompt strict passwordless
	malformed exhausted exceeded unavailable unsupported unreadable unparseable undecodable locked unlocked blocked refused closed
	retrying retry ignored ignoring using used unused reused waiting wait done started starting stopped reading writing
	forgot forgotten reset resetting length short long weak strong small large old new`)

// proseWords follow a label in a sentence and end it as a label.
var proseWords = wordsOf(`not is was must cannot could should has have for the a an and or to from with will would may can are were been in of at by as if on
	too please check user flag option file path are does did this that it no none`)

// isPlaceholder reports whether programs and people write v after a label instead of a secret.
func isPlaceholder(v string) bool {
	const longest = 16
	if ascii.HasPrefixFold(v, "your_") || ascii.HasPrefixFold(v, "your-") || ascii.HasPrefixFold(v, "my-secret-") && isWordlike(v) {
		return true
	}
	if strings.HasPrefix(v, "0x") && isHexWord(v[2:]) && len(v) <= longest {
		return true // an address or a code
	}
	return len(v) <= longest && placeholderWords[strings.ToLower(strings.Trim(v, "!?()[]<>,.;:"))]
}

func wordsOf(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// classCount is the number of characters of each class.
type classCount struct{ upper, lower, digit, other int }

func countClasses(s string) (n classCount) {
	for i := range len(s) {
		switch c := s[i]; {
		case ascii.IsUpper(c):
			n.upper++
		case ascii.IsLower(c):
			n.lower++
		case ascii.IsDigit(c):
			n.digit++
		default:
			n.other++
		}
	}
	return n
}

// looksLikePassword reports whether a single word is unlikely to be a word of a text: it has digits
// among letters, or punctuation inside, and is not the name of an error, a version or a unit.
func looksLikePassword(v string) bool {
	const shortest = 6
	if len(v) < shortest || strings.ContainsAny(v, " \t") || isReference(v) || isTechnicalWord(v) {
		return false
	}
	n := countClasses(v)
	classes := min(n.upper, 1) + min(n.lower, 1) + min(n.digit, 1)
	switch {
	case n.other == 0:
		return n.digit > 0 && (classes == 3 || classes == 2 && len(v) >= 8)
	case strings.ContainsAny(v, "!@#$%^&*+=?~|\\<>{}[]`"):
		return classes > 1 || len(v) > 12 && n.other > 4
	}
	return classes == 3 && looksRandom(v)
}

// isTechnicalWord reports whether v is a name of errors, protocols, hosts or versions: ORA-28003,
// x509, 28P01, SHA256, node-3, v1.2.3, arn:….
func isTechnicalWord(v string) bool {
	v = strings.TrimRight(v, ":,.;)")
	if strings.HasPrefix(v, "0x") && isHexWord(v[2:]) {
		return true
	}
	n := countClasses(v)
	switch {
	case n.digit == 0:
		return false
	case n.lower == 0 && n.upper > 0: // AADSTS7000215, ORA-28003, SQLSTATE
		return ascii.PrefixLen(v, ascii.IsUpper) > 1 && ascii.PrefixLen(strings.TrimLeft(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), func(c byte) bool { return ascii.IsDigit(c) || c == '-' }) == len(v)-ascii.PrefixLen(v, ascii.IsUpper) || len(v) <= 5
	case n.upper == 0: // x509, node-3, sha256, v12, 5m3s, api-7d9f8b6c5d-x2k4j
		return len(v) <= 6 || strings.ContainsAny(v, "-._/") && isDictionaryName(v) || isDuration(v)
	}
	return hasAnySuffix(v, "Error", "Exception", "Failure", "Fault", "Timeout") || hasAnyPrefix(v, "HTTP", "TLSv", "SHA", "OAuth", "Http", "kms:", "urn:", "RFC")
}

func isDuration(v string) bool {
	return ascii.PrefixLen(v, func(c byte) bool { return ascii.IsDigit(c) || strings.IndexByte("hmsdnuµ.", c) >= 0 }) == len(v) && ascii.IsDigit(v[0]) && !ascii.IsDigit(v[len(v)-1])
}

// isWordlike reports whether v consists of words: letters of which no part is like random text, and
// few digits.
func isWordlike(v string) bool {
	if v == "" {
		return false
	}
	n := countClasses(v)
	if n.digit > 4 || n.digit > 0 && n.digit*3 > len(v) {
		return false
	}
	const shortestPart = 3 // of a name in camel case, on average
	run, longest, parts := 0, 0, 1
	for i := range len(v) {
		switch c := v[i] | 0x20; {
		case !ascii.IsLower(c), strings.IndexByte("aeiouy", c) >= 0:
			run = 0
		case i > 0 && ascii.IsUpper(v[i]) && ascii.IsLower(v[i-1]):
			run = 0
			parts++
		default:
			run++
		}
		longest = max(longest, run)
	}
	if longest > 4 || parts > 1 && parts*shortestPart > len(v) || ascii.PrefixLen(v, func(c byte) bool { return ascii.IsDottedWord(c) || c == '/' || c == ' ' }) != len(v) {
		return false
	}
	return n.digit == 0 || !interleaved(v)
}

// isLongUnlikeWord reports whether v is a single run of letters or digits longer than most words, or
// not wordlike.
func isLongUnlikeWord(v string) bool {
	const longestWord, shortest = 14, 8
	return len(v) >= shortest && ascii.PrefixLen(v, func(c byte) bool { return ascii.IsAlnum(c) || c == '+' || c == '/' }) == len(v) && (len(v) > longestWord || !isWordlike(v)) && !isTechnicalWord(v)
}

// interleaved reports whether digits stand between letters, as in random text.
func interleaved(v string) bool {
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune("-/._ ", r) }) {
		if letters := strings.Trim(part, "0123456789"); letters != "" && strings.ContainsAny(letters, "0123456789") {
			return true
		}
	}
	return false
}

// isObjectName reports whether v is the name of an object in a place where a secret could be: a
// Kubernetes Secret after secret= or tlsSecret:, a key after signing-key:, or a single lower-case
// word after a colon.
func isObjectName(a *assignment, v string) bool {
	name := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsLower(c) || ascii.IsDigit(c) || strings.IndexByte("-_./", c) >= 0 }) == len(v)
	if isPlural(a.label) && isWordlike(v) {
		return true
	}
	if a.label == "secretKey" && isWordlike(v) { // of an ExternalSecret
		return true
	}
	return name && labelsObjectName(a.label) && strings.ContainsAny(v, "-/._") && isDictionaryName(v)
}

// labelsObjectName reports whether the label's value is usually the name of an object rather than a
// secret.
func labelsObjectName(text string) bool {
	l := splitLabel(text)
	if l.count == 0 {
		return false
	}
	last, before := l.words[l.count-1].text, ""
	if l.count > 1 {
		before = l.words[l.count-2].text
	}
	switch last {
	case "secret", "secrets", "credential", "credentials":
		return !ownSecrets[before]
	case "key", "keys":
		return !ownKeys[before]
	}
	return hasAnySuffix(last, "secret")
}

// ownSecrets and ownKeys precede "secret" and "key" in labels whose value is the secret itself.
var (
	ownSecrets = wordsOf("client app webhook shared consumer jwt session cookie signing api totp")
	ownKeys    = wordsOf("api app access")
)

// isDictionaryName reports whether each part of a name is a word (lower-case letters, then at most
// four digits) or a random Kubernetes suffix, and more than half are words.
func isDictionaryName(v string) bool {
	parts, words := 0, 0
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune("-/._", r) }) {
		parts++
		letters := len(strings.TrimRight(part, "0123456789"))
		switch {
		case ascii.PrefixLen(part, ascii.IsLower) == letters && len(part)-letters <= 4 && isWordlike(part[:letters]):
			words++
		case ascii.PrefixLen(part, ascii.IsDigit) == len(part) && len(part) <= 4:
		case !ascii.IsPodHash(part, 4, 10):
			return false
		}
	}
	return 2*words > parts
}

// isCount reports whether v is a short number: "tokens: 512" is a count.
func isCount(a *assignment, v string) bool {
	const longestCount = 5
	digits := ascii.PrefixLen(v, func(c byte) bool { return ascii.IsDigit(c) || c == ',' || c == '.' || c == '_' }) == len(v)
	return digits && (len(v) <= longestCount || strings.HasSuffix(strings.ToLower(a.label), "tokens"))
}
