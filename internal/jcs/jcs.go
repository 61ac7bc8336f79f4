// Package jcs writes canonical JSON (RFC 8785, the JSON Canonicalization Scheme).
package jcs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotCanonical means that a value has no RFC 8785 form: a type that is not JSON, a number that
// is not finite, an integer beyond 2^53, or text that is not UTF-8. It indicates a bug in the code
// that built the value.
var ErrNotCanonical = errors.New("no canonical JSON form")

// Append appends the RFC 8785 (JCS) form of a tree of map[string]any, []any, string, json.Number,
// bool and nil, and of map[string]string. Equal values give equal bytes in every implementation of
// the RFC.
//
// The RFC writes every number as an IEEE 754 double, so a json.Number may lose digits;
// InexactNumbers lists those that do.
func Append(out []byte, tree any) ([]byte, error) {
	return appendTree(out, tree, appendLiteral)
}

// Format writes a tree with keys sorted and numbers as they were written.
func Format(tree any) ([]byte, error) {
	return appendTree(nil, tree, func(out []byte, number json.Number) ([]byte, error) { return append(out, number...), nil })
}

// AppendFormatted appends the RFC 8785 form of JSON written by Format; only numbers differ between
// the two. exact is false if a number loses digits; InexactNumbers lists those that do.
func AppendFormatted(out []byte, text string) (_ []byte, exact bool, err error) {
	exact = true
	for text != "" {
		token := text[:tokenLength(text)]
		text = text[len(token):]
		if !startsNumber(token[0]) {
			out = append(out, token...)
			continue
		}
		exact = exact && isExactNumber(token)
		if out, err = appendLiteral(out, json.Number(token)); err != nil {
			return nil, false, err
		}
	}
	return out, exact, nil
}

// tokenLength returns the length of the string or number that text starts with, or 1 for any other
// token.
func tokenLength(text string) int {
	switch {
	case text[0] == '"':
		return stringLength(text)
	case startsNumber(text[0]):
		return len(text) - len(strings.TrimLeft(text, "+-.0123456789Ee"))
	}
	return 1
}

func startsNumber(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// stringLength returns the length of the JSON string that text starts with, quotation marks
// included.
func stringLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// appendTree appends a tree with its keys in RFC 8785 order, and its numbers with appendNumber.
func appendTree(out []byte, v any, appendNumber func([]byte, json.Number) ([]byte, error)) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case string:
		return AppendString(out, v)
	case json.Number:
		return appendNumber(out, v)
	case []any:
		return appendArray(out, v, appendNumber)
	case map[string]any:
		return appendObject(out, v, appendNumber)
	case map[string]string:
		return appendObject(out, v, appendNumber)
	default:
		return nil, fmt.Errorf("%T: %w", v, ErrNotCanonical)
	}
}

