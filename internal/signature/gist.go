package signature

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// summarizeWorkflow returns what a workflow does, normalized and at most 2 KiB: its comments, names
// and descriptions of steps, commands, and running text. Other fields of manifests (labels, images,
// ports, namespaces) are omitted.
func summarizeWorkflow(workflow string) string {
	var kept strings.Builder
	inBlock, blockIndent := false, 0 // whether a descriptive key's block is open, and the key's indentation
	for line := range strings.Lines(workflow) {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " \t-"))
		if inBlock && text != "" && indent <= blockIndent {
			inBlock = false
		}
		summary, opens := summarizeLine(text, inBlock)
		if opens {
			inBlock, blockIndent = true, indent
		}
		if summary != "" {
			kept.WriteString(summary)
			kept.WriteByte('\n')
		}
		if kept.Len() > 4*maxWorkflowText {
			break
		}
	}
	return truncateText(Normalize(kept.String()), maxWorkflowText)
}

// summarizeLine returns the descriptive part of a line, and whether the lines indented below it are
// descriptive as well.
func summarizeLine(text string, inBlock bool) (summary string, opens bool) {
	text = strings.TrimLeft(text, "- ")
	if comment, ok := strings.CutPrefix(text, "#"); ok {
		return strings.TrimLeft(comment, "# "), false
	}
	if inBlock {
		return strings.Trim(text, "|>`"), false
	}
	key, value, isField := strings.Cut(text, ":")
	if !isField || !isFieldName(key) || value != "" && value[0] != ' ' {
		return strings.Trim(text, "`-"), false
	}
	if !isDescriptiveKey(key) {
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

// isDescriptiveKey reports whether key is a field of a workflow format (Argo, Tekton, GitHub Actions,
// Ansible, shell scripts) that describes the action of a step.
func isDescriptiveKey(key string) bool {
	switch strings.ToLower(strings.Trim(key, "\"'")) {
	case "name", "title", "description", "summary", "message", "reason", "action", "step", "task", "uses", "operation", "verb", "strategy",
		"runbook", "note", "kind", "when", "if", "query", "expr":
		return true
	}
	return isCommandKey(key)
}

// isCommandKey reports whether the field holds a command line or a list of its words.
func isCommandKey(key string) bool {
	switch strings.ToLower(strings.Trim(key, "\"'")) {
	case "run", "command", "cmd", "args", "script", "shell", "exec", "source":
		return true
	}
	return false
}
