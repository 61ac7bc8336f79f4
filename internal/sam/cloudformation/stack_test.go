package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/sam/cloudformation"
)

const template = `
Parameters:
  Stage: {Default: dev}
  Zones: {Default: "a,b"}
  Name: {}
Mappings: {Sizes: {dev: {Disk: 20}}}
Conditions:
  Dev: !Equals [!Ref Stage, dev]
  Other: !Not [!Condition Dev]
  Both: !And [!Condition Dev, !Or [!Condition Other, !Equals [!Select [1, !Ref Zones], b]]]
Resources:
  Made: {Type: T, Properties: !If [Both, {Size: !FindInMap [Sizes, !Ref Stage, Disk], Gone: !Ref AWS::NoValue}, {Size: 1}]}
  Not: {Type: T, Condition: Other}
`

func newStack(t *testing.T, parameters map[string]string) *cloudformation.Stack {
	t.Helper()
	read, err := cloudformation.Read([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cloudformation.NewStack(read, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestResolve resolves functions in their short form with the defaults of parameters.
func TestResolve(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]any{
		"!Ref Stage":                           "dev",
		"!Ref Made":                            map[string]any{"Ref": "Made"},
		"!GetAtt Made.Arn":                     map[string]any{"Fn::GetAtt": []any{"Made", "Arn"}},
		"[!Ref AWS::NoValue, x]":               []any{"x"},
		"!If [Dev, x, y]":                      "x",
		"!If [Other, x, y]":                    "y",
		"!Join [/, !Ref Zones]":                "a/b",
		"!Select [1, !Split [-, x-y]]":         "y",
		"!Select [0, !Ref Zones]":              "a",
		"!FindInMap [Sizes, !Ref Stage, Disk]": "20",
		"!Sub ${Stage}-${Made}":                "dev-<Made>",
		"!Sub ['${A}', {A: !Ref Stage}]":       "dev",
	} {
		s, read := newStack(t, nil), mustRead(t, "V: "+value)
		if diff := cmp.Diff(want, s.Resolve(read["V"])); diff != "" || s.Err() != nil {
			t.Errorf("%s (%v): %s", value, s.Err(), diff)
		}
	}
}

func mustRead(t *testing.T, content string) cloudformation.Tree {
	t.Helper()
	read, err := cloudformation.Read([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestMade checks conditions and the properties that they choose.
func TestMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		parameters map[string]string
		size       any
		isOther    bool
	}{
		{nil, "20", false},
		{map[string]string{"Zones": "a,c"}, "1", false},
		{map[string]string{"Stage": "prod"}, "1", true},
	} {
		s := newStack(t, c.parameters)
		resources := s.Template["Resources"]
		size := s.Property(cloudformation.ValueAt(resources, "Made"), "Size")
		if isOther := s.IsMade(cloudformation.ValueAt(resources, "Not")); size != c.size || isOther != c.isOther || s.Err() != nil {
			t.Errorf("%v: size %v, made %v, %v; want %v, %v", c.parameters, size, isOther, s.Err(), c.size, c.isOther)
		}
	}
}

// TestNotEvaluated checks what is an error.
func TestNotEvaluated(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]string{
		"!Condition Nowhere":                        "no condition Nowhere",
		"!Between [a, b]":                           "is not supported",
		`!Equals [!Select [0, !Split [-, ""]], x]`:  "how an empty string is split",
		"!Equals [!Select [2, !Ref Zones], x]":      "no element 2",
		"!And [!Condition Dev, !Condition Nowhere]": "no condition Nowhere",
	} {
		s := newStack(t, nil)
		if s.Holds(mustRead(t, "V: "+condition)["V"]); s.Err() == nil || !strings.Contains(s.Err().Error(), want) {
			t.Errorf("%s: %v, want %q", condition, s.Err(), want)
		}
	}
	if _, err := cloudformation.NewStack(mustRead(t, template), map[string]string{"Unknown": "1"}); err == nil {
		t.Error("an unknown parameter is no error")
	}
	for content, want := range map[string]string{"": "empty", "- a": "not a mapping", "\t": "yaml:", "a: &x b\nc: *x": "aliases"} {
		if _, err := cloudformation.Read([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}
