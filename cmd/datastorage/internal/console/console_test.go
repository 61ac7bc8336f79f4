package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/cmd/datastorage/internal/console"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"plain", "my-app_1/pod: 50% <ok> \"q\"", "my-app_1/pod: 50% <ok> \"q\""},
		{"scripts", "ذاكرة 漢字 ไทย 🙂👩‍🚒 é", "ذاكرة 漢字 ไทย 🙂👩‍🚒 é"},
		{"tabs and lines", "a\tb\nc\r", `a\tb\nc\r`},
		{"escape sequences", "\x1b[2J\x1b]0;x\x07", `\x1b[2J\x1b]0;x\a`},
		{"C1 controls", "\u009b31m\u0085", `\u009b31m\u0085`},
		{"delete", "a\x7f", `a\x7f`},
		{"bidirectional overrides", "\u202eevil\u2066", `\u202eevil\u2066`},
		{"separators of lines", "a\u2028b\u2029", `a\u2028b\u2029`},
		{"tags", "a\U000e0041", `a\U000e0041`},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"zero", "a\x00", `a\x00`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := console.Text(test.text); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := console.Lines("a\n\x1bb\n"); got != "a\n\\x1bb\n" {
		t.Errorf("lines: %q", got)
	}
}

func outputOf(t *testing.T, terminal bool, do func(*console.Stream) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := do(&console.Stream{Writer: &out, Terminal: terminal}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := func(s *console.Stream) error {
		return s.Table([]console.Column{{Title: "NAME", Most: 5}, {Title: "ID"}},
			[][]string{{"a\tb", "1234567"}, {"longer name", ""}, {"漢字漢字漢字", "x"}})
	}
	if diff := cmp.Diff("a\\tb\t1234567\nlonger name\t\n漢字漢字漢字\tx\n", outputOf(t, false, table)); diff != "" {
		t.Errorf("pipe: %s", diff)
	}
	want := "NAME   ID\na\\tb   1234567\nlong…  \n漢字…  x\n"
	if diff := cmp.Diff(want, outputOf(t, true, table)); diff != "" {
		t.Errorf("terminal: %s", diff)
	}
}

// writeStyledTable writes a row with a cell below it. Three words of the cell are bold: two spans overlap, and one exceeds the text.
func writeStyledTable(s *console.Stream) error {
	return s.StyledTable([]console.Column{{Title: "N"}, {Title: "IDS"}, {LinesBelow: 2}, {Title: "said", LinesBelow: 1}}, [][]console.Cell{
		{
			{Text: "漢", Strong: []console.Span{{0, 1}}},
			{Text: "id-000000001,id-000000002"},
			{Text: "disk \x1b[7m of 漢字漢字 is nearly full today", Strong: []console.Span{{0, 3}, {2, 4}, {33, 99}}},
			{Text: "x"},
		},
		console.Cells("12", "", "", ""),
	})
}

func TestStyledTable(t *testing.T) {
	t.Parallel()
	const bold, plain = "\x1b[1m", "\x1b[22m"
	want := "N   IDS\n" +
		bold + "漢" + plain + "  id-000000001,…\n" +
		"    " + bold + "disk" + plain + " \\x1b[7m\n" +
		"    …full " + bold + "today" + plain + "\n" +
		"    said: x\n" +
		"12  \n"
	for _, c := range []struct {
		name   string
		stream console.Stream
		want   string
	}{
		{"terminal", console.Stream{Terminal: true, Escapes: true, Columns: 18}, want},
		{"terminal without escapes", console.Stream{Terminal: true, Columns: 18}, strings.NewReplacer(bold, "", plain, "").Replace(want)},
		{
			"terminal of unknown size",
			console.Stream{Terminal: true},
			"N   IDS\n漢  id-000000001,id-000000002\n    disk \\x1b[7m of 漢字漢字 is nearly full today\n    said: x\n12  \n",
		},
		{
			"pipe",
			console.Stream{Columns: 18},
			"漢\tid-000000001,id-000000002\tdisk \\x1b[7m of 漢字漢字 is nearly full today\tx\n12\t\t\t\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			c.stream.Writer = &out
			if err := writeStyledTable(&c.stream); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	record := func(s *console.Stream) error {
		return s.Record([]console.Field{{"id", "1"}, {"nothing", ""}, {"error", "a\n\x1bb\n"}})
	}
	if diff := cmp.Diff("id\t1\nerror\ta\\n\\x1bb\\n\n", outputOf(t, false, record)); diff != "" {
		t.Errorf("pipe: %s", diff)
	}
	if diff := cmp.Diff("id     1\nerror  a\n       \\x1bb\n", outputOf(t, true, record)); diff != "" {
		t.Errorf("terminal: %s", diff)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	text := []byte("{\"a\":\"\u009b\u202e\U000e0041 ü\x7f\",\n\t\"b\":[1.50]}")
	show := func(s *console.Stream) error { return s.JSON(text) }
	if got := outputOf(t, false, show); got != string(text)+"\n" {
		t.Errorf("pipe: %q", got)
	}
	got := outputOf(t, true, show)
	want := `{"a":"\u009b\u202e\udb40\udc41 ü\u007f",` + "\n\t" + `"b":[1.50]}` + "\n"
	if got != want {
		t.Errorf("terminal: %q, want %q", got, want)
	}
	var before, after map[string]any
	if err := errors.Join(json.Unmarshal(text, &before), json.Unmarshal([]byte(got), &after)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the values on the terminal differ: %s", diff)
	}
}

func TestPipesAreNoTerminals(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) })
	s := console.Open(writer, func(string) string { return "" })
	if s.Terminal || s.Escapes {
		t.Errorf("%+v", s)
	}
}
