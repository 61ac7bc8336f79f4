package signature

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// maxCodeDigits is the number of digits of the longest error codes that may be mistaken for a count:
// 5 of SQLSTATE, Winsock and JSON-RPC. Longer numbers are counts, times or identifiers, unless the
// label says code: then a code has up to the 10 digits of 32 bits.
const (
	maxCodeDigits        = 5
	maxLabeledCodeDigits = 10
)

// isCode reports whether the number p identifies an error, as in exit code 137, HTTP 503 or
// errno=28, and is not a count, as in "error: 5 of 30 checks failed". The label, the number's form
// and the text behind it decide.
func isCode(p string, l label, rest string) bool {
	if isHexStatus(p) {
		return true
	}
	digits := strings.TrimPrefix(p, "-")
	kind := codeKindOf(l)
	switch {
	case kind == noCode:
		return isReply(p, l, rest)
	case kind == sqlState:
		return len(p) <= maxCodeDigits && ascii.PrefixLen(p, ascii.IsAlnum) == len(p)
	case kind == protocolVersion:
		return len(p) <= len("1.3") && strings.IndexByte(p, '.') > 0
	case isHexCode(p):
		return kind == codeNumber
	case !isDigits(digits):
		return false
	case kind == codeNumber:
		return len(digits) <= maxLabeledCodeDigits
	case kind == httpStatus:
		return isStatusForm(p) && !startsCount(rest, p)
	case len(digits) > maxCodeDigits && !isDecimalStatus(p):
		return false
	}
	return !startsCount(rest, p) && !isProcessID(l, rest)
}

type codeKind int

const (
	noCode          codeKind = iota
	codeNumber               // exit code 137: always a code
	likelyCode               // error 5: a code unless it counts what follows
	httpStatus               // returned 503: a code if it has the form of a status
	sqlState                 // SQLSTATE 42P01
	protocolVersion          // TLS 1.2
)

// codeKindOf returns what kind of number the label announces.
func codeKindOf(l label) codeKind {
	if l.word == "" || !isCodeGap(l.gap) {
		return noCode
	}
	if isMethod(l.before) {
		return httpStatus // GET /orders 503
	}
	switch l.name() {
	case "code", "errno", "sqlcode", "statuscode", "exitcode", "errorcode", "rcode", "retcode", "hresult", "eventid", "bugcheck", "returncode", "resultcode", "responsecode", "exitstatus", "abend":
		return codeNumber
	case "exit", "signal", "rc", "ret", "retval", "error", "err", "status", "alert", "curl", "wsaerror", "exception", "fault", "msg", "close", "closed", "exited", "sig",
		"abnormally", "failure":
		return likelyCode
	case "id":
		if l.isEventID() {
			return codeNumber
		}
	case "number", "num":
		return kindAfterNoun(l.before, codeNumber)
	case "state":
		return kindAfterNoun(l.before, sqlState)
	case "sqlstate":
		return sqlState
	case "tls", "ssl", "dtls", "tlsv", "sslv":
		return protocolVersion
	case "http", "https", "ftp", "amqp", "smtp", "sip", "rtsp", "ldap", "imap", "grpc", "returned", "returns", "got", "received", "response", "responded",
		"answered", "replied", "reply", "unexpected":
		return httpStatus
	case "a", "an":
		return kindAfterVerb(l.before, httpStatus)
	case "with":
		return kindAfterVerb(l.before, likelyCode)
	}
	return kindOfForm(l)
}

