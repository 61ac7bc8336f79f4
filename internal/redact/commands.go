package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// findCommands finds secrets after a flag or a fixed phrase and a space: --password X, curl -u
// user:X, IDENTIFIED BY 'X', login L password X.
func findCommands(s string, pairs *bytePairs, found []span) []span {
	found = findFlagValues(s, found)
	for _, c := range commands {
		if !pairs.excludes(c.name) {
			found = c.findArguments(s, found)
		}
	}
	for _, p := range phrases {
		found = p.findValues(s, pairs, found)
	}
	return findSecretLiterals(s, pairs, found)
}

// findFlagValues finds the values of flags whose name labels a secret.
func findFlagValues(s string, found []span) []span {
	for i := 0; ; {
		n := strings.IndexByte(s[i:], '-')
		if n < 0 {
			return found
		}
		dash := i + n
		i = dash + ascii.PrefixLen(s[dash:], func(c byte) bool { return c == '-' })
		if dash > 0 && !ascii.IsSpace(s[dash-1]) && strings.IndexByte("\"'`([,", s[dash-1]) < 0 {
			continue
		}
		name := i
		i += ascii.PrefixLen(s[i:], ascii.IsWord)
		a := assignment{label: s[name:i], separator: ':', class: classifyLabel(s[name:i])}
		if a.class == labelNone {
			continue
		}
		if gap := distanceToArgument(s[i:]); gap > 0 && a.readValue(s, i+gap) && (a.quoted || s[a.start] != '-') {
			found = addFlagValue(found, s, a)
			i = a.end
		}
	}
}

// distanceToArgument returns the distance from the end of a flag to its argument, or 0 if there is
// none. Between them are blanks, the quote and comma of a JSON list, or the line break and dash of
// a YAML list.
func distanceToArgument(s string) int {
	if n := ascii.PrefixLen(s, ascii.IsBlank); n > 0 {
		return n
	}
	if quote := openingQuote(s); quote != "" && strings.HasPrefix(s[len(quote):], ",") {
		return len(quote) + 1 + ascii.PrefixLen(s[len(quote)+1:], ascii.IsSpace)
	}
	n := ascii.PrefixLen(s, ascii.IsSpace)
	if n > 0 && strings.HasPrefix(s[n:], "- ") {
		return n + len("- ")
	}
	return 0
}

func addFlagValue(found []span, s string, a assignment) []span {
	value := s[a.start:a.end]
	if isReference(value) || a.class == labelSecret && isObjectName(a, value) {
		return found
	}
	return appendSecret(found, s, a.start, a.end, labelAction(a.class, a.label))
}

// command is a program and its flags that take a secret.
type command struct {
	name  string
	flags []string
	form  argumentForm
}

type argumentForm int

const (
	separateArgument argumentForm = iota // -a X
	attachedArgument                     // -pX, because -p X means something else
	userPassword                         // -u user:X
)

// commands follows the programs' manuals. Flags whose name is a label, such as --password, need no
// entry.
var commands = []command{
	{"curl ", []string{" -u", " --user ", " --user=", " --proxy-user ", " -U "}, userPassword},
	{"etcdctl ", []string{" --user ", " --user="}, userPassword},
	{"skopeo ", []string{" --creds ", " --src-creds ", " --dest-creds ", " --creds=", " --src-creds=", " --dest-creds="}, userPassword},
	{"mysql", []string{" -p"}, attachedArgument},
	{"mariadb", []string{" -p"}, attachedArgument},
	{"redis-cli", []string{" -a "}, separateArgument},
	{"docker login", []string{" -p "}, separateArgument},
	{"podman login", []string{" -p "}, separateArgument},
	{"registry login", []string{" -p "}, separateArgument},
	{"az login", []string{" -p "}, separateArgument},
	{"mongo", []string{" -p "}, separateArgument},
	{"ldap", []string{" -w "}, separateArgument},
	{"sqlcmd", []string{" -P "}, separateArgument},
	{"sshpass", []string{" -p", " -p "}, separateArgument},
	{"openssl", []string{" -passin pass:", " -passout pass:", " -pass pass:"}, separateArgument},
}

