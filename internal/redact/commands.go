package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// argumentForm is the form in which a program takes a secret.
type argumentForm int

const (
	separateArgument argumentForm = iota // -a X or -aX
	onlyAttached                         // -pX, because -p X means something else
	onlySeparate                         // -p X, because -pX means something else
	userPassword                         // -u user:X
	passwordSource                       // -passin pass:X
	cookiePairs                          // -b name=X
	position                             // the n-th word after the verb
	standardInput                        // echo X | docker login --password-stdin
)

// program is a program and its arguments that are secrets. Flags whose name is a label, such as
// --password, need no entry.
type program struct {
	verb  string // a word that must stand between the program's name and the argument, or ""
	flags []string
	form  argumentForm
	index int // of the argument after the verb, for position
}

// programs follows the programs' manuals.
var programs = map[string][]program{
	"curl":           {{flags: []string{"-u", "--user", "--proxy-user", "-U"}, form: userPassword}, {flags: []string{"-b", "--cookie"}, form: cookiePairs}},
	"wget":           {{flags: []string{"--user"}, form: userPassword}},
	"http":           {{flags: []string{"-a", "--auth"}, form: userPassword}},
	"https":          {{flags: []string{"-a", "--auth"}, form: userPassword}},
	"lftp":           {{flags: []string{"-u"}, form: userPassword}},
	"etcdctl":        {{flags: []string{"--user"}, form: userPassword}},
	"skopeo":         {{flags: []string{"--creds", "--src-creds", "--dest-creds"}, form: userPassword}},
	"podman":         {{verb: "login", flags: []string{"-p"}}, {flags: []string{"--creds"}, form: userPassword}},
	"buildah":        {{flags: []string{"--creds"}, form: userPassword}},
	"crane":          {{verb: "login", flags: []string{"-p"}}},
	"oras":           {{verb: "login", flags: []string{"-p"}}},
	"nerdctl":        {{verb: "login", flags: []string{"-p"}}},
	"docker":         {{verb: "login", flags: []string{"-p"}}},
	"helm":           {{verb: "login", flags: []string{"-p"}}},
	"oc":             {{verb: "login", flags: []string{"-p"}}},
	"az":             {{verb: "login", flags: []string{"-p"}}},
	"cf":             {{verb: "login", flags: []string{"-p"}}, {verb: "auth", form: position, index: 2}},
	"ibmcloud":       {{verb: "login", flags: []string{"-p", "--apikey"}}},
	"aws":            {{flags: []string{"--secret-string", "--value"}}, {verb: "aws_secret_access_key", form: position, index: 1}, {verb: "aws_session_token", form: position, index: 1}},
	"mysql":          {{flags: []string{"-p"}, form: onlyAttached}},
	"mysqldump":      {{flags: []string{"-p"}, form: onlyAttached}},
	"mysqladmin":     {{flags: []string{"-p"}, form: onlyAttached}, {verb: "password", form: position, index: 1}},
	"mysqlimport":    {{flags: []string{"-p"}, form: onlyAttached}},
	"mysqlcheck":     {{flags: []string{"-p"}, form: onlyAttached}},
	"mysqlsh":        {{flags: []string{"-p"}, form: onlyAttached}},
	"mariadb":        {{flags: []string{"-p"}, form: onlyAttached}},
	"mariadb-dump":   {{flags: []string{"-p"}, form: onlyAttached}},
	"mongo":          {{flags: []string{"-p"}}},
	"mongosh":        {{flags: []string{"-p"}}},
	"mongodump":      {{flags: []string{"-p"}}},
	"mongorestore":   {{flags: []string{"-p"}}},
	"mongoexport":    {{flags: []string{"-p"}}},
	"cqlsh":          {{flags: []string{"-p"}}},
	"nodetool":       {{flags: []string{"-pw"}}},
	"influx":         {{flags: []string{"-t"}}},
	"sqlcmd":         {{flags: []string{"-P"}}},
	"bcp":            {{flags: []string{"-P"}}},
	"isql":           {{flags: []string{"-P"}}},
	"tsql":           {{flags: []string{"-P"}}},
	"vsql":           {{flags: []string{"-w"}}},
	"ipmitool":       {{flags: []string{"-P"}}},
	"redis-cli":      {{flags: []string{"-a"}}},
	"ldapsearch":     {{flags: []string{"-w"}}},
	"ldapmodify":     {{flags: []string{"-w"}}},
	"ldapadd":        {{flags: []string{"-w"}}},
	"ldapdelete":     {{flags: []string{"-w"}}},
	"ldapwhoami":     {{flags: []string{"-w"}}},
	"ldappasswd":     {{flags: []string{"-w", "-s", "-a"}}},
	"smbclient":      {{flags: []string{"-U"}, form: userPassword}},
	"snmpwalk":       {{flags: []string{"-A", "-X"}}},
	"snmpget":        {{flags: []string{"-A", "-X"}}},
	"psexec":         {{flags: []string{"-p"}}},
	"winrs":          {{flags: []string{"-p"}}},
	"net":            {{verb: "use", form: position, index: 3}, {verb: "user", form: position, index: 2}},
	"cmdkey":         {{flags: []string{"/pass"}}},
	"sshpass":        {{flags: []string{"-p"}}},
	"openssl":        {{flags: []string{"-passin", "-passout", "-pass", "-k"}, form: passwordSource}, {flags: []string{"-K"}}},
	"keytool":        {{flags: []string{"-storepass", "-keypass", "-new", "-srcstorepass", "-deststorepass", "-srckeypass", "-destkeypass"}}},
	"jarsigner":      {{flags: []string{"-storepass", "-keypass"}}},
	"htpasswd":       {{verb: "-b", form: position, index: 3}, {verb: "-bc", form: position, index: 3}, {verb: "-nb", form: position, index: 2}, {verb: "-bB", form: position, index: 3}, {verb: "-cb", form: position, index: 3}, {verb: "-nbB", form: position, index: 2}},
	"usermod":        {{flags: []string{"-p"}}},
	"useradd":        {{flags: []string{"-p"}}},
	"zip":            {{flags: []string{"-P"}}},
	"unzip":          {{flags: []string{"-P"}}},
	"7z":             {{flags: []string{"-p"}, form: onlyAttached}},
	"7za":            {{flags: []string{"-p"}, form: onlyAttached}},
	"wpa_passphrase": {{verb: "wpa_passphrase", form: position, index: 2}},
	"gh":             {{verb: "secret set", flags: []string{"--body", "-b"}}},
	"rar":            {{flags: []string{"-hp", "-p"}, form: onlyAttached}},
	"unrar":          {{flags: []string{"-p"}, form: onlyAttached}},
	"twine":          {{flags: []string{"-p"}}},
	"rabbitmqadmin":  {{flags: []string{"-p"}}},
	"rabbitmqctl":    {{verb: "change_password", form: position, index: 2}, {verb: "add_user", form: position, index: 2}, {verb: "authenticate_user", form: position, index: 2}},
	"vault":          {{verb: "login", form: position, index: 1}, {verb: "unseal", form: position, index: 1}},
	"sqlplus":        {{verb: "sqlplus", form: position, index: 1}},
	"auth":           {{verb: "auth", form: position, index: 1}, {verb: "auth", form: position, index: 2}},
	"addauth":        {{verb: "digest", form: position, index: 1}},
	"chpasswd":       {{form: standardInput}},
	"stats":          {{verb: "auth", form: position, index: 1}},
	"sentinel":       {{verb: "auth-pass", form: position, index: 2}},
	"kinit":          {{verb: "--password", form: position, index: 1}},
	"nmcli":          {{verb: "password", form: position, index: 1}},
	"security":       {{flags: []string{"-p", "-w"}}},
	"nuget":          {{flags: []string{"-apikey", "-p", "-k"}}},
	"wp":             {{flags: []string{"--user_pass"}}},
	"psftp":          {{flags: []string{"-pw"}}},
	"plink":          {{flags: []string{"-pw"}}},
	"pscp":           {{flags: []string{"-pw"}}},
	"xfreerdp":       {{flags: []string{"/p"}}},
}