// kindAfterVerb returns kind if the verb says how something ended.
func kindAfterVerb(verb string, kind codeKind) codeKind {
	switch stem := strings.ToLower(verb); {
	case strings.HasPrefix(stem, "exit"), strings.HasPrefix(stem, "fail"), strings.HasPrefix(stem, "terminat"), strings.HasPrefix(stem, "return"),
		strings.HasPrefix(stem, "respon"), strings.HasPrefix(stem, "answer"), strings.HasPrefix(stem, "abort"), strings.HasPrefix(stem, "die"),
		strings.HasPrefix(stem, "crash"), strings.HasPrefix(stem, "close"), strings.HasPrefix(stem, "repl"), strings.HasPrefix(stem, "reject"),
		stem == "abnormally", stem == "got", stem == "quit", stem == "ended", stem == "killed", stem == "finished", stem == "stopped":
		return kind
	}
	return noCode
}

// kindAfterNoun returns kind if the noun before number or state names an error.
func kindAfterNoun(noun string, kind codeKind) codeKind {
	switch strings.ToLower(noun) {
	case "error", "alert", "exit", "event", "sql":
		return kind
	}
	return noCode
}

// kindOfForm classifies labels that are no words: HTTP/1.1, the path of a request, HTTPError.
func kindOfForm(l label) codeKind {
	switch {
	case ascii.HasPrefixFold(l.word, versionedLabel):
		return httpStatus
	case strings.HasSuffix(strings.ToLower(l.word), "error"), strings.HasSuffix(strings.ToLower(l.word), "exitcode"):
		return likelyCode
	}
	return noCode
}

func isMethod(word string) bool {
	switch word {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS":
		return true
	}
	return false
}

// isCodeGap reports whether only punctuation that may precede a code stands between label and number.
func isCodeGap(gap string) bool {
	for i := range len(gap) {
		if strings.IndexByte(` :="'([#`, gap[i]) < 0 {
			return false
		}
	}
	return gap != ""
}

// isStatusForm reports whether p has the form of an HTTP status or of another protocol's reply code:
// three digits from 100 to 599.
func isStatusForm(p string) bool {
	return len(p) == 3 && p[0] >= '1' && p[0] <= '5' && ascii.IsDigit(p[1]) && ascii.IsDigit(p[2])
}

// isReply reports whether a number without a label is the reply of a server or of the operating
// system: 550 5.1.1 (RFC 3463), 503 Service Unavailable, 404 errors, (111: Connection refused).
func isReply(p string, l label, rest string) bool {
	switch {
	case len(p) == len("5.1.1") && matchesPattern(p, "9.9.9"):
		return isStatusForm(l.word) && l.word[0] == p[0]
	case !isDigits(p) || len(p) > 3:
		return false
	case strings.HasSuffix(l.gap, "(") && strings.HasPrefix(rest, ": "):
		return true
	case !isStatusForm(p):
		return false
	case len(rest) > 5 && matchesPattern(rest[1:], "9.9.9"):
		return rest[1] == p[0]
	}
	word := leadingLetters(strings.TrimLeft(rest, " ("))
	return word != "" && (ascii.IsUpper(word[0]) && isReasonWord(strings.ToLower(word)) || p[0] >= '4' && p[1] <= '2' && isResponseNoun(word) && !announcesCount(l.word))
}

// announcesCount reports whether a number behind the word counts something: has 404 errors.
func announcesCount(word string) bool {
	switch word {
	case "has", "have", "had", "with", "encountered", "got":
		return true
	}
	return false
}

// isResponseNoun reports whether word, behind the status of an HTTP error, is what has the status.
func isResponseNoun(word string) bool {
	switch word {
	case "error", "errors", "response", "responses", "status":
		return true
	}
	return false
}

// isHexCode reports whether p is a short hexadecimal number.
func isHexCode(p string) bool {
	return ascii.HasPrefixFold(p, "0x") && len(p) > 2 && len(p) <= 10 && ascii.PrefixLen(p[2:], ascii.IsHex) == len(p)-2
}

// isHexStatus reports whether p is an HRESULT or NTSTATUS of severity error: eight hexadecimal
// digits that start with 80 or C0.
func isHexStatus(p string) bool {
	return len(p) == len("0x80070005") && isHexCode(p) && (p[2] == '8' || p[2]|0x20 == 'c') && p[3] == '0'
}