func appendArray(out []byte, list []any, appendNumber func([]byte, json.Number) ([]byte, error)) ([]byte, error) {
	var err error
	out = append(out, '[')
	for i, item := range list {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendTree(out, item, appendNumber); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendObject[V any](out []byte, members map[string]V, appendNumber func([]byte, json.Number) ([]byte, error)) ([]byte, error) {
	var err error
	keys := slices.AppendSeq(make([]string, 0, len(members)), maps.Keys(members))
	slices.SortFunc(keys, compareUTF16)
	out = append(out, '{')
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = AppendString(out, key); err != nil {
			return nil, err
		}
		if out, err = appendTree(append(out, ':'), members[key], appendNumber); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// compareUTF16 orders UTF-8 strings by their UTF-16 code units (RFC 8785, section 3.2.3). The order
// of bytes differs only between a character beyond U+FFFF (first byte F0 or above) and one from
// U+E000 to U+FFFF (first byte EE or EF): the surrogates of the former, D800 to DFFF, come first.
func compareUTF16(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if low, high := min(a[i], b[i]), max(a[i], b[i]); low >= 0xEE && low < 0xF0 && high >= 0xF0 {
			return cmp.Compare(b[i], a[i])
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// AppendString writes s as a JSON string, or returns ErrNotCanonical if s is not valid UTF-8.
func AppendString(out []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("string: %w", ErrNotCanonical)
	}
	return AppendQuote(out, s), nil
}

// AppendQuote appends s as a JSON string with only the escapes of RFC 8785, section 3.2.2.2. s must
// be valid UTF-8.
func AppendQuote(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	const short = "btn\x00fr" // \b \t \n, none for U+000B, \f \r
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		out = append(append(out, s[from:i]...), '\\')
		from = i + 1
		switch {
		case c >= 0x20:
			out = append(out, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			out = append(out, short[c-'\b'])
		default:
			out = append(out, 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(out, s[from:]...), '"')
}

// AppendInteger writes n, or returns ErrNotCanonical beyond ±2^53, where RFC 8785 would round it.
func AppendInteger(out []byte, n int64) ([]byte, error) {
	if n > 1<<53 || n < -1<<53 {
		return nil, fmt.Errorf("integer beyond 2^53: %w", ErrNotCanonical)
	}
	return strconv.AppendInt(out, n, 10), nil
}

// appendLiteral appends the RFC 8785 form of a number literal.
func appendLiteral(out []byte, literal json.Number) ([]byte, error) {
	f, err := strconv.ParseFloat(literal.String(), 64)
	if err != nil {
		return nil, fmt.Errorf("number: %w", ErrNotCanonical)
	}
	return AppendNumber(out, f)
}

// AppendNumber writes f as ECMAScript's Number.prototype.toString does (RFC 8785, section 3.2.2.3).
func AppendNumber(out []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("number that is not finite: %w", ErrNotCanonical)
	}
	if f == 0 {
		return append(out, '0'), nil // also for -0
	}
	if size := math.Abs(f); size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(out, f, 'f', -1, 64), nil
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two exponent digits, ECMAScript as few as possible.
	text = strings.Replace(text, "e-0", "e-", 1)
	return append(out, text...), nil
}

// InexactNumbers returns the numbers in a tree that lose digits in Append, such as
// 1700000000123456789: their decimal value differs from that of the shortest representation of
// their float64. Keys are JSON Pointers (RFC 6901), values the literals; the map is nil if all
// numbers are exact. A document that contains both the tree and this map has different canonical
// bytes for different numbers.
func InexactNumbers(v any) map[string]string {
	var found map[string]string
	visitNumbers(v, "", func(pointer, literal string) {
		if isExactNumber(literal) {
			return
		}
		if found == nil {
			found = map[string]string{}
		}
		found[pointer] = literal
	})
	return found
}

func visitNumbers(v any, pointer string, visit func(pointer, literal string)) {
	switch v := v.(type) {
	case json.Number:
		visit(pointer, v.String())
	case []any:
		for i, item := range v {
			visitNumbers(item, pointer+"/"+strconv.Itoa(i), visit)
		}
	case map[string]any:
		for key, item := range v {
			visitNumbers(item, pointer+"/"+pointerEscaper.Replace(key), visit)
		}
	}
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func isExactNumber(literal string) bool {
	if len(literal) <= 15 && strings.Trim(literal, "0123456789") == "" {
		return true // a whole number below 2^53
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return false
	}
	digits, exponent, ok := significantDigits(literal)
	short, shortExponent, _ := significantDigits(strconv.FormatFloat(f, 'e', -1, 64))
	return ok && digits == short && exponent == shortExponent
}

// significantDigits splits a JSON number into its significant digits, without zeros at either end,
// and the power of ten of the last one. Zero is "", 0. Its running time depends on the length of
// the literal, not on its exponent. The sign is ignored, since a float64 always keeps it. ok is
// false if the exponent of a nonzero value does not fit in an int.
func significantDigits(literal string) (digits string, exponent int, ok bool) {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(literal, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "", 0, true
	}
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return "", 0, false
		}
	}
	trimmed := strings.TrimRight(digits, "0")
	return trimmed, exponent - len(fraction) + len(digits) - len(trimmed), true
}