// commandLine is the program whose arguments are being read.
type commandLine struct {
	programs []program
	start    int // of its arguments
	end      int // of its line
}

// scanCommand reads the word between start and end as a phrase or as a program's name. It returns the
// index after a secret, or 0.
func (sc *scanner) scanCommand(start, end int) int {
	var buffer [len("convertto-securestring")]byte
	if end-start > len(buffer) {
		return 0
	}
	word := appendLower(buffer[:0], sc.text[start:end])
	if scan, ok := phrases[string(word)]; ok {
		if next := scan(sc, start, end); next > 0 {
			return next
		}
	}
	if p, ok := programs[string(word)]; ok && sc.startsProgram(start, end) {
		sc.command = commandLine{p, end, endOfCommandLine(sc.text, end)}
		return sc.scanPositions(start, end)
	}
	return 0
}

// startsProgram reports whether the word between the indexes is followed by an argument.
func (sc *scanner) startsProgram(start, end int) bool {
	s := sc.text
	if end < len(s) && s[end] == '.' {
		return false
	}
	return end < len(s) && (ascii.IsBlank(s[end]) || s[end] == '"' && strings.HasPrefix(s[end:], `",`)) && (start == 0 || s[start-1] != '-' && s[start-1] != '.')
}

// endOfCommandLine returns the end of the line around i, including lines continued with a
// backslash.
func endOfCommandLine(s string, i int) int {
	end := nearLineEnd(s, i)
	for end < len(s) && s[end] == '\n' && s[end-1] == '\\' {
		end = nearLineEnd(s, end+1)
	}
	return end
}

