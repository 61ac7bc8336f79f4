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

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datastorage-service/datastorage/internal/ascii"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// JSONLimits bounds what ParseJSON reads. Both must be positive.
type JSONLimits struct {
	// Bytes is the largest accepted input.
	Bytes int
	// Depth is how deep objects and arrays may nest: a scalar has depth 0, {} and [] depth 1, {"a":[1]} depth 2.
	Depth int
}

// maxJSONErrors ends the search for further faults, so that an answer cannot grow with the number of mistakes in a body.
const maxJSONErrors = 100

// maxPathKey is how many bytes of a key a fault's path repeats; keys come from the caller and may be of any length.
const maxPathKey = 64

// ParseJSON reads exactly one JSON value into a tree of map[string]any, []any, string, json.Number, bool and nil.
//
// It refuses an empty input, input over the limits, text that is not JSON (RFC 8259), anything after the first value, a key
// twice in one object (compared after unescaping and replacement), and numbers whose magnitude a float64 cannot hold. The
// tree is nil when there are faults. Numbers keep the literal as written, so no digit is lost. Keys are case-sensitive.
//
// Bytes that are not UTF-8 and lone surrogates inside strings are not refused: each becomes U+FFFD and is counted in counts as
// redact.ActionUTF8Replaced, which must not be nil.
func ParseJSON(data []byte, limits JSONLimits, counts redact.Actions) (any, ValidationErrors) {
	if len(data) > limits.Bytes {
		return nil, ValidationErrors{{Code: CodeSize, Detail: fmt.Sprintf("larger than %d bytes", limits.Bytes)}}
	}
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return nil, ValidationErrors{{Code: CodeEmpty, Detail: "must not be empty"}}
	}
	p := &jsonParser{data: data, limits: limits, actions: counts}
	p.decoder = jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	tree, err := p.parseDocument()
	if err != nil && !errors.Is(err, errStopParsing) {
		p.errors.Add("", CodeMalformed, describeSyntaxError(err))
	}
	if len(p.errors) > 0 {
		return nil, p.errors
	}
	return tree, nil
}

// errStopParsing ends parsing after a fault that makes the rest of the input not worth reading.
var errStopParsing = errors.New("enough faults")

type jsonParser struct {
	data    []byte
	decoder *jsontext.Decoder
	limits  JSONLimits
	actions redact.Actions
	errors  ValidationErrors
	steps   []step // to the value that is being read, one for each container around it
}

// step is one step from a value into it: to the member with a key, or to the item with an index.
type step struct {
	key    string
	index  int
	member bool
}

// currentPath names the value that is being read.
func (p *jsonParser) currentPath() (path []byte) {
	for _, step := range p.steps {
		if step.member {
			path = appendPathKey(path, step.key)
		} else {
			path = append(strconv.AppendInt(append(path, '['), int64(step.index), 10), ']')
		}
	}
	return path
}

func (p *jsonParser) parseDocument() (any, error) {
	tree, err := p.parseValue()
	if err != nil {
		return nil, err
	}
	if _, err := p.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		p.addError(CodeMalformed, "must be one JSON value with nothing after it")
	}
	return tree, nil
}

func (p *jsonParser) addError(code, detail string) {
	p.errors.Add(string(p.currentPath()), code, detail)
}

// parseValue reads the next value. It recurses at most limits.Depth deep.
func (p *jsonParser) parseValue() (any, error) {
	if len(p.errors) >= maxJSONErrors {
		return nil, errStopParsing
	}
	switch p.decoder.PeekKind() {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		return p.parseContainer()
	case jsontext.KindString:
		return p.parseString()
	}
	token, err := p.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindNumber:
		number := token.String()
		if _, err := strconv.ParseFloat(number, 64); err != nil {
			p.addError(CodeRange, "larger than a 64-bit floating-point number can be")
		}
		return json.Number(number), nil
	default:
		return nil, nil
	}
}

func (p *jsonParser) parseContainer() (any, error) {
	if len(p.steps) == p.limits.Depth {
		p.addError(CodeDepth, fmt.Sprintf("nested deeper than %d levels", p.limits.Depth))
		return nil, errStopParsing
	}
	open, err := p.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	p.steps = append(p.steps, step{})
	defer func() { p.steps = p.steps[:len(p.steps)-1] }()
	if open.Kind() == jsontext.KindBeginArray {
		return p.parseArray()
	}
	return p.parseObject()
}

func (p *jsonParser) parseArray() (any, error) {
	list := []any{}
	for p.decoder.PeekKind() != jsontext.KindEndArray {
		p.steps[len(p.steps)-1] = step{index: len(list)}
		item, err := p.parseValue()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := p.decoder.ReadToken()
	return list, err
}

func (p *jsonParser) parseObject() (any, error) {
	members := map[string]any{}
	for p.decoder.PeekKind() != jsontext.KindEndObject {
		key, err := p.parseString()
		if err != nil {
			return nil, err
		}
		p.steps[len(p.steps)-1] = step{key: key, member: true}
		if _, twice := members[key]; twice {
			p.addError(CodeDuplicate, "the same key twice in one object")
		}
		if members[key], err = p.parseValue(); err != nil {
			return nil, err
		}
	}
	_, err := p.decoder.ReadToken()
	return members, err
}

// parseString reads a string and counts the characters that the decoder replaced in it. Where a key must stand, the decoder refuses all else.
func (p *jsonParser) parseString() (string, error) {
	start := p.decoder.InputOffset()
	token, err := p.decoder.ReadToken()
	if err != nil {
		return "", err
	}
	text := token.String()
	if n := countReplacements(p.data[start:p.decoder.InputOffset()], text); n > 0 {
		p.actions[redact.ActionUTF8Replaced] += n
	}
	return text, nil
}

// countReplacements is how many U+FFFD the decoder put into text by itself: those that raw, the literal, does not spell out.
func countReplacements(raw []byte, text string) int {
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
	if !isPlainKey(cut) {
		return append(strconv.AppendQuoteToASCII(append(path, '['), cut), ']')
	}
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, cut...)
}

func isPlainKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; !ascii.IsAlnum(c) && c != '_' && c != '-' && c < utf8.RuneSelf {
			return false
		}
	}
	return key != "" && ValidIdentifier(key)
}

// describeSyntaxError says where the text stops being JSON without repeating any of it.
func describeSyntaxError(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &syntax) {
		return "not valid JSON: it ends too early"
	}
	return fmt.Sprintf("not valid JSON near byte %d", syntax.ByteOffset)
}
