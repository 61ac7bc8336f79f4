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

// JSONLimits limits the input of ParseJSON. Both must be positive.
type JSONLimits struct {
	// Bytes is the maximum size of the input.
	Bytes int
	// Depth is the maximum nesting of objects and arrays: 0 is a scalar, 1 is {} or [], 2 is
	// {"a":[1]}.
	Depth int
}

// maxJSONErrors is the number of errors after which parsing ends, so that a response does not grow
// with the errors in a body.
const maxJSONErrors = 100

// maxPathKey is the maximum number of bytes of a key in an error's path. Keys may have any length.
const maxPathKey = 64

// ParseJSON parses exactly one JSON value (RFC 8259) into a tree of map[string]any, []any, string,
// json.Number, bool and nil. Numbers keep their literal, so no digit is lost. If there are errors,
// the tree is nil.
//
// Errors are: empty input, input over the limits, invalid syntax, data after the value, duplicate
// keys in an object (compared after unescaping and replacement), and numbers out of the range of a
// float64.
//
// Invalid UTF-8 and lone surrogates in strings are not errors: each is replaced by U+FFFD and
// counted in actions, which must not be nil, as redact.ActionUTF8Replaced.
func ParseJSON(data []byte, limits JSONLimits, actions redact.Actions) (any, ValidationErrors) {
	if len(data) > limits.Bytes {
		return nil, ValidationErrors{{Code: CodeSize, Detail: fmt.Sprintf("must be at most %d bytes", limits.Bytes)}}
	}
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		return nil, ValidationErrors{{Code: CodeEmpty, Detail: "must not be empty"}}
	}
	p := &jsonParser{data: data, limits: limits, actions: actions}
	p.decoder = jsontext.NewDecoder(
		bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
	)
	tree, err := p.parseDocument()
	if err != nil && !errors.Is(err, errStopParsing) {
		p.errors.Add("", CodeMalformed, describeSyntaxError(err))
	}
	if len(p.errors) > 0 {
		return nil, p.errors
	}
	return tree, nil
}

// errStopParsing ends parsing after a validation error that makes the rest irrelevant.
var errStopParsing = errors.New("stop parsing")

type jsonParser struct {
	data    []byte
	decoder *jsontext.Decoder
	limits  JSONLimits
	actions redact.Actions
	errors  ValidationErrors
	steps   []step // from the root to the current value, one per container
}

// step is one element of a path: the member with key, or the item at index.
type step struct {
	key    string
	index  int
	member bool
}

// currentPath returns the path of the current value.
func (p *jsonParser) currentPath() (path []byte) {
	for _, step := range p.steps {
		if step.member {
			path = appendKeyToPath(path, step.key)
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
		p.addError(CodeMalformed, "unexpected data after the JSON value")
	}
	return tree, nil
}

func (p *jsonParser) addError(code, detail string) {
	p.errors.Add(string(p.currentPath()), code, detail)
}

// parseValue parses the next value. limits.Depth bounds the recursion.
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
			p.addError(CodeRange, "exceeds the range of a 64-bit floating-point number")
		}
		return json.Number(number), nil
	default:
		return nil, nil
	}
}

func (p *jsonParser) parseContainer() (any, error) {
	if len(p.steps) == p.limits.Depth {
		p.addError(CodeDepth, fmt.Sprintf("must not be nested deeper than %d levels", p.limits.Depth))
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
			p.addError(CodeDuplicate, "duplicate key")
		}
		if members[key], err = p.parseValue(); err != nil {
			return nil, err
		}
	}
	_, err := p.decoder.ReadToken()
	return members, err
}

// parseString parses a string or a key and counts the characters that the decoder replaced in it.
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

// countReplacements returns the number of U+FFFD in text that the decoder inserted, that is,
// without those in raw, the literal.
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

// FieldPath returns the path of a member of the value at path, as in ValidationError.Field. Long
// keys are truncated, and keys with special characters are quoted.
func FieldPath(path, key string) string {
	return string(appendKeyToPath([]byte(path), key))
}

// appendKeyToPath appends .key, or ["key"] if the key would make the path ambiguous or unprintable.
func appendKeyToPath(path []byte, key string) []byte {
	cut := key
	if len(key) > maxPathKey {
		cut = strings.ToValidUTF8(key[:maxPathKey], "") + "…"
	}
	if !isUnquotedKey(cut) {
		return append(strconv.AppendQuoteToASCII(append(path, '['), cut), ']')
	}
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, cut...)
}

func isUnquotedKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; !ascii.IsAlnum(c) && c != '_' && c != '-' && c < utf8.RuneSelf {
			return false
		}
	}
	return key != "" && ValidIdentifier(key)
}

// describeSyntaxError describes the position of a syntax error without quoting the input.
func describeSyntaxError(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &syntax) {
		return "invalid JSON: unexpected end of input"
	}
	return fmt.Sprintf("invalid JSON near byte %d", syntax.ByteOffset)
}
