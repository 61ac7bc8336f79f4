package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// class is the kind of value that a label announces. It decides how much a value must look like a
// secret to be redacted.
type class int

const (
	labelNone          class = iota
	labelRandom              // "key", "session": only values that look random are secrets
	labelQuery               // as labelRandom, in the query of a URL alone
	labelPlausible           // "pass": only values that look like passwords
	labelSecret              // secret, token, API key: not the name of an object, a count or an error
	labelPassword            // any value, unless it is a reference, a placeholder or a sentence
	labelAuthorization       // a scheme and credentials (RFC 9110, section 11)
	labelCookie              // pairs of a cookie header (RFC 6265)
	labelUserPassword        // user:password, as such or in base64
	labelName                // the name of an entry, whose value comes next
	labelValue               // the value of the entry that was named before
)

// maxLabel is the longest label in bytes.
const maxLabel = 64

// wordKind is a set of the roles that a word has in labels.
type wordKind uint16

const (
	wordPassword   wordKind = 1 << iota // names a password
	wordSecret                          // names another secret
	wordProperty                        // names a property of a secret when it comes after it: token_ttl, passwordPolicy
	wordOwnsKey                         // makes a secret of a key: api_key
	wordOwnsNoKey                       // makes no secret of a key: sort_key, public_key
	wordOwnsPass                        // makes a password of pass and pw: db_pass
	wordCounts                          // counts tokens: prompt_tokens
	wordPages                           // makes a token one of pagination, idempotency or locking: page_token
	wordHTTP                            // is a header or query parameter that classifyWhole knows
	wordEntry                           // is name, key or value of an entry
	wordJSONWebKey                      // is a private member of a JSON Web Key
	wordOther                           // is compared with as text
)

// labelWords are the words that decide what a label announces, in lower case and without digits at
// their end.
var labelWords = readLabelWords(map[wordKind]string{
	wordPassword: `password passwords passwd passwds passe passphrase passphrases passcode pwd psk passwort kennwort contraseña contrasena contrasenya
		senha парол пароль 密码 密碼 口令 パスワード 비밀번호 hasło wachtwoord lösenord adgangskode salasana parola heslo jelszó mdp şifre sifre sandi
		पासवर्ड رمز גיסמא bindpw masterauth requirepass storepass keypass rootpw userpassword sqlpassword unlockpw`,
	wordSecret: `secret secrets token tokens apikey apikeys appkey authkey privatekey jwt credential credentials creds bearer authtoken
		connectionstring dockerconfigjson dockercfg secretstring secretbinary totp presharedkey masterkey sharedkey signingkey encryptionkey
		accountkey storagekey subscriptionkey licensekey hmackey seckey secretkeybase otpauth`,
	wordProperty: `name names ref refs reference file files filename path paths dir directory folder policy policies length len size min max
		count counts type types kind ttl age expiry expires expire expired expiration expiring lifetime duration time timeout at date created
		updated rotated rotation rotate id ids uri url endpoint host arn alias aliases version versions algorithm alg format encryption store
		stores manager provider providers backend source location mount mounts volume volumes prefix suffix pattern regex field fields column
		columns label header headers param params parameter enabled enable required require disabled disable valid validity validate validation
		verified verify mode auth authentication authenticated method methods supported scope scopes issuer audience usage used limit limits limited
		budget bucket rate review reviews request requests response exchange service controller error errors status state message reason present set
		exists generator template class list index number num total needed strength complexity history reset change changed prompt hint question missing
		invalid incorrect sync lifecycle cache projection selector group groups owner description comment title checksum digest fingerprint
		thumbprint sha pair metadata annotations labels per second attempts attempt failures failed callback form page link input auto automount
		mounted hashing authenticator unset visible env variable var command cmd in is kid protection limiter reuse reader writer attributes quota
		capacity remaining available consumed model cost price stats metrics window context namespace kms users user stdin`,
	wordOwnsKey: `api app application access secret private account auth encryption encrypt signing sign master storage subscription shared license
		functions function hmac fernet write admin service integration routing ingestion ingest unseal recovery cookie session jwt validation
		decryption machine wrapping deploy webhook root client developer project team org server bot live sandbox management data tls ssl
		aes cipher crypto vault seal wallet rest secretaccess authorization x interface preshared wep stream license activation`,
	wordOwnsNoKey: `public publishable pub foreign idempotency sort partition object dedup deduplication cache group row lookup hash range s3 message
		event order map dictionary json label tag host index shard bucket redis`,
	wordOwnsPass:   `db user admin root my pg sql mysql mail smtp ftp ssh redis ldap auth login sasl proxy key store keystore trust truststore ansible become sudo rabbit rabbitmq postgres mongo imap http basic web server client database rds oracle`,
	wordCounts:     `prompt completion input output total max min num cached reasoning used remaining generated available estimated mean sum accepted rejected audio text image thinking`,
	wordPages:      `page next continue continuation request idempotency fencing stop cancel cancellation sync resume previous start end syntax lex special pad eos bos unk current marker clientrequest`,
	wordHTTP:       `authorization cookie cookies auth sig signature code ticket sid sessionid session hmac otp sharedaccesssignature saml samlresponse assertion hash magic`,
	wordEntry:      `name key path value default type parametername parameterkey parametervalue`,
	wordOther:      `default clave aws existing pass pw image result bcrypt login secret client app webhook shared consumer jwt session cookie signing api access totp tokens keys id`,
	wordJSONWebKey: `k d p q dp dq qi`,
})