// scanArgument redacts the argument of a flag of the current program.
func (sc *scanner) scanArgument(start, end int) int {
	s := sc.text
	if start > 0 && !ascii.IsSpace(s[start-1]) && !isQuote(s[start-1]) && s[start-1] != '/' && s[start-1] != '[' {
		return 0
	}
	if start >= sc.command.end {
		return sc.scanUserFlags(start, end)
	}
	for i := range sc.command.programs {
		p := &sc.command.programs[i]
		for _, flag := range p.flags {
			if p.verb != "" && !strings.Contains(s[sc.command.start:start], p.verb) {
				continue
			}
			if argument := p.argumentStart(s, start, end, flag); argument > 0 {
				if next := sc.redactArgument(p.form, argument); next > 0 {
					return next
				}
			}
		}
	}
	return 0
}

// scanUserFlags redacts the argument of a flag such as -p of a program that is not in programs, if a
// flag for the user's name precedes it.
func (sc *scanner) scanUserFlags(start, end int) int {
	s := sc.text
	switch s[start:end] {
	case "-p", "-P", "-pw", "-w", "p", "pass":
	default:
		return 0
	}
	line := s[max(nearLineStart(s, start), start-4*maxLabel):start]
	if !strings.Contains(line, " -u ") && !strings.Contains(line, " -U ") && !strings.Contains(line, " --user") && !strings.Contains(line, "/u:") && !strings.Contains(line, "/user:") {
		return 0
	}
	i := end + ascii.PrefixLen(s[end:], func(c byte) bool { return c == ' ' || c == ':' || c == '=' })
	a := assignment{class: labelPassword, place: placeWord, start: i, tight: true}
	sc.nest.moveTo(i)
	if i == end || !sc.readValue(&a) || !looksLikePassword(s[a.start:a.end]) {
		return 0
	}
	return sc.add(a.start, a.end, ActionPassword)
}

// argumentStart returns the index of the flag's argument, or 0.
func (p *program) argumentStart(s string, start, end int, flag string) int {
	rest, found := strings.CutPrefix(s[start:], flag)
	if !found {
		return 0
	}
	i := start + len(flag)
	switch {
	case rest == "":
		return 0
	case rest[0] == '=' || rest[0] == ':':
		return i + 1
	case ascii.IsBlank(rest[0]):
		if p.form == onlyAttached {
			return 0
		}
		return skipBlanks(s, i)
	case isQuote(rest[0]) && strings.HasPrefix(rest[1:], ","):
		if p.form == onlyAttached {
			return 0
		}
		return skipSpaces(s, i+2)
	case len(flag) <= 3 && flag[0] == '-' && flag[1] != '-' && p.form != onlySeparate && (len(flag) == 2 || p.form == onlyAttached):
		return i
	}
	return 0
}

