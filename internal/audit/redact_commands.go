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
		n := strings.IndexByte(s[i:], '-')
		if n < 0 {
			return found
		}
		dash := i + n
		i = dash + spanOf(s[dash:], func(c byte) bool { return c == '-' })
		if dash > 0 && !isSpace(s[dash-1]) && strings.IndexByte("\"'`([,", s[dash-1]) < 0 {
			continue
		}
		name := i
		i += spanOf(s[i:], isWord)
		if i == len(s) || !isBlank(s[i]) {
			continue
		}
		a := assignment{label: s[name:i], separator: ':', class: labelClass(s[name:i])}
		if a.class != labelNone && a.readValue(s, i) && (a.quoted || s[a.start] != '-') {
			found = addFlag(found, s, a)
			i = a.end
		}
	}
}

func addFlag(found []span, s string, a assignment) []span {
	value := s[a.start:a.end]
	if isReference(value) || a.class == labelSecret && isObjectName(a, value) {
		return found
	}
	return add(found, s, a.start, a.end, labelAction(a.class, a.label))
}

// findCurlUsers finds the password in curl's -u user:password.
func findCurlUsers(s string, found []span) []span {
	const command = "curl "
	for i := strings.Index(s, command); i >= 0; {
		i += len(command)
		next := strings.Index(s[i:], command)
		end := len(s)
		if next >= 0 {
			end = i + next
		}
		found = addCurlUser(found, s[:lineEnd(s[:end], i)], i-1)
		if next < 0 {
			break
		}
		i = end
	}
	return found
}

func addCurlUser(found []span, s string, start int) []span {
	for _, flag := range []string{" -u", " --user ", " --user=", " --proxy-user ", " -U "} {
		n := strings.Index(s[start:], flag)
		if n < 0 {
			continue
		}
		a := assignment{}
		if !a.readValue(s, start+n+len(flag)) {
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
