package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// scanner makes one pass over a text, word by word. At each word it tries, in this order: a
// credential of an issuer, a label with a value, a program with its flags, random text. A value that was
// found is not read again.
type scanner struct {
	text      string
	found     []span
	nest      nesting
	entry     entry
	group     group
	command   commandLine
	unread    assignment         // the last value that bareEnd read in part, up to its end
	cookies   int                // the end of the cookie header that was read last
	tableEnd  int                // of the table that was read last
	armourEnd int                // of the certificate or public key that is being read
	failed    map[*tokenForm]int // the end of each form's last rejected candidate
	inBase64  bool               // the text was decoded: random words in it are no secrets
	isJWK     int8               // whether the text has a JSON Web Key: 0 is not known yet, -1 no, 1 yes
}

// entry is the name of an entry whose value comes next, as in name: TOKEN, value: ….
type entry struct {
	class class
	label string
	end   int
}

// group is the range in which entries have values of a plural label, as below tokens:.
type group struct {
	class class
	end   int
}

func (sc *scanner) scanWords() {
	s := sc.text
	for i := 0; i < len(s); {
		if !labelBytes[s[i]] {
			i++
			continue
		}
		end, roles := vocabulary.readWord(s, i)
		i = max(end, sc.scanWord(i, end, roles))
	}
}

// scanWord reads the word between start and end, and returns the index at which to go on.
func (sc *scanner) scanWord(start, end int, roles wordRole) int {
	if next := sc.scanToken(start, end, roles); next > 0 {
		return next
	}
	if c := sc.text[start]; c == '-' || start > 0 && sc.text[start-1] == '/' {
		if next := sc.scanArgument(start, end); next > 0 {
			return next
		}
	}
	sc.skipArmour(start, end)
	if roles&roleLabel != 0 || start < sc.group.end {
		if next := sc.scanLabel(start, end); next > 0 {
			return next
		}
	}
	if roles&roleCommand != 0 {
		if next := sc.scanCommand(start, end); next > 0 {
			return next
		}
	}
	return sc.scanRandom(start, end)
}

// add adds text[start:end] to the secrets and returns the index after it.
func (sc *scanner) add(start, end int, action Action) int {
	if end == sc.unread.end && end > start {
		end = sc.endOfUnread(end)
	}
	sc.found = appendSecret(sc.found, sc.text, start, end, action)
	sc.nest.moveTo(start)
	sc.nest.skipTo(end)
	return end
}

// scanLabel reads the value of the label between start and end. It returns 0 if the word is no label
// of a secret or has no value.
func (sc *scanner) scanLabel(start, end int) int {
	a := assignment{labelStart: start, labelEnd: end}
	dashes := ascii.PrefixLen(sc.text[start:end], func(c byte) bool { return c == '-' })
	a.flag = dashes > 0 && dashes < 3
	a.labelStart += dashes
	if a.labelStart == end {
		return 0
	}
	a.label = strings.TrimRight(sc.text[a.labelStart:end], "-")
	if sc.isChecksum(&a) {
		return 0
	}
	if len(a.label) > maxLabel {
		return 0
	}
	l := splitLabel(a.label)
	a.class = l.classify()
	if a.class == labelPlausible && (a.flag || a.labelStart > 0 && strings.IndexByte("?&", sc.text[a.labelStart-1]) >= 0) {
		a.class = labelPassword
	}
	if a.class == labelNone {
		if a.class = sc.classifyInContext(&a, &l); a.class == labelNone {
			return 0
		}
	}
	sc.readLabelQuote(&a)
	if !sc.findPlace(&a) {
		return 0
	}
	if a.class == labelQuery && a.place != placeQuery {
		return 0
	}
	if a.class == labelName || a.class == labelRandom && strings.EqualFold(a.label, "key") {
		if next := sc.nameEntry(&a); next > 0 || a.class == labelName || sc.entry.class != labelNone {
			return next
		}
	}
	sc.nest.moveTo(a.labelEnd)
	if quote := a.labelQuote; quote != "" {
		sc.nest.moveTo(a.labelEnd + len(quote))
	}
	return sc.scanValues(&a)
}

// isChecksum reports whether the label is of a checksum, as in the annotation checksum/secret.
func (sc *scanner) isChecksum(a *assignment) bool {
	const prefix = "checksum/"
	return strings.HasSuffix(sc.text[max(0, a.labelStart-len(prefix)):a.labelStart], prefix)
}

