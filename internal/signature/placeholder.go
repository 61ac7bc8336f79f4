package signature

import (
	"bytes"
	"strings"
)

// The placeholders. Normalize leaves them unchanged.
const (
	phValue   = "<n>"
	phTime    = "<time>"
	phAddress = "<ip>"
)

// leadingPlaceholder returns the placeholder at the start of s, or "".
func leadingPlaceholder(s string) string {
	if s == "" || s[0] != '<' {
		return ""
	}
	for _, ph := range [...]string{phValue, phTime, phAddress} {
		if strings.HasPrefix(s, ph) {
			return ph
		}
	}
	return ""
}

// writePlaceholder appends the placeholder, unless it continues a value or a list of the same kind
// of value.
func (n *normalizer) writePlaceholder(ph string) {
	n.values++
	text := n.out[max(n.lineStart, len(n.out)-len(ph)-longestJoint):]
	if i := bytes.LastIndexByte(text, '>'); i >= 0 && bytes.HasSuffix(text[:i+1], []byte(ph)) {
		placeholder := len(n.out) - len(text) + i + 1 - len(ph)
		if n.joins(text[i+1:], placeholder) {
			n.out = n.out[:placeholder]
		}
	}
	n.out = append(n.out, ph...)
}

const longestJoint = len(" and ")

// joins reports whether the text between two placeholders of one kind joins the parts of one value,
// such as a version or a duration, or the values of a list. The first placeholder is at the index. A
// hyphen does not join the number of a name: libfoo2-3 has two.
func (n *normalizer) joins(joint []byte, placeholder int) bool {
	switch string(joint) {
	case "", ".", ":", "+", ",", " ", ", ", " and ":
		return true
	case "-", "_":
		return placeholder == n.lineStart || !isLetter(n.out[placeholder-1])
	}
	return false
}

// mergeListItem removes the list item that ends the output if it equals the one before it and has a
// placeholder: worker-<n>, worker-<n> is a list of any length.
func (n *normalizer) mergeListItem() {
	const longest = 256 // of two items
	line := n.out[max(n.lineStart, len(n.out)-longest):]
	comma := bytes.LastIndexByte(line, ',')
	if comma < 0 {
		return
	}
	item := bytes.TrimPrefix(line[comma+1:], []byte(" "))
	if bytes.IndexByte(item, '<') < 0 || bytes.IndexByte(item, ' ') >= 0 {
		return
	}
	if before := line[:comma]; bytes.HasSuffix(before, item) && startsItem(before[:len(before)-len(item)]) {
		n.out = n.out[:len(n.out)-len(line)+comma]
	}
}

// startsItem reports whether a list item may start after the text.
func startsItem(text []byte) bool {
	return len(text) == 0 || bytes.IndexByte([]byte(" ,([{:="), text[len(text)-1]) >= 0
}