// redactArgument redacts the argument that starts at i.
func (sc *scanner) redactArgument(form argumentForm, i int) int {
	s := sc.text
	sc.nest.moveTo(i)
	a := assignment{class: labelPassword, place: placeWord, start: i, tight: true}
	if !sc.readValue(&a) || s[a.start] == '-' && form != onlyAttached {
		return 0
	}
	value := s[a.start:a.end]
	action := ActionPassword
	switch form {
	case cookiePairs:
		return sc.scanCookiePairs(a.start, a.end)
	case userPassword:
		separator := ":"
		if !strings.Contains(value, ":") {
			separator = ","
		}
		user, password, found := strings.Cut(value, separator)
		if !found {
			user, password, found = strings.Cut(value, "%")
		}
		if !found {
			return 0
		}
		a.start += len(user) + 1
		value, action = password, ActionBasic
		if isUserID(user) && isUserID(password) {
			return 0
		}
		if strings.HasSuffix(user, ":") {
			return 0
		}
	case passwordSource:
		if a.start += len("pass:"); !strings.HasPrefix(value, "pass:") {
			return 0
		}
		value = value[len("pass:"):]
	case separateArgument, onlySeparate:
		if ascii.PrefixLen(value, func(c byte) bool { return ascii.IsDigit(c) || c == ':' || c == '.' }) == len(value) && len(value) < 12 {
			return 0 // a port
		}
	}
	if isReference(value) && !placeholderWords[strings.ToLower(value)] {
		return 0
	}
	return sc.add(a.start, a.end, action)
}

func isUserID(s string) bool { return s != "" && ascii.PrefixLen(s, ascii.IsDigit) == len(s) }

// scanPositions redacts the arguments that are secrets by their position: vault login X. It returns
// the index after the last, or 0.
func (sc *scanner) scanPositions(start, end int) int {
	last := 0
	for i := range sc.command.programs {
		p := &sc.command.programs[i]
		if p.form != position {
			continue
		}
		if next := sc.scanPosition(p, start, end); next > last {
			last = next
		}
	}
	return last
}

func (sc *scanner) scanPosition(p *program, start, end int) int {
	s := sc.text
	if !strings.EqualFold(s[start:end], p.verb) {
		line := s[end:sc.command.end]
		n := strings.Index(line, " "+p.verb+" ")
		if n < 0 {
			return 0
		}
		end += n + 1 + len(p.verb)
	}
	seen := 0
	for i := end; ; {
		i += ascii.PrefixLen(s[i:sc.command.end], ascii.IsBlank)
		if i == sc.command.end {
			return 0
		}
		a := assignment{class: labelPassword, place: placeWord, start: i, tight: true}
		sc.nest.moveTo(i)
		if !sc.readValue(&a) {
			return 0
		}
		value := s[a.start:a.end]
		if value[0] != '-' || len(value) == 1 {
			seen++
		}
		if seen == p.index && value[0] != '-' {
			a.label = p.verb
			return sc.redactPosition(&a, value)
		}
		i = a.end
		if a.quoted {
			i++
		}
		if strings.IndexByte("|;&<>", value[0]) >= 0 {
			return 0
		}
	}
}

// redactPosition redacts the positional argument if it looks like a password, alone or after the
// user's name.
func (sc *scanner) redactPosition(a *assignment, value string) int {
	if n := strings.IndexAny(value, ":/"); n > 0 && ascii.PrefixLen(value[:n], isLabelByte) == n && !strings.HasPrefix(value[n:], "://") {
		a.start += n + 1
		value = value[n+1:]
		if at := strings.IndexByte(value, '@'); at > 0 {
			a.end, value = a.start+at, value[:at]
		}
	}
	if isReference(value) || !looksLikePassword(value) && !looksRandom(value) {
		return 0
	}
	if kind := classifyLabel(a.label); kind > labelRandom {
		return sc.add(a.start, a.end, labelAction(kind, a.label))
	}
	return sc.add(a.start, a.end, ActionPassword)
}