// readLabelQuote sets the quotation mark around the label, with the backslashes before it.
func (sc *scanner) readLabelQuote(a *assignment) {
	quote := openingQuote(sc.text[a.labelEnd:])
	if start := a.labelStart - len(quote); quote != "" {
		if a.flag {
			for start > 0 && sc.text[start+len(quote)-1] == '-' {
				start--
			}
		}
		if start >= 0 && strings.HasPrefix(sc.text[start:], quote) || a.labelStart > 0 && strings.IndexByte(":@./[", sc.text[a.labelStart-1]) >= 0 {
			a.labelQuote = quote
		}
	}
}

// classifyInContext classifies labels that announce a secret only in some places.
func (sc *scanner) classifyInContext(a *assignment, l *label) class {
	s := sc.text
	if l.count == 0 {
		return labelNone
	}
	last, kind := l.words[l.count-1].text, l.words[l.count-1].kind
	switch {
	case last == "auth" && l.count > 1 && l.words[l.count-2].kind&wordOwnsPass != 0 && sc.isVariable(a) && !isAuthMethod(s[a.labelEnd+1:]):
		return labelPassword
	case kind&wordHTTP != 0:
		return classifyHTTPWord(last)
	case kind&wordEntry != 0 && l.count <= 2:
		return sc.classifyEntryWord(last)
	case kind&wordJSONWebKey != 0 && l.count == 1 && sc.hasJSONWebKey():
		return labelSecret
	case (last == "result" || last == "bcrypt") && strings.Contains(s[max(0, a.labelStart-512):a.labelStart], "random_password"): // Terraform's state
		return labelPassword
	case last == "login" && strings.HasPrefix(s[a.labelEnd:], "="):
		return labelUserPassword
	case last == "response" && l.count > 1 && l.words[l.count-2].text == "saml":
		return labelQuery
	case last == "id" && l.count > 1 && l.words[l.count-2].text == "secret" && strings.HasPrefix(s[skipBlanks(s, a.labelEnd):], "="):
		return labelRandom
	case last == "userpwd" || last == "accountkey":
		return labelSecret
	case a.labelStart < sc.group.end:
		return sc.group.class
	}
	return labelNone
}

// isVariable reports whether the label is in upper case before an equals sign, as an environment
// variable is.
func (sc *scanner) isVariable(a *assignment) bool {
	return strings.HasPrefix(sc.text[a.labelEnd:], "=") && strings.ToUpper(a.label) == a.label
}

// authMethods are those that variables such as SMTP_AUTH choose.
var authMethods = wordsOf("basic plain login simple md5 ldap kerberos gssapi ntlm digest oauth oauth2 cram scram external sasl token x509 tls mtls")

func isAuthMethod(value string) bool {
	value = value[:min(len(value), maxLabel)]
	return authMethods[strings.ToLower(value[:ascii.PrefixLen(value, ascii.IsAlnum)])]
}

func classifyHTTPWord(word string) class {
	switch word {
	case "authorization":
		return labelAuthorization
	case "cookie", "cookies":
		return labelCookie
	case "auth":
		return labelUserPassword
	case "sessionid", "sid", "session":
		return labelQuery
	}
	return labelQuery
}

func (sc *scanner) classifyEntryWord(word string) class {
	switch word {
	case "value", "parametervalue", "default":
		if sc.entry.class != labelNone {
			return labelValue
		}
		return labelNone
	}
	return labelName
}

// hasJSONWebKey reports whether the text has a key of RFC 7517 that is not an RSA or EC public key.
func (sc *scanner) hasJSONWebKey() bool {
	if sc.isJWK == 0 {
		sc.isJWK = -1
		if strings.Contains(sc.text, `"kty"`) || strings.Contains(sc.text, `\"kty\"`) {
			sc.isJWK = 1
		}
	}
	return sc.isJWK > 0
}

// nameEntry remembers the value of a label such as name, if that labels a secret. It returns the index
// after the secret if that is the text of the element: <property name="password">X</property>.
func (sc *scanner) nameEntry(a *assignment) int {
	sc.entry = entry{}
	if a.place == placeNone || a.place >= placeProse && a.place != placeTag {
		return 0
	}
	i := a.start + len(openingQuote(sc.text[a.start:]))
	n := ascii.PrefixLen(sc.text[i:min(len(sc.text), i+maxLabel)], func(c byte) bool { return isLabelByte(c) || c == '.' || c == '/' })
	name := sc.text[i : i+n]
	name = name[strings.LastIndexByte(name, '/')+1:]
	if kind := classifyEntryName(a.label, name); kind > labelRandom {
		const reach = 256
		sc.entry = entry{kind, name, i + n + reach}
		if rest := strings.TrimLeft(sc.text[i+n:], `"'`); strings.HasPrefix(rest, ">") && a.place != placeTag {
			b := assignment{class: kind, label: name, place: placeTag, start: len(sc.text) - len(rest) + 1, tight: true}
			return sc.scanValue(&b)
		}
	}
	return 0
}

