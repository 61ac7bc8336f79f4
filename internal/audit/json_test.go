package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/jcs"
	"github.com/datastorage-service/datastorage/internal/redact"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     any
		counts   redact.Actions
	}{
		{"scalars", ` [null, true, false, "x", 1] `, []any{nil, true, false, "x", json.Number("1")}, redact.Actions{}},
		{"empty containers are not nil", `{"a":{},"b":[]}`, map[string]any{"a": map[string]any{}, "b": []any{}}, redact.Actions{}},
		{
			"numbers as written", `[1.10, -0, 1E5, 1700000000123456789, 0.1000000000000000055, 1e-400]`,
			[]any{json.Number("1.10"), json.Number("-0"), json.Number("1E5"), json.Number("1700000000123456789"), json.Number("0.1000000000000000055"), json.Number("1e-400")},
			redact.Actions{},
		},
		{"keys are case-sensitive", `{"a":1,"A":2}`, map[string]any{"a": json.Number("1"), "A": json.Number("2")}, redact.Actions{}},
		{"escapes", `"\u00e9\n\ud83d\ude00\u0000"`, "é\n😀\x00", redact.Actions{}},
		{"depth at the limit", `{"a":[[1]]}`, map[string]any{"a": []any{[]any{json.Number("1")}}}, redact.Actions{}},
		{"invalid utf-8", "[\"a\xffb\",\"\xc3\"]", []any{"a\uFFFDb", "\uFFFD"}, redact.Actions{redact.ActionUTF8Replaced: 2}},
		{"invalid utf-8 in a key", "{\"\xff\":1}", map[string]any{"\uFFFD": json.Number("1")}, redact.Actions{redact.ActionUTF8Replaced: 1}},
		{"lone surrogates", `["\ud800","\udc00x","\ud800\ud800"]`, []any{"\uFFFD", "\uFFFDx", "\uFFFD\uFFFD"}, redact.Actions{redact.ActionUTF8Replaced: 4}},
		{"replacement characters in the input", `["\uFFFD","\\\ufffd","` + "\uFFFD" + `","\\ufffd"]`, []any{"\uFFFD", "\\\uFFFD", "\uFFFD", `\ufffd`}, redact.Actions{}},
		{"replacement characters in the input and inserted", "\"\\ufffd\xff\uFFFD\"", "\uFFFD\uFFFD\uFFFD", redact.Actions{redact.ActionUTF8Replaced: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			counts := redact.Actions{}
			got, invalid := ParseJSON([]byte(tt.in), JSONLimits{Bytes: 1000, Depth: 3}, counts)
			if err := invalid.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.counts, counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseJSONRejects(t *testing.T) {
	t.Parallel()
	one := func(field, code string) []ValidationError { return []ValidationError{{Field: field, Code: code}} }
	tests := []struct {
		name, in string
		want     []ValidationError // without details
	}{
		{"empty", "", one("", CodeEmpty)},
		{"white space", " \t\r\n", one("", CodeEmpty)},
		{"over the size limit", `"` + strings.Repeat("x", 1000) + `"`, one("", CodeSize)},
		{"words", "hello", one("", CodeMalformed)},
		{"truncated", `{"a":[1,`, one("", CodeMalformed)},
		{"truncated in a string", `{"a":"b`, one("", CodeMalformed)},
		{"byte order mark", "\uFEFF{}", one("", CodeMalformed)},
		{"trailing comma", `[1,]`, one("", CodeMalformed)},
		{"trailing comma in an object", `{"a":1,}`, one("", CodeMalformed)},
		{"missing comma", `[1 2]`, one("", CodeMalformed)},
		{"missing colon", `{"a" 1}`, one("", CodeMalformed)},
		{"key without quotes", `{a:1}`, one("", CodeMalformed)},
		{"key that is a number", `{1:1}`, one("", CodeMalformed)},
		{"mismatched brackets", `[1}`, one("", CodeMalformed)},
		{"single quotes", `{'a':1}`, one("", CodeMalformed)},
		{"comment", `{} // x`, one("", CodeMalformed)},
		{"leading zero", `01`, one("", CodeMalformed)},
		{"plus sign", `+1`, one("", CodeMalformed)},
		{"hexadecimal", `0x10`, one("", CodeMalformed)},
		{"not a number", `NaN`, one("", CodeMalformed)},
		{"line break in a string", "\"a\nb\"", one("", CodeMalformed)},
		{"bad escape", `"\x41"`, one("", CodeMalformed)},
		{"invalid utf-8 outside a string", "\xff{}", one("", CodeMalformed)},
		{"second value", `{} {}`, one("", CodeMalformed)},
		{"second scalar", `1 2`, one("", CodeMalformed)},
		{"extra closing bracket", `[]]`, one("", CodeMalformed)},
		{"duplicate key", `{"a":1,"b":{"c":2,"c":3}}`, one("b.c", CodeDuplicate)},
		{"duplicate after unescaping", `{"a":1,"\u0061":2}`, one("a", CodeDuplicate)},
		{"duplicate after replacement", "{\"\xff\":1,\"\xfe\":2}", one(`["\ufffd"]`, CodeDuplicate)},
		{"too deep", `{"a":[[[1]]]}`, one("a[0][0]", CodeDepth)},
		{"path through records", `{"records":[{},{"a":1e400}]}`, one("records[1].a", CodeRange)},
		{"numbers too large", `{"a":1e400,"b":[-1e999]}`, []ValidationError{{Field: "a", Code: CodeRange}, {Field: "b[0]", Code: CodeRange}}},
		{"unusual keys are quoted", `{"a.b":{"c d":1e400}}`, one(`["a.b"]["c d"]`, CodeRange)},
		{"letters of any script are not quoted", `{"größe":1e400}`, one("größe", CodeRange)},
		{"empty key", `{"":1e400}`, one(`[""]`, CodeRange)},
		{"long keys are cut", `{"` + strings.Repeat("k", 100) + `":1e400}`, one(strings.Repeat("k", 64)+"…", CodeRange)},
		{"all errors are reported", `{"a":1,"a":1e400} x`, []ValidationError{{Field: "a", Code: CodeDuplicate}, {Field: "a", Code: CodeRange}, {Code: CodeMalformed}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, invalid := ParseJSON([]byte(tt.in), JSONLimits{Bytes: 1000, Depth: 3}, redact.Actions{})
			if tree != nil {
				t.Errorf("errors, but also a tree: %v", tree)
			}
			var got []ValidationError
			for _, invalid := range invalid {
				if invalid.Detail == "" {
					t.Errorf("no detail for %s", invalid.Code)
				}
				got = append(got, ValidationError{Field: invalid.Field, Code: invalid.Code})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseJSONLimitsErrors(t *testing.T) {
	t.Parallel()
	text := "[" + strings.Repeat("1e400,", 5000) + "1]"
	_, invalid := ParseJSON([]byte(text), JSONLimits{Bytes: 1 << 20, Depth: 3}, redact.Actions{})
	if len(invalid) != maxJSONErrors {
		t.Errorf("%d errors, want %d", len(invalid), maxJSONErrors)
	}
}

func TestParseJSONLimitsDepth(t *testing.T) {
	t.Parallel()
	for _, open := range []string{"[", `{"a":`} {
		_, invalid := ParseJSON([]byte(strings.Repeat(open, 1<<20)), JSONLimits{Bytes: 1 << 30, Depth: 10}, redact.Actions{})
		if len(invalid) != 1 || invalid[0].Code != CodeDepth {
			t.Errorf("%s: %v, want one depth error", open, invalid)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e3,"x",null,true]}`, `{"a":1,"\u0061":2}`, `[[[[]]]]`, `"\ud800\ufffd"`, "\"\xff\"", `1e400`, `{} {}`, `[1,]`, `-0.0`,
		` {"a\\\"b" : [ 1e5 , -0 , "\\" ,"\u00e9\n" , { } ] , "" : [ ] }`, "[\"\\ud800\",\"\xff\",\"\\ufffd\"]", `{"a":{"b":1,"b":2}}`, `[[[[[[[[[1]]]]]]]]]`,
	} {
		f.Add([]byte(seed))
	}
	limits := JSONLimits{Bytes: 1 << 16, Depth: 8}
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, invalid := ParseJSON(data, limits, redact.Actions{})
		if json.Valid(data) && slices.ContainsFunc(invalid, func(f ValidationError) bool { return f.Code == CodeMalformed }) {
			t.Errorf("%q is valid JSON, but %v", data, invalid)
		}
		if invalid.Err() != nil {
			if tree != nil || len(invalid) > maxJSONErrors {
				t.Errorf("tree %v with %d errors", tree, len(invalid))
			}
			return
		}
		var want any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil || !json.Valid(data) {
			t.Errorf("accepted invalid JSON: %q, %v", data, err)
		}
		if diff := cmp.Diff(want, tree); diff != "" {
			t.Errorf("%q (-encoding/json +got):\n%s", data, diff)
		}
		text, err := jcs.Format(tree)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		again, invalid := ParseJSON(text, JSONLimits{Bytes: 8 * limits.Bytes, Depth: limits.Depth}, redact.Actions{})
		if err := invalid.Err(); err != nil {
			t.Fatalf("%q was formatted as %q: %v", data, text, err)
		}
		if diff := cmp.Diff(tree, again); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
	})
}

func BenchmarkParseJSON(b *testing.B) {
	record := `{"remediation_id":"r-1","name":"KubePodCrashLooping","metadata":{"a":1.5,"b":["x","y"],"c":{"d":null}},"error_message":"` +
		strings.Repeat("connection refused ", 20) + `"},`
	data := []byte("[" + strings.Repeat(record, 500) + "1]")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, invalid := ParseJSON(data, JSONLimits{Bytes: 1 << 30, Depth: 10}, redact.Actions{}); invalid != nil {
			b.Fatal(invalid)
		}
	}
}