// gluedWords end labels that are written as one word, such as pgpassword or accesskey.
var gluedWords = []string{
	"password", "passwd", "passphrase", "passwort", "passcode", "secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "pwd",
}

// labelWord is a word of labelWords.
type labelWord struct {
	text string
	kind wordKind
}

func readLabelWords(lists map[wordKind]string) map[string]labelWord {
	words := map[string]labelWord{}
	for kind, list := range lists {
		for word := range strings.FieldsSeq(list) {
			words[word] = labelWord{word, words[word].kind | kind}
		}
	}
	return words
}

// maxLabelWords is the number of words of a label that are considered: the last ones.
const maxLabelWords = 6

// label is a label that was split into words: API_KEY, api-key and apiKey are api and key.
type label struct {
	words [maxLabelWords]labelWord // in lower case, without digits at their end
	count int
}

func splitLabel(text string) (l label) {
	start := 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || !ascii.IsAlnum(text[i]) && text[i] < utf8.RuneSelf:
			l.addWord(text[start:i])
			start = i + 1
		case i > start && ascii.IsUpper(text[i]) && endsCamelWord(text, i):
			l.addWord(text[start:i])
			start = i
		}
	}
	return l
}

// endsCamelWord reports whether the upper-case letter at i begins a word: clientSecret, APIKey.
func endsCamelWord(text string, i int) bool {
	return !ascii.IsUpper(text[i-1]) || i+1 < len(text) && ascii.IsLower(text[i+1]) && !strings.HasPrefix(text[i:], "Ds")
}

// splitWords returns the words of a name in lower case, as splitLabel separates them.
func splitWords(text string) (words []string) {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || !ascii.IsAlnum(text[i]) || i > start && ascii.IsUpper(text[i]) && endsCamelWord(text, i) {
			if i > start {
				words = append(words, strings.ToLower(text[start:i]))
			}
			start = i
			if i < len(text) && !ascii.IsAlnum(text[i]) {
				start++
			}
		}
	}
	return words
}

func (l *label) addWord(word string) {
	word = ascii.Digits.TrimRight(word)
	if word == "" {
		return
	}
	if l.count == maxLabelWords {
		copy(l.words[:], l.words[1:])
		l.count--
	}
	l.words[l.count] = findLabelWord(word)
	l.count++
}

// findLabelWord returns the word in lower case with its roles.
func findLabelWord(word string) labelWord {
	var buffer [maxLabel]byte
	lower := appendLower(buffer[:0], word)
	if found, ok := labelWords[string(lower)]; ok {
		return found
	}
	if strings.IndexFunc(word, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		return labelWords[foldWord(word)]
	}
	if strings.IndexByte("dtneyws", lower[len(lower)-1]) < 0 {
		return labelWord{}
	}
	return findGluedWord(string(lower))
}