// classifyEntryName classifies the name of an entry, or the type of an HTML input.
func classifyEntryName(label, name string) class {
	if strings.EqualFold(label, "type") && name != "password" {
		return labelNone
	}
	if name == "pass" || name == "pw" {
		return labelPassword
	}
	return classifyLabel(name)
}

// scanValues reads and redacts the values of an assignment, and returns the index after the last, or
// 0 if there is none.
func (sc *scanner) scanValues(a *assignment) int {
	switch a.class {
	case labelAuthorization:
		return sc.scanAuthorization(a)
	case labelCookie:
		return sc.scanCookies(a)
	case labelUserPassword:
		return sc.scanUserPassword(a)
	case labelValue:
		if a.labelStart > sc.entry.end {
			return 0
		}
		a.class, a.label = sc.entry.class, sc.entry.label
		sc.entry = entry{}
	}
	if a.place == placeBelow {
		return sc.scanBelow(a)
	}
	if a.place == placeBlock {
		sc.entry = entry{a.class, a.label, a.start + 4*maxLabel}
		return 0
	}
	if a.place == placeColumn {
		if next := sc.scanTable(a); next > 0 {
			return next
		}
		return sc.scanRow(a)
	}
	if a.place == placeCell || a.place == placePair || a.place == placeProse {
		if next := sc.scanTable(a); next > 0 {
			return next
		}
	}
	if a.start < len(sc.text) && a.place != placeProse {
		switch c := sc.text[a.start]; {
		case (c == '[' || c == '{') && a.place != placeWord && a.place != placeTag && referenceLength(sc.text[a.start:]) == 0 && !strings.HasPrefix(sc.text[a.start:], redacted):
			return sc.scanContainer(a)
		case (c == '|' || c == '>') && a.place == placeLine:
			return sc.scanBlockScalar(a)
		}
	}
	return sc.scanValue(a)
}

// scanValue reads and redacts one value.
func (sc *scanner) scanValue(a *assignment) int {
	sc.nest.moveTo(a.start)
	if !sc.readValue(a) {
		return 0
	}
	next := sc.redactValue(a)
	if next > 0 {
		if after := sc.scanNewValue(a, next); after > 0 {
			return after
		}
	}
	return next
}

// redactValue redacts the value if it is a secret.
func (sc *scanner) redactValue(a *assignment) int {
	if !sc.isSecret(a) {
		if value := sc.text[a.start:a.end]; value[0] != '<' && referenceLength(value) == len(value) {
			return a.end
		}
		return 0
	}
	if !a.quoted {
		return sc.add(a.start, a.end, sc.actionOf(a))
	}
	sc.nest.skipTo(a.start)
	next := sc.add(a.start, a.end, sc.actionOf(a))
	next += len(openingQuote(sc.text[next:]))
	sc.nest.skipTo(next)
	return next
}

// actionOf returns the action of a value: that of its issuer, if its form is known, or that of its
// label.
func (sc *scanner) actionOf(a *assignment) Action {
	if a.start+1 < len(sc.text) {
		if _, form := sc.tokenAt(a.start); form != nil {
			return form.action()
		}
	}
	return labelAction(a.class, a.label)
}

