package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readJSON reads a text that ParseJSON has nothing to refuse of, several times faster than the token by token reading that finds faults
// and their places: that formats an error for every scalar, only to drop it. ok is false for any other text, which is to be read that way.
// A fuzz test holds the two to each other.
func readJSON(data []byte, depth int, counts Actions) (tree any, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	r := jsonReader{data: data, depth: depth, counts: Actions{}, ok: true}
	tree = r.value()
	if !r.ok {
		return nil, false
	}
	for action, times := range r.counts {
		counts[action] += times
	}
	return tree, true
}

// jsonReader reads valid JSON, so it looks at no more of it than it needs to.
type jsonReader struct {
	data   []byte
	at     int
	depth  int // how much deeper containers may nest
	counts Actions
	ok     bool
}

// space skips white space and what stands between values, and answers the byte behind.
func (r *jsonReader) space() byte {
	for {
		switch b := r.data[r.at]; b {
		case ' ', '\t', '\r', '\n', ',', ':':
			r.at++
		default:
			return b
		}
	}
}

func (r *jsonReader) value() any {
	switch r.space() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.text()
	case 't':
		r.at += len("true")
		return true
	case 'f':
		r.at += len("false")
		return false
	case 'n':
		r.at += len("null")
		return nil
	default:
		return r.number()
	}
}

// enter goes into a container, unless that is too deep.
func (r *jsonReader) enter() bool {
	if r.depth == 0 {
		r.ok = false
		return false
	}
	r.at++
	r.depth--
	return true
}

// leave goes out of a container.
func (r *jsonReader) leave() {
	r.at++
	r.depth++
}

func (r *jsonReader) object() any {
	members := map[string]any{}
	if !r.enter() {
		return nil
	}
	for r.space() != '}' {
		key := r.text()
		if _, twice := members[key]; twice {
			r.ok = false
		}
		members[key] = r.value()
		if !r.ok {
			return nil
		}
	}
	r.leave()
	return members
}

func (r *jsonReader) array() any {
	list := []any{}
	if !r.enter() {
		return nil
	}
	for r.space() != ']' {
		list = append(list, r.value())
		if !r.ok {
			return nil
		}
	}
	r.leave()
	return list
}

func (r *jsonReader) text() string {
	begin := r.at
	r.at++
	for {
		r.at += bytes.IndexAny(r.data[r.at:], `"\`)
		if r.data[r.at] == '"' {
			break
		}
		r.at += len(`\"`)
	}
	r.at++
	literal := r.data[begin:r.at]
	if plain := literal[1 : len(literal)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		r.ok = false
	}
	if n := replacements(literal, text); n > 0 {
		r.counts[ActionUTF8Replaced] += n
	}
	return text
}

// maxPlainNumber is as many digits as a float64 has room for in front of its point.
const maxPlainNumber = 300

func (r *jsonReader) number() any {
	begin := r.at
	for r.at < len(r.data) && strings.IndexByte("+-.0123456789eE", r.data[r.at]) >= 0 {
		r.at++
	}
	text := string(r.data[begin:r.at])
	if len(text) > maxPlainNumber || strings.ContainsAny(text, "eE") {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			r.ok = false
		}
	}
	return json.Number(text)
}
