// Package signature makes the text and the IDs that identify an incident and its remedy. The
// records that they are made from are unknown to it.
package signature

import (
	"crypto/sha256"
	"slices"
	"strings"
	"unicode/utf8"
)

// Version is the version of the normalization rules. Increment it with every rule change that
// alters a text: it is part of each signature's ID. Version 2 separates the incident from the
// action taken. The maintain function renormalizes older signatures
// (docs/decisions/014-renormalization.md).
const Version = 2

// Bounds of a signature's text, in bytes. The gist of a workflow is held shorter, so that it never
// crowds out the error.
const (
	maxText         = 8 << 10
	maxWorkflowText = 2 << 10
	maxNormalized   = 64 << 10 // of input; what comes later cannot tell incidents apart
)

// Parts is the input of a signature. It must be sanitized already.
type Parts struct {
	Name, ActionType, TargetKind, ErrorMessage, WorkflowYAML string
}

// Make makes the signature of an incident: its id, the id of the incident alone, and its text.
// Equal parts give equal signatures, everywhere and always for one Version.
//
// The text is what is embedded and searched: name, action, kind of target, error and the workflow's
// gist, a line each, with placeholders such as <ip> and <pod> for what changes between two
// occurrences. At most 8 KiB. Both ids are UUIDs of version 8: that of the incident is made from
// name, kind of target and error, that of the signature from the incident's id and the text.
func Make(p Parts) (id, incident [16]byte, text string) {
	name, kind, trouble := Normalize(p.Name), Normalize(p.TargetKind), Normalize(p.ErrorMessage)
	lines := []string{name, Normalize(p.ActionType), kind, trouble, summarizeWorkflow(p.WorkflowYAML)}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	text = truncateText(strings.Join(lines, "\n"), maxText)
	incident = uuidOfContent(name, kind, trouble)
	return uuidOfContent(string(incident[:]), text), incident, text
}

// uuidOfContent returns a version 8 UUID (RFC 9562, section 5.8): the first 16 bytes of
// SHA-256(Version ‖ parts, separated by zero bytes), with the version and variant bits set.
func uuidOfContent(parts ...string) [16]byte {
	size := len(parts)
	for _, part := range parts {
		size += len(part)
	}
	text := append(make([]byte, 0, size), Version)
	for i, part := range parts {
		if i > 0 {
			text = append(text, 0)
		}
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	id := [16]byte(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// truncateText shortens a normalized text to at most limit bytes, at a nearby space or line break
// if there is one, and never within a rune or a placeholder.
func truncateText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	const near = 64
	if n := strings.LastIndexAny(s[cut-min(cut, near):cut], " \n"); n >= 0 {
		cut += n - min(cut, near)
	} else if n := strings.LastIndexByte(s[:cut], '<'); n >= 0 && cut-n < near {
		cut = n
	}
	return strings.TrimRight(s[:cut], " \n")
}
