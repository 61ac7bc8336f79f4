package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// workflowGist is what a workflow does, in its own words, normalised and at most 2 KiB: comments, the names and descriptions of steps,
// commands, and running text. Manifests' other fields (labels, images, ports, namespaces) say how, not what, and are left out.
func workflowGist(workflow string) string {
	var kept strings.Builder
	taking, outer := false, 0 // whether a block under a telling key is being read, and the indentation of that key
	for line := range strings.Lines(workflow) {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " \t-"))
		if taking && text != "" && indent <= outer {
			taking = false
		}
		tel, opens := gistOfLine(text, taking)
		if opens {
			taking, outer = true, indent
		}
		if tel != "" {
			kept.WriteString(tel)
			kept.WriteByte('\n')
		}
		if kept.Len() > 4*maxGistText {
			break
		}
	}
	return cutText(Normalize(kept.String()), maxGistText)
}

// gistOfLine is what one line tells, and whether the lines indented under it tell as well.
func gistOfLine(text string, taking bool) (tel string, opens bool) {
	text = strings.TrimLeft(text, "- ")
	if comment, ok := strings.CutPrefix(text, "#"); ok {
		return strings.TrimLeft(comment, "# "), false
	}
	if taking {
		return strings.Trim(text, "|>`"), false
	}
	key, value, isField := strings.Cut(text, ":")
	if !isField || !isFieldName(key) || value != "" && value[0] != ' ' {
		return strings.Trim(text, "`-"), false
	}
	if !isTellingKey(key) {
		return "", false
	}
	value = strings.TrimSpace(value)
	if ascii.IsBlockIndicator(value) {
		return "", true
	}
	return strings.Trim(value, "\"'"), value == "" && isCommandKey(key)
}

func isFieldName(key string) bool {
	name := strings.Trim(key, "\"'")
	return name != "" && ascii.PrefixLen(name, func(c byte) bool { return ascii.IsDottedWord(c) || c == '/' }) == len(name)
}

// isTellingKey holds for the fields of workflow formats (Argo, Tekton, GitHub Actions, Ansible, plain scripts) that say what is done.
func isTellingKey(key string) bool {
	switch strings.ToLower(strings.Trim(key, "\"'")) {
	case "name", "title", "description", "summary", "message", "reason", "action", "step", "task", "uses", "operation", "verb", "strategy",
		"runbook", "note", "kind", "when", "if", "query", "expr":
		return true
	}
	return isCommandKey(key)
}

// isCommandKey holds for those that hold a command line, or a list of its words.
func isCommandKey(key string) bool {
	switch strings.ToLower(strings.Trim(key, "\"'")) {
	case "run", "command", "cmd", "args", "script", "shell", "exec", "source":
		return true
	}
	return false
}