// isSecret reports whether the value is a secret rather than a reference, a name, a count or a part
// of a sentence.
func (sc *scanner) isSecret(a *assignment) bool {
	v := sc.text[a.start:a.end]
	if isReference(v) || isReference(strings.TrimRight(v, ",;")) || !a.tight && !a.quoted && (strings.EqualFold(v, ascii.LastWord(a.label)) || proseWords[strings.ToLower(v)]) {
		return false
	}
	if referenceLength(v) == len(v) && containsLiteral(v) {
		return true
	}
	switch a.place {
	case placeProse:
		return sc.isSecretInProse(a, v)
	case placeCell:
		const longestWord = 12
		if a.class == labelPassword && (!isWordlike(v) || len(v) > longestWord && !strings.Contains(v, " ")) {
			return !sc.isPartOfSentence(a)
		}
		return looksLikePassword(v) || a.class == labelPassword && hasMixedWord(v) && !isTechnicalWord(v) && sc.isConfigurationLine(a)
	case placeCall, placePair:
		if a.place == placePair && a.class == labelPassword && hasMixedWord(v) && !isTechnicalWord(v) && sc.endsList(a) {
			return true
		}
		if !a.flag && !looksLikePassword(v) && isWordlike(v) && (a.class != labelPassword || a.place == placePair || len(v) < 6) {
			return false
		}
	case placeQuery:
		if a.class == labelQuery || a.class == labelRandom {
			return looksRandom(v)
		}
		return !isCount(a, v)
	case placeTag:
		if strings.Contains(v, " ") && hasFunctionWord(v) {
			return false
		}
	}
	switch a.class {
	case labelPlausible:
		return looksLikePassword(v)
	case labelRandom, labelQuery:
		return isRandomWord(v) || a.quoted && looksRandom(v) && !isHexWord(v) && !isDictionaryName(v) || strings.HasSuffix(a.label, "id") && (isUUID(v) || looksLikePassword(v))
	case labelSecret:
		if isObjectName(a, v) || isCount(a, v) || sc.isObjectWithState(a, v) || !a.quoted && isPhrase(v) || a.quoted && (hasFunctionWord(v) && strings.Contains(v, " ")) || (a.quoted || a.tight) && isStatus(v) && !strings.EqualFold(v, "secret") {
			return false
		}
	}
	if a.quoted && a.class == labelPassword && strings.Contains(v, " ") && hasFunctionWord(v) && !hasMixedWord(v) {
		return false
	}
	return !sc.isPartOfSentence(a)
}

// endsList reports whether the quoted value is the last item of its list.
func (sc *scanner) endsList(a *assignment) bool {
	quote := openingQuote(sc.text[a.end:])
	return a.quoted && quote != "" && strings.HasPrefix(sc.text[skipSpaces(sc.text, a.end+len(quote)):], "]")
}

// isSecretInProse decides on the word after a label: "with password X", "requirepass X".
func (sc *scanner) isSecretInProse(a *assignment, v string) bool {
	if a.class <= labelRandom {
		return false
	}
	if a.class == labelPlausible {
		return looksLikePassword(v) && sc.isConfigurationLine(a)
	}
	if a.class == labelPassword {
		return looksLikePassword(v) || sc.followsUser(a) && !isPlaceholder(v) && !isStatus(v) || a.quoted && (a.label == "PASSWORD" || !isWordlike(v)) || sc.isConfigurationLine(a) && isMixedCase(v)
	}
	if (sc.isConfigurationLine(a) || sc.followsUser(a)) && looksLikePassword(v) && !isHexWord(v) && !isDictionaryName(v) {
		return true
	}
	return looksRandom(v) && !isHexWord(v) && !isDictionaryName(v) && !isUUID(v)
}

// followsUser reports whether the name of a user and its label precede the label, as in netrc's
// login bob password X.
func (sc *scanner) followsUser(a *assignment) bool {
	before := strings.TrimRight(sc.text[max(0, a.labelStart-2*maxLabel):a.labelStart], " \t\n")
	name := strings.LastIndexAny(before, " \t\n")
	return name > 0 && hasAnySuffix(strings.TrimRight(before[:name], " \t\n"), "login", "user", "username", "machine", "account") || hasAnySuffix(before, "enable")
}

// isConfigurationLine reports whether label and value are alone on their line.
func (sc *scanner) isConfigurationLine(a *assignment) bool {
	return sc.startsLine(a.labelStart) && strings.Trim(sc.text[a.end:nearLineEnd(sc.text, a.end)], "\"' \t\r;") == ""
}

// scanNewValue redacts the value after an arrow, as in password: "old" -> "new".
func (sc *scanner) scanNewValue(a *assignment, from int) int {
	i := skipBlanks(sc.text, from)
	for _, arrow := range [...]string{"->", "=>", "~>", "→"} {
		if !strings.HasPrefix(sc.text[i:], arrow) {
			continue
		}
		b := *a
		b.start, b.quoted, b.place = skipBlanks(sc.text, i+len(arrow)), false, placeField
		if sc.readValue(&b) && !isReference(sc.text[b.start:b.end]) {
			return sc.add(b.start, b.end, labelAction(b.class, b.label))
		}
	}
	return 0
}
