// Package signature computes the text and the IDs that identify an incident and its remedy. It does
// not depend on the types of the records.
package signature

import (
	"crypto/sha256"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// Version is the version of the normalization rules. Increment it with every rule change that
// alters a text: it is part of each signature's ID. Version 2 separates the incident from the
// action taken; version 3 chooses placeholders by position (docs/decisions/024-normalizer.md). The
// maintain function renormalizes older signatures (docs/decisions/014-renormalization.md).
const Version = 3

// Bounds of a signature's text, in bytes. A workflow's summary has a smaller limit, so that it does
// not outweigh the error.
const (
	maxText         = 8 << 10
	maxWorkflowText = 2 << 10
	maxNormalized   = 64 << 10 // of input; the rest is ignored
)

// Parts is the input of a signature, already sanitized. Of TargetResource, only the kind counts.
type Parts struct {
	Name, ActionType, TargetResource, ErrorMessage, WorkflowYAML string
}

// Make returns the signature of an incident and its remedy: its ID, the ID of the incident alone,
// and its text. For one Version, equal parts always give equal signatures.
//
// The text is embedded and searched. It consists of name, action, kind of target, error and a
// summary of the workflow, each on lines of its own, with placeholders such as <n> and <ip> for
// parts that vary between occurrences, and has at most 8 KiB. Both IDs are version 8 UUIDs: the
// incident's is derived from name, kind of target and error, the signature's from the incident's ID
// and the text.
func Make(p Parts) (id, incident [16]byte, text string) {
	name, kind, trouble := normalizeName(p.Name), Normalize(kindOfTarget(p.TargetResource)), Normalize(p.ErrorMessage)
	lines := []string{name, Normalize(p.ActionType), kind, trouble, summarizeWorkflow(p.WorkflowYAML)}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	text = truncateText(strings.Join(lines, "\n"), maxText)
	incident = uuidOfContent(name, kind, trouble)
	return uuidOfContent(string(incident[:]), text), incident, text
}

// normalizeName returns the normalized name of an alert. A name of values only stays as it is.
func normalizeName(name string) string {
	normal := Normalize(name)
	rest := normal
	for _, ph := range [...]string{phValue, phTime, phAddress} {
		rest = strings.ReplaceAll(rest, ph, "")
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r >= 0x80 || ascii.IsAlnum(byte(r)) }) {
		return normal
	}
	return collapseSpace(name)
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
