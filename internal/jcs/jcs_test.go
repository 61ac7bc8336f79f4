package jcs_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	oracle "github.com/gowebpki/jcs"

	"github.com/datastorage-service/datastorage/internal/audit"
	"github.com/datastorage-service/datastorage/internal/jcs"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// TestAppendNumber checks the table of RFC 8785, appendix B.
func TestAppendNumber(t *testing.T) {
	t.Parallel()
	tests := []struct{ bits, want string }{
		{"0000000000000000", "0"},
		{"8000000000000000", "0"},
		{"0000000000000001", "5e-324"},
		{"8000000000000001", "-5e-324"},
		{"7fefffffffffffff", "1.7976931348623157e+308"},
		{"ffefffffffffffff", "-1.7976931348623157e+308"},
		{"4340000000000000", "9007199254740992"},
		{"c340000000000000", "-9007199254740992"},
		{"4430000000000000", "295147905179352830000"},
		{"44b52d02c7e14af5", "9.999999999999997e+22"},
		{"44b52d02c7e14af6", "1e+23"},
		{"44b52d02c7e14af7", "1.0000000000000001e+23"},
		{"444b1ae4d6e2ef4e", "999999999999999700000"},
		{"444b1ae4d6e2ef4f", "999999999999999900000"},
		{"444b1ae4d6e2ef50", "1e+21"},
		{"3eb0c6f7a0b5ed8c", "9.999999999999997e-7"},
		{"3eb0c6f7a0b5ed8d", "0.000001"},
		{"41b3de4355555553", "333333333.3333332"},
		{"41b3de4355555554", "333333333.33333325"},
		{"41b3de4355555555", "333333333.3333333"},
		{"41b3de4355555556", "333333333.3333334"},
		{"41b3de4355555557", "333333333.33333343"},
		{"becbf647612f3696", "-0.0000033333333333333333"},
		{"43143ff3c1cb0959", "1424953923781206.2"},
	}
	for _, tt := range tests {
		t.Run(tt.bits, func(t *testing.T) {
			t.Parallel()
			bits, err := strconv.ParseUint(tt.bits, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			got, err := jcs.AppendNumber(nil, math.Float64frombits(bits))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{
			"rfc 8785 section 3.2.2",
			"{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]," +
				"\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		},
		{
			"rfc 8785 section 3.2.3, order by utf-16",
			`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\uFB33\":\"Hebrew Letter Dalet With Dagesh\"}",
		},
		{"a prefix comes first", `{"ab":1,"a":2,"":3}`, `{"":3,"a":2,"ab":1}`},
		{"surrogate pairs among themselves", `{"😁":1,"😀":2}`, `{"😀":2,"😁":1}`},
		{"every escape", `"\u0000\u0007\b\t\n\u000b\f\r\u001f\u007f\u2028<>&"`, "\"\\u0000\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f\u007f\u2028<>&\""},
		{"numbers that mean the same", `[1,1.0,1e0,100e-2,-0,0.0]`, `[1,1,1,1,0,0]`},
		{"empty containers", `[{},[]]`, `[{},[]]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := jcs.Append(nil, parse(t, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			text, err := jcs.Format(parse(t, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, _, err = jcs.AppendFormatted(nil, string(text))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" || err != nil {
				t.Errorf("of the formatted text (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"struct": struct{}{}, "float64": 0.5, "number beyond float64": json.Number("1e400"), "word as a number": json.Number("x"),
		"invalid utf-8": "\xff", "invalid utf-8 in a key": map[string]any{"\xff": "x"}, "nested": []any{map[string]any{"a": make(chan int)}},
	} {
		if out, err := jcs.Append(nil, value); !errors.Is(err, jcs.ErrNotCanonical) || out != nil {
			t.Errorf("%s: got %s, %v, want ErrNotCanonical", name, out, err)
		}
	}
}

func TestInexactNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     map[string]string
	}{
		{"exact", `[0,-0,0e999999999999999999999,1,1.50,1e22,1E+2,0.1,100,1e308,5e-324,1.7976931348623157e308]`, nil},
		{"too many digits", `[1700000000123456789,0.1000000000000000055,9007199254740993]`, map[string]string{"/0": "1700000000123456789", "/1": "0.1000000000000000055", "/2": "9007199254740993"}},
		{"even if the float64 is exact", `[9007199254740992,0.1]`, nil},
		{"underflow", `[1e-400,-1e-99999999999999999999]`, map[string]string{"/0": "1e-400", "/1": "-1e-99999999999999999999"}},
		{"pointers are escaped", `{"a/b":{"m~n":[{},1700000000123456789]},"":1e-400}`, map[string]string{"/a~1b/m~0n/1": "1700000000123456789", "/": "1e-400"}},
		{"at the root", `12345678901234567890`, map[string]string{"": "12345678901234567890"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, jcs.InexactNumbers(parse(t, tt.in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			text, err := jcs.Format(parse(t, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if _, exact, err := jcs.AppendFormatted(nil, string(text)); err != nil || exact != (tt.want == nil) {
				t.Errorf("of the formatted text: exact %t, %v", exact, err)
			}
		})
	}
}

// TestExactNumberIsCheap checks that the exponent is not multiplied out, which would never finish.
func TestExactNumberIsCheap(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]bool{
		"1" + strings.Repeat("0", 300):            true,
		"0." + strings.Repeat("0", 100_000) + "1": false,
		strings.Repeat("9", 300):                  false,
		"1e-999999999":                            false,
		"0." + strings.Repeat("0", 100_000):       true,
	} {
		if got := jcs.InexactNumbers(json.Number(literal)) == nil; got != want {
			t.Errorf("%.20s… is exact: %t, want %t", literal, got, want)
		}
	}
}

func parse(t testing.TB, text string) any {
	t.Helper()
	tree, errs := audit.ParseJSON([]byte(text), audit.JSONLimits{Bytes: 1 << 20, Depth: 64}, redact.Actions{})
	if err := errs.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tree
}

func TestFormat(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"keys sorted", `{"b":1,"a":{"d":[],"c":{}}}`, `{"a":{"c":{},"d":[]},"b":1}`},
		{"numbers as written", `[1.10,-0,1E5,1700000000123456789]`, `[1.10,-0,1E5,1700000000123456789]`},
		{"nothing escaped for html", `"<a href='x'>&</a>"`, `"<a href='x'>&</a>"`},
		{"white space dropped", " [ 1 , 2 ] ", "[1,2]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := jcs.Format(parse(t, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzInexactNumbers compares with exact rational arithmetic: a number is exact if and only if it
// equals its canonical form.
func FuzzInexactNumbers(f *testing.F) {
	for _, seed := range []string{"0", "-0.0", "1.50", "1700000000123456789", "0.1000000000000000055", "1e-30", "123456789012345680000", "5e-324", "0E10000000000000000000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		tree, errs := audit.ParseJSON([]byte(literal), audit.JSONLimits{Bytes: 60, Depth: 1}, redact.Actions{})
		number, ok := tree.(json.Number)
		if errs.Err() != nil || !ok {
			return
		}
		if _, power, found := strings.Cut(strings.ToLower(literal), "e"); found {
			if exponent, err := strconv.Atoi(power); err != nil || exponent < -400 {
				return // too small for big.Rat
			}
		}
		canonical, err := jcs.Append(nil, tree)
		if err != nil {
			t.Fatal(err)
		}
		written, ok := new(big.Rat).SetString(number.String())
		if !ok {
			return // a zero with an exponent too large for big.Rat
		}
		kept, _ := new(big.Rat).SetString(string(canonical))
		if exact := written.Cmp(kept) == 0; exact != (jcs.InexactNumbers(tree) == nil) {
			t.Errorf("%s is written %s, exact: %t, but InexactNumbers returns %v", literal, canonical, exact, jcs.InexactNumbers(tree))
		}
	})
}

func FuzzAppend(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1.0,1e21,1e-7,-0],"a":"\u20ac\ud83d\ude00\ufb33"}`, `[333333333.33333329,1E30,4.50,2e-3]`, `"\u0000\u001f\"\\"`, `12345678901234567890`,
	} {
		f.Add([]byte(seed))
	}
	limits := audit.JSONLimits{Bytes: 1 << 16, Depth: 8}
	f.Fuzz(func(t *testing.T, data []byte) {
		counts := redact.Actions{}
		tree, errs := audit.ParseJSON(data, limits, counts)
		if errs.Err() != nil {
			return
		}
		got, err := jcs.Append(nil, tree)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if !json.Valid(got) {
			t.Errorf("not JSON: %s", got)
		}
		text, err := jcs.Format(tree)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		fromText, exact, err := jcs.AppendFormatted(nil, string(text))
		if err != nil || string(fromText) != string(got) || exact != (jcs.InexactNumbers(tree) == nil) {
			t.Errorf("%s, of the formatted text %s, exact %t, %v", got, fromText, exact, err)
		}
		again, err := jcs.Append(nil, parse(t, string(got)))
		if err != nil || string(again) != string(got) {
			t.Errorf("not idempotent: %s, then %s, %v", got, again, err)
		}
		if len(counts) > 0 {
			return // the oracle rejects lone surrogates and invalid UTF-8
		}
		want, err := oracle.Transform(data)
		if err != nil {
			return // the oracle rejects scalars at the root
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%q (-gowebpki/jcs +got):\n%s", data, diff)
		}
	})
}
