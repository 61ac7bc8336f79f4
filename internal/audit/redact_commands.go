package audit

import "strings"

// findCommands finds secrets that stand after a flag or a fixed phrase, with a space between: --password X, curl -u user:X,
// IDENTIFIED BY 'X', login L password X.
func findCommands(s string, found []span) []span {
	found = findFlags(s, found)
	found = findCurlUsers(s, found)
	return findPhrases(s, found)
}

// findFlags finds the values of flags whose name labels a secret.
func findFlags(s string, found []span) []span {
	for i := 0; ; {
		n := strings.Index(s[i:], "-")
		if n < 0 {
			return found
		}
		i += n
		dash := i
		i += spanOf(s[i:], func(c byte) bool { return c == '-' })
		if dash > 0 && !isSpace(s[dash-1]) && strings.IndexByte("\"'`([,", s[dash-1]) < 0 {
			continue
		}
		end := i + spanOf(s[i:], isWord)
		if end == len(s) || !isBlank(s[end]) {
			i = end
			continue
		}
		if kind := labelClass(s[i:end]); kind != labelNone {
			found = addFlagValue(found, s, end, kind)
		}
		i = end
	}
}

func addFlagValue(found []span, s string, i int, kind class) []span {
	a := assignment{separator: '='}
	if !a.readValue(s, i) {
		return found
	}
	value := s[a.start:a.end]
	if value[0] == '-' && !a.quoted || isReference(value) || kind == labelSecret && isObjectName(assignment{separator: ':'}, value) {
		return found
	}
	action := ActionToken
	if kind == labelPassword {
		action = ActionPassword
	}
	return add(found, s, a.start, a.end, action)
}

// findCurlUsers finds the password in curl's -u user:password.
func findCurlUsers(s string, found []span) []span {
	for i := 0; ; {
		n := strings.Index(s[i:], "curl ")
		if n < 0 {
			return found
		}
		i += n + len("curl ")
		found = addCurlUser(found, s, i, lineEnd(s, i))
	}
}

func addCurlUser(found []span, s string, start, end int) []span {
	for _, flag := range []string{" -u ", " -u", " --user ", " --user=", " --proxy-user ", " -U "} {
		n := strings.Index(s[start-1:end], flag)
		if n < 0 {
			continue
		}
		a := assignment{}
		if !a.readValue(s, start-1+n+len(flag)) {
			continue
		}
		user, password, ok := strings.Cut(s[a.start:a.end], ":")
		if ok && !isReference(password) {
			return add(found, s, a.start+len(user)+1, a.end, ActionBasic)
		}
	}
	return found
}

// findPhrases finds secrets after fixed words.
func findPhrases(s string, found []span) []span {
	for _, phrase := range []struct {
		words string
		holds func(before string, a assignment) bool
	}{
		{"identified by ", isQuoted},
		{"IDENTIFIED BY ", isQuoted},
		{"with password ", isQuoted},
		{"PASSWORD ", isQuoted},
		{" password ", followsLogin},
		{"requirepass ", always},
		{"masterauth ", always},
		{"sshpass -p", always},
	} {
		for i := 0; ; {
			n := strings.Index(s[i:], phrase.words)
			if n < 0 {
				break
			}
			before := i + n
			i = before + len(phrase.words)
			a := assignment{}
			if a.readValue(s, i) && phrase.holds(s[:before], a) && !isReference(s[a.start:a.end]) {
				found = add(found, s, a.start, a.end, ActionPassword)
			}
		}
	}
	return findLiterals(s, found)
}

func always(string, assignment) bool       { return true }
func isQuoted(_ string, a assignment) bool { return a.quoted }
func followsLogin(before string, _ assignment) bool { // netrc: login NAME password WORD
	before = before[max(0, len(before)-maxLabel):]
	name := strings.LastIndexAny(before, " \t\n")
	return name > 0 && strings.HasSuffix(strings.TrimRight(before[:name], " \t\n"), "login")
}

// findLiterals finds the values of kubectl create secret … --from-literal=key=value.
func findLiterals(s string, found []span) []span {
	const flag, command, reach = "--from-literal", "create secret", 1024
	for i := 0; ; {
		n := strings.Index(s[i:], flag)
		if n < 0 {
			return found
		}
		i += n + len(flag)
		if !strings.Contains(s[max(0, i-reach):i], command) {
			continue
		}
		start := min(len(s), i+1)
		key := strings.IndexAny(s[start:], "= \n")
		if key < 0 || s[start+key] != '=' {
			continue
		}
		a := assignment{}
		if a.readValue(s, start+key+1) && !isTemplate(s[a.start:a.end]) {
			found = add(found, s, a.start, a.end, ActionKubernetesSecret)
		}
	}
}
