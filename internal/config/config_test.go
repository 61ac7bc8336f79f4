package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/config"
)

func readerOf(pairs ...string) *config.Reader {
	return config.NewReader(func(name string) string {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value
			}
		}
		return ""
	})
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := readerOf("NUMBER=7", "WAIT=3s", "WORD=b", "TEXT=x")
	if r.Integer("NUMBER", 1, 1, 9) != 7 || r.Integer("NONE", 4, 1, 9) != 4 {
		t.Error("Integer")
	}
	if r.Duration("WAIT", 0, time.Second, time.Minute) != 3*time.Second || r.Duration("NONE", time.Hour, time.Second, time.Minute) != time.Hour {
		t.Error("Duration")
	}
	if r.OneOf("WORD", "a", "b") != "b" || r.OneOf("NONE", "a", "b") != "a" {
		t.Error("OneOf")
	}
	if r.Required("TEXT") != "x" || r.Optional("TEXT") != "x" || r.Optional("NONE") != "" {
		t.Error("Required or Optional")
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

// TestReaderNamesEveryVariable checks that the error names each invalid variable without its value.
func TestReaderNamesEveryVariable(t *testing.T) {
	t.Parallel()
	r := readerOf("LOW=0", "HIGH=10", "NUMBER=hunter2", "FRACTION=1.5", "UNIT=10", "SHORT=1ms", "LONG=2m", "NEGATIVE=-5s", "WORD=hunter2")
	for _, name := range []string{"LOW", "HIGH", "NUMBER", "FRACTION"} {
		r.Integer(name, 1, 1, 9)
	}
	for _, name := range []string{"UNIT", "SHORT", "LONG", "NEGATIVE"} {
		r.Duration(name, 0, time.Second, time.Minute)
	}
	r.OneOf("WORD", "a", "b")
	r.Required("MISSING")
	r.Reject("OTHER", "must be something else")
	want := "LOW NUMBER HIGH FRACTION UNIT SHORT LONG NEGATIVE WORD MISSING OTHER"
	for name := range strings.FieldsSeq(want) {
		if r.Err() == nil || !strings.Contains("\n"+r.Err().Error(), "\n"+name+" must be ") {
			t.Errorf("%s is missing from %v", name, r.Err())
		}
	}
	if strings.Contains(r.Err().Error(), "hunter2") {
		t.Errorf("a value is quoted: %v", r.Err())
	}
}