// isDecimalStatus reports whether p is an HRESULT or NTSTATUS of severity error as a decimal number,
// signed or not: -1073741819 and 3221225477 are 0xC0000005.
func isDecimalStatus(p string) bool {
	number, err := strconv.ParseInt(p, 10, 64)
	return err == nil && number >= math.MinInt32 && number <= math.MaxUint32 && isHexStatus(fmt.Sprintf("0x%08X", uint32(number)))
}

// startsCount reports whether the number p counts what the text behind it names: 5 pods, 3 of 7,
// 120 rows. Prepositions, verbs and the reasons of HTTP do not name anything.
func startsCount(rest, p string) bool {
	if rest == "" || rest[0] != ' ' {
		return strings.HasPrefix(rest, "/") && len(rest) > 1 && ascii.IsDigit(rest[1])
	}
	rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(rest, "---") {
		return true
	}
	word := leadingLetters(rest)
	if word == "" || ascii.IsUpper(word[0]) {
		return false
	}
	return !isFunctionWord(word) && (!isStatusForm(p) || !isReasonWord(word))
}

// isProcessID reports whether a number behind a log level is the process: ERROR 4711 Logger.
func isProcessID(l label, rest string) bool {
	return l.word == "ERROR" && l.gap == " " && strings.HasPrefix(rest, " ") && leadingLetters(rest[1:]) != ""
}

// isFunctionWord reports whether word is a preposition, a conjunction or an auxiliary verb.
func isFunctionWord(word string) bool {
	switch word {
	case "from", "on", "for", "after", "in", "while", "at", "with", "to", "by", "is", "was", "has", "when", "during", "via", "but", "and", "or",
		"because", "as", "since", "until", "before", "due", "trying", "received", "returned", "raised", "occurred", "the", "reading",
		"writing", "calling", "connecting", "opening", "executing", "under", "against", "using":
		return true
	}
	return false
}

// isReasonWord reports whether word starts the reason phrase of an HTTP status.
func isReasonWord(word string) bool {
	switch word {
	case "bad", "unauthorized", "payment", "forbidden", "not", "page", "method", "request", "conflict", "gone", "too", "payload", "unsupported",
		"unprocessable", "locked", "internal", "server", "service", "gateway", "error", "response", "moved", "found", "temporary", "permanent",
		"client", "status":
		return true
	}
	return false
}

// isCodeWord reports whether a word of letters and digits is an error code of a product: capitals
// and three to six digits, possibly with one more letter, as in AADSTS50034, CS0103, E11000, IB3001E,
// or a system completion code such as S0C7.
func isCodeWord(p string) bool {
	letters := ascii.PrefixLen(p, ascii.IsUpper)
	digits := ascii.PrefixLen(p[letters:], ascii.IsDigit)
	rest := p[letters+digits:]
	if letters == 0 || letters > 6 || digits < 3 || digits > 6 {
		return false
	}
	return rest == "" || len(rest) == 1 && ascii.IsUpper(rest[0])
}

// productCodeLength returns the length of a product's error code at the start of s: ORA-00942,
// CVE-2021-44228. Keys of tickets, such as OPS-4985, are no error codes.
func productCodeLength(s string) int {
	letters := ascii.PrefixLen(s, ascii.IsUpper)
	if letters < 2 || letters > 5 || letters >= len(s) || s[letters] != '-' {
		return 0
	}
	n := letters + 1
	digits := ascii.PrefixLen(s[n:], ascii.IsDigit)
	if digits == 5 && endsWord(s[n+5:]) {
		return n + digits
	}
	if digits == 4 && isYearNumber(s[n:]) && len(s) > n+5 && (s[n+4] == '-' || s[n+4] == ':') {
		if serial := ascii.PrefixLen(s[n+5:], ascii.IsDigit); serial >= 4 {
			return n + 5 + serial
		}
	}
	return 0
}
