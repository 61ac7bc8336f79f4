package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONLimits bounds what ParseJSON reads. Both must be positive.
type JSONLimits struct {
	// Bytes is the largest accepted input.
	Bytes int
	// Depth is how deep objects and arrays may nest: a scalar has depth 0, {} and [] depth 1, {"a":[1]} depth 2.
	Depth int
}

// maxJSONFaults ends the search for further faults, so that an answer cannot grow with the number of mistakes in a body.
const maxJSONFaults = 100

// maxPathKey is how many bytes of a key a fault's path repeats; keys come from the caller and may be of any length.
const maxPathKey = 64

// ParseJSON reads exactly one JSON value into a tree of map[string]any, []any, string, json.Number, bool and nil.
//
// It refuses an empty input, input over the limits, text that is not JSON (RFC 8259), anything after the first value, a key
// twice in one object (compared after unescaping and replacement), and numbers whose magnitude a float64 cannot hold. The
// tree is nil when there are faults. Numbers keep the literal as written, so no digit is lost. Keys are case-sensitive.
//
// Bytes that are not UTF-8 and lone surrogates inside strings are not refused: each becomes U+FFFD and is counted in counts as
// ActionUTF8Replaced, which must not be nil.
func ParseJSON(data []byte, limits JSONLimits, counts Actions) (any, Faults) {
	if len(data) > limits.Bytes {
		return nil, Faults{{Code: CodeSize, Detail: fmt.Sprintf("larger than %d bytes", limits.Bytes)}}
	}
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return nil, Faults{{Code: CodeEmpty, Detail: "must not be empty"}}
	}
	if tree, ok := readJSON(data, limits.Depth, counts); ok {
		return tree, nil
	}
	return parseTokens(data, limits, counts)
}

// parseTokens is ParseJSON of a text within the limit of bytes that may have any fault.
func parseTokens(data []byte, limits JSONLimits, counts Actions) (any, Faults) {
	p := &jsonParser{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), limits: limits, counts: counts}
	p.decoder.UseNumber()
	tree, err := p.document()
	if err != nil && !errors.Is(err, errEnough) {
		p.faults.Add("", CodeMalformed, malformedDetail(err, p.decoder.InputOffset()))
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return tree, nil
}

// errEnough ends parsing after a fault that makes the rest of the input not worth reading.
var errEnough = errors.New("enough faults")

type jsonParser struct {
	data    []byte
	decoder *json.Decoder
	limits  JSONLimits
	counts  Actions
	faults  Faults
	path    []byte // of the value being read
	depth   int
}

func (p *jsonParser) document() (any, error) {
	tree, err := p.value()
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		p.fault(CodeMalformed, "must be one JSON value with nothing after it")
	}
	return tree, nil
}

func (p *jsonParser) fault(code, detail string) {
	p.faults.Add(string(p.path), code, detail)
}

// value reads the next value. It recurses at most limits.Depth deep.
func (p *jsonParser) value() (any, error) {
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		return p.container(token)
	case json.Number:
		if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
			p.fault(CodeRange, "larger than a 64-bit floating-point number can be")
		}
	}
	return token, nil
}

func (p *jsonParser) container(open json.Delim) (any, error) {
	if p.depth == p.limits.Depth {
		p.fault(CodeDepth, fmt.Sprintf("nested deeper than %d levels", p.limits.Depth))
		return nil, errEnough
	}
	p.depth++
	defer func() { p.depth-- }()
	if open == '[' {
		return p.array()
	}
	return p.object()
}

func (p *jsonParser) array() (any, error) {
	list := []any{}
	base := len(p.path)
	for p.decoder.More() {
		p.path = append(strconv.AppendInt(append(p.path, '['), int64(len(list)), 10), ']')
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		p.path = p.path[:base]
	}
	_, err := p.token()
	return list, err
}

func (p *jsonParser) object() (any, error) {
	members := map[string]any{}
	base := len(p.path)
	for p.decoder.More() {
		token, err := p.token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string) // the decoder refuses any other token here
		p.path = appendPathKey(p.path, key)
		if _, twice := members[key]; twice {
			p.fault(CodeDuplicate, "the same key twice in one object")
		}
		if members[key], err = p.value(); err != nil {
			return nil, err
		}
		p.path = p.path[:base]
	}
	_, err := p.token()
	return members, err
}

// token reads one token and counts the characters that the decoder replaced in it.
func (p *jsonParser) token() (json.Token, error) {
	if len(p.faults) >= maxJSONFaults {
		return nil, errEnough
	}
	start := p.decoder.InputOffset()
	token, err := p.decoder.Token()
	if text, ok := token.(string); ok {
		if n := replacements(p.data[start:p.decoder.InputOffset()], text); n > 0 {
			p.counts[ActionUTF8Replaced] += n
		}
	}
	return token, err
}

// replacements is how many U+FFFD the decoder put into text by itself: those that raw, the literal, does not spell out.
func replacements(raw []byte, text string) int {
	n := strings.Count(text, "\uFFFD")
	if n == 0 {
		return 0
	}
	n -= bytes.Count(raw, []byte("\uFFFD"))
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i+6 <= len(raw) && strings.EqualFold(string(raw[i:i+6]), `\ufffd`) {
			n--
		}
		i++
	}
	return n
}

// FieldPath is the path of a member within the value at path, as faults name it. A long or strange key is cut and quoted.
func FieldPath(path, key string) string {
	return string(appendPathKey([]byte(path), key))
}

// appendPathKey appends .key, or ["key"] for a key that would make the path ambiguous or unprintable.
func appendPathKey(path []byte, key string) []byte {
	cut := key
	if len(key) > maxPathKey {
		cut = strings.ToValidUTF8(key[:maxPathKey], "") + "…"
	}
	if !plainKey(cut) {
		return append(strconv.AppendQuoteToASCII(append(path, '['), cut), ']')
	}
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, cut...)
}

func plainKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; !isAlnum(c) && c != '_' && c != '-' && c < utf8.RuneSelf {
			return false
		}
	}
	return key != "" && ValidIdentifier(key)
}

// malformedDetail says where the text stops being JSON without repeating any of it.
func malformedDetail(err error, offset int64) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "not valid JSON: it ends too early"
	}
	return fmt.Sprintf("not valid JSON near byte %d", offset)
}

// FormatJSON writes a tree as ParseJSON makes it, with keys sorted and numbers as they were written.
func FormatJSON(tree any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tree); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