// appendLower appends a word with its ASCII letters in lower case, at most the capacity of buffer.
func appendLower(buffer []byte, word string) []byte {
	for i := 0; i < len(word) && len(buffer) < cap(buffer); i++ {
		c := word[i]
		if ascii.IsUpper(c) {
			c |= 0x20
		}
		buffer = append(buffer, c)
	}
	return buffer
}

// foldWord returns a word that is not ASCII in lower case, with letters such as U+017F (long s), U+212A
// (Kelvin sign) and those of full width as ASCII.
func foldWord(word string) string {
	const fullWidth = 0xFEE0 // from U+0021 to U+FF01
	return strings.Map(func(r rune) rune {
		if r > fullWidth+' ' && r < fullWidth+0x7F {
			r -= fullWidth
		}
		return unicode.ToLower(unicode.ToUpper(r)) // upper case first folds U+017F
	}, word)
}

// findGluedWord returns the roles of a word that ends with another, such as pgpassword.
func findGluedWord(word string) labelWord {
	for _, end := range gluedWords {
		before, found := strings.CutSuffix(word, end)
		if !found {
			continue
		}
		if end == "token" && labelWords[before].kind&wordPages != 0 {
			return labelWord{}
		}
		return labelWord{word, labelWords[end].kind}
	}
	return labelWord{text: word}
}

// classifyLabel classifies a label by its words: client_secret, DB_PASSWORD_2 and tokenValue label
// secrets; secretName, passwordPolicy and token_ttl do not. Words after the one that names the
// secret are qualifiers unless they name a property.
func classifyLabel(text string) class {
	if len(text) > maxLabel {
		return labelNone
	}
	l := splitLabel(text)
	return l.classify()
}

func (l *label) classify() class {
	if first := l.words[0].text; first == "existing" || first == "checksum" { // names of objects in Helm's values; annotations
		return labelNone
	}
	for i := l.count - 1; i >= 0; i-- {
		if kind := l.classifyWord(i); kind != labelNone {
			return kind
		}
		if l.words[i].kind&wordProperty != 0 {
			return labelNone
		}
	}
	return labelNone
}

// classifyWord classifies the word at index i by itself and by the word before it.
func (l *label) classifyWord(i int) class {
	word, kind := l.words[i].text, l.words[i].kind
	var before wordKind
	if i > 0 {
		before = l.words[i-1].kind
	}
	switch {
	case kind&wordPassword != 0:
		return labelPassword
	case kind&wordSecret != 0:
		if strings.HasPrefix(word, "token") && (before&wordPages != 0 || word == "tokens" && before&wordCounts != 0) {
			return labelNone
		}
		return labelSecret
	case word == "pass" || word == "pw" || word == "clave":
		if before&wordOwnsPass != 0 || i > 0 && i == l.count-1 {
			return labelPassword
		}
		if l.count == 1 {
			return labelPlausible
		}
	case strings.HasSuffix(word, "pass") && labelWords[strings.TrimSuffix(word, "pass")].kind&wordOwnsPass != 0:
		return labelPassword
	case word == "key" || word == "keys":
		switch {
		case before&wordOwnsKey != 0, before&wordSecret != 0:
			return labelSecret
		case before&(wordOwnsNoKey|wordPassword|wordProperty) == 0:
			return labelRandom
		}
	case strings.HasSuffix(word, "key") && labelWords[strings.TrimSuffix(word, "key")].kind&wordOwnsKey != 0:
		return labelSecret
	}
	return labelNone
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// labelAction returns the action that is counted for a value of the class behind the label.
func labelAction(kind class, text string) Action {
	if kind == labelPassword {
		return ActionPassword
	}
	l := splitLabel(text)
	for i := range l.count {
		if l.words[i].text == "secret" && i+1 < l.count && (l.words[i+1].text == "access" || i > 0 && l.words[i-1].text == "aws") {
			return ActionAWSKey
		}
	}
	return ActionToken
}