func (c command) findArguments(s string, found []span) []span {
	for i := strings.Index(s, c.name); i >= 0; {
		i += len(c.name)
		next := strings.Index(s[i:], c.name)
		end := len(s)
		if next >= 0 {
			end = i + next
		}
		line := s[:endOfCommandLine(s[:end], i)]
		for _, flag := range c.flags {
			found = c.findArgument(line, i-1, flag, found)
		}
		if next < 0 {
			break
		}
		i = end
	}
	return found
}

// endOfCommandLine returns the end of the line around i, including lines continued with a
// backslash.
func endOfCommandLine(s string, i int) int {
	end := endOfLine(s, i)
	for end < len(s) && s[end-1] == '\\' {
		end = endOfLine(s, end+1)
	}
	return end
}

func (c command) findArgument(line string, from int, flag string, found []span) []span {
	n := strings.Index(line[from:], flag)
	if n < 0 {
		return found
	}
	i := from + n + len(flag)
	a := assignment{}
	if c.form == attachedArgument && (i == len(line) || ascii.IsSpace(line[i])) || !a.readValue(line, i) {
		return found
	}
	value := line[a.start:a.end]
	if c.form != userPassword {
		if isReference(value) || value[0] == '-' {
			return found
		}
		return appendSecret(found, line, a.start, a.end, ActionPassword)
	}
	user, password, ok := strings.Cut(value, ":")
	if !ok || isReference(password) {
		return found
	}
	return appendSecret(found, line, a.start+len(user)+1, a.end, ActionBasic)
}

// phrase is a fixed text before a secret. accepts decides whether the value after the phrase is a
// secret, given the text before the phrase.
type phrase struct {
	words   string
	accepts func(before string, a assignment, value string) bool
	action  Action
}

var phrases = []phrase{
	{"identified by ", acceptsQuoted, ActionPassword},
	{"IDENTIFIED BY ", acceptsQuoted, ActionPassword},
	{"with password ", acceptsQuoted, ActionPassword},
	{"PASSWORD ", acceptsQuoted, ActionPassword},
	{"ConvertTo-SecureString ", acceptsQuoted, ActionPassword},
	{" password ", followsLogin, ActionPassword},
	{"requirepass ", acceptsAnything, ActionPassword},
	{"masterauth ", acceptsAnything, ActionPassword},
	{"bindpw ", acceptsAnything, ActionPassword},
	{"assword is ", acceptsMixed, ActionPassword},
	{"assword was ", acceptsMixed, ActionPassword},
	{"aws_secret_access_key ", acceptsRandom, ActionAWSKey},
}

func acceptsAnything(string, assignment, string) bool         { return true }
func acceptsQuoted(_ string, a assignment, _ string) bool     { return a.quoted }
func acceptsRandom(_ string, _ assignment, value string) bool { return looksRandom(value) }
func acceptsMixed(_ string, _ assignment, value string) bool {
	return hasDigitAndUpper(value) && !strings.Contains(value, "-")
}

// followsLogin reports whether the assignment follows netrc's login NAME, as in login NAME password
// WORD.
func followsLogin(before string, _ assignment, _ string) bool {
	before = before[max(0, len(before)-maxLabel):]
	name := strings.LastIndexAny(before, " \t\n")
	return name > 0 && strings.HasSuffix(strings.TrimRight(before[:name], " \t\n"), "login")
}

func (p phrase) findValues(s string, pairs *bytePairs, found []span) []span {
	for i := range occurrencesOf(s, pairs, p.words) {
		a := assignment{}
		if !a.readValue(s, i) {
			continue
		}
		if value := s[a.start:a.end]; p.accepts(s[:i-len(p.words)], a, value) && !isReference(value) {
			found = appendSecret(found, s, a.start, a.end, p.action)
		}
	}
	return found
}

// findSecretLiterals finds the values of kubectl create secret … --from-literal=key=value.
func findSecretLiterals(s string, pairs *bytePairs, found []span) []span {
	const command, reach = "create secret", 1024
	for i := range occurrencesOf(s, pairs, "--from-literal") {
		if !strings.Contains(s[max(0, i-reach):i], command) {
			continue
		}
		start := min(len(s), i+1)
		key := strings.IndexAny(s[start:], "= \n")
		if key < 0 || s[start+key] != '=' {
			continue
		}
		a := assignment{}
		if a.readValue(s, start+key+1) && !isTemplateValue(s[a.start:a.end]) {
			found = appendSecret(found, s, a.start, a.end, ActionKubernetesSecret)
		}
	}
	return found
}
