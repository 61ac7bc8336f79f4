package redact

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/jcs"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		actions        Actions
	}{
		{"empty", "", "", Actions{}},
		{"plain", "pod api-0 restarted\r\n\tdone", "pod api-0 restarted\r\n\tdone", Actions{}},
		{"nul", "a\x00b\x00", "ab", Actions{ActionControlRemoved: 2}},
		{"colors", "\x1b[1;31mred\x1b[0m", "red", Actions{ActionControlRemoved: 2}},
		{"line of a terminal", "\x1b[2K\rpull 12%", "\rpull 12%", Actions{ActionControlRemoved: 1}},
		{"hyperlink", "see \x1b]8;;https://example.com\aPR 7\x1b]8;;\x1b\\ now", "see PR 7 now", Actions{ActionControlRemoved: 2}},
		{"incomplete sequences", "a\x1b b\x1b[31 日本 \x1b]8;;x", "a b[31 日本 ]8;;x", Actions{ActionControlRemoved: 3}},
		{"delete and c1", "a\x7fb\u0085c\u009f", "abc", Actions{ActionControlRemoved: 3}},
		{"invalid utf-8", "a\xff\xfeb", "a\uFFFD\uFFFDb", Actions{ActionUTF8Replaced: 2}},
		{"surrogate half in utf-8", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", Actions{ActionUTF8Replaced: 3}},
		{"replacement character stays", "a\uFFFDb", "a\uFFFDb", Actions{}},
		{"bidi and joiners stay", "فشل \u202Eabc\u202C 👩‍🚒 ที่", "فشل \u202Eabc\u202C 👩‍🚒 ที่", Actions{}},
		{"sql words stay", "my-app-delete-jobs; DROP TABLE x", "my-app-delete-jobs; DROP TABLE x", Actions{}},
		{"control characters inside a secret", "pass\x00word=hun\x00ter2", "password=[REDACTED]", Actions{ActionControlRemoved: 2, ActionPassword: 1}},
		{"meaning is kept", "psql postgres://app:s3cr3t@db:5432/orders: refused", "psql postgres://app:[REDACTED]@db:5432/orders: refused", Actions{ActionConnectionString: 1}},
		{"header keeps its scheme", `-H "Authorization: Bearer abc.def" x`, `-H "Authorization: Bearer [REDACTED]" x`, Actions{ActionBearer: 1}},
		{"assignment keeps its label", "password=hunter2 user=bob", "password=[REDACTED] user=bob", Actions{ActionPassword: 1}},
		{"json stays json", `{"password":"a\"b","n":1}`, `{"password":"[REDACTED]","n":1}`, Actions{ActionPassword: 1}},
		{"armour stays", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----[REDACTED]-----END PRIVATE KEY-----\n", Actions{ActionPrivateKey: 1}},
		{"unclosed quotation mark", "password: \"hunter2x\nname: \"web\"", "password: [REDACTED]\nname: \"web\"", Actions{ActionPassword: 1}},
		{"two secrets", "password=a1b2 token=abcdef123456", "password=[REDACTED] token=[REDACTED]", Actions{ActionPassword: 1, ActionToken: 1}},
		{
			"manifest keeps its keys", "kind: Secret\ndata:\n  user: YQ==\n  cert: |\n    YQ==\n    Yg==\ntype: Opaque",
			"kind: Secret\ndata:\n  user: [REDACTED]\n  cert: |\n    [REDACTED]\ntype: Opaque",
			Actions{ActionKubernetesSecret: 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			actions := Actions{}
			got := Text(tt.in, actions)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.actions, actions); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		actions        Actions
	}{
		{"scalars stay", `{"a":1.50,"b":true,"c":null,"d":"x"}`, `{"a":1.50,"b":true,"c":null,"d":"x"}`, Actions{}},
		{
			"each of the requirement's names", `{"password":"a","Passwd":"b","client_secret":"c","tokens_used":5,"API Key":"d","x-api-key":"e","apiKey":"f","api.key":"g"}`,
			`{"API Key":"[REDACTED]","Passwd":"[REDACTED]","api.key":"[REDACTED]","apiKey":"[REDACTED]","client_secret":"[REDACTED]","password":"[REDACTED]","tokens_used":5,"x-api-key":"[REDACTED]"}`,
			Actions{ActionMetadataValue: 7},
		},
		{"folded letters", `{"\u017fecret":"a","to\u212Aen":"b"}`, `{"to` + "\u212A" + `en":"[REDACTED]","` + "\u017f" + `ecret":"[REDACTED]"}`, Actions{ActionMetadataValue: 2}},
		{"subtrees", `{"secrets":{"a":["b"]},"tokens":["c1d2e3f4",123456789012]}`, `{"secrets":{"a":["[REDACTED]"]},"tokens":["[REDACTED]",123456789012]}`, Actions{ActionMetadataValue: 2}},
		{
			"names, counts and policies stay", `{"checksum/secret":"7c0c0601","imagePullSecrets":[{"name":"regcred"}],"max_tokens":512,"passwordPolicy":"strict","prompt_tokens":1834,"secretName":"db-creds"}`,
			`{"checksum/secret":"7c0c0601","imagePullSecrets":[{"name":"regcred"}],"max_tokens":512,"passwordPolicy":"strict","prompt_tokens":1834,"secretName":"db-creds"}`,
			Actions{},
		},
		{"arguments and header pairs", `{"args":["--password","hunter2x"],"headers":[["X-Api-Key","7f4d28ee5f9e46b9ae9e"]],"cmd":["mysql","-uroot","-phunter2x"]}`, `{"args":["--password","[REDACTED]"],"cmd":["mysql","-uroot","-p[REDACTED]"],"headers":[["X-Api-Key","[REDACTED]"]]}`, Actions{ActionPassword: 2, ActionToken: 1}},
		{"what hides nothing stays", `{"token":null,"secret_rotated":true,"password":""}`, `{"password":"","secret_rotated":true,"token":null}`, Actions{}},
		{"a rule for passwords stays", `{"password":"must contain at least 8 characters"}`, `{"password":"must contain at least 8 characters"}`, Actions{}},
		{"patch", `[{"op":"replace","path":"/data/password","value":"hunter2"},{"path":"/spec/replicas","value":"3"}]`, `[{"op":"replace","path":"/data/password","value":"[REDACTED]"},{"path":"/spec/replicas","value":"3"}]`, Actions{ActionMetadataValue: 1}},
		{"defaults and parameters", `[{"ParameterKey":"DBPassword","ParameterValue":"hunter2"},{"key":"password","default":"hunter2"},{"name":"replicas","default":"3"}]`, `[{"ParameterKey":"DBPassword","ParameterValue":"[REDACTED]"},{"default":"[REDACTED]","key":"password"},{"default":"3","name":"replicas"}]`, Actions{ActionMetadataValue: 2}},
		{"pairs of a list", `[["password","hunter2"],["Authorization","Custom abcdef123456"]]`, `[["password","[REDACTED]"],["Authorization","Custom [REDACTED]"]]`, Actions{ActionPassword: 1, ActionBearer: 1}},
		{"nested", `{"a":[{"b":{"db_password":"x"}}]}`, `{"a":[{"b":{"db_password":"[REDACTED]"}}]}`, Actions{ActionMetadataValue: 1}},
		{"strings are sanitised", `{"log":"token=abc123def456\u0000"}`, `{"log":"token=[REDACTED]"}`, Actions{ActionControlRemoved: 1, ActionToken: 1}},
		{"labels beyond the list", `{"pgPass":"x","PGPASSPHRASE":"y"}`, `{"PGPASSPHRASE":"[REDACTED]","pgPass":"[REDACTED]"}`, Actions{ActionMetadataValue: 2}},
		{"environment pairs", `[{"name":"DB_PASSWORD","value":"x"},{"name":"LOG","value":"debug"}]`, `[{"name":"DB_PASSWORD","value":"[REDACTED]"},{"name":"LOG","value":"debug"}]`, Actions{ActionMetadataValue: 1}},
		{"kubernetes secret", `{"kind":"Secret","data":{"a":"YQ==","b":1},"stringData":{"c\u0000":"d"}}`, `{"data":{"a":"[REDACTED]","b":"[REDACTED]"},"kind":"Secret","stringData":{"c":"[REDACTED]"}}`, Actions{ActionKubernetesSecret: 3, ActionControlRemoved: 1}},
		{"config map", `{"kind":"ConfigMap","data":{"a":"YQ=="}}`, `{"data":{"a":"YQ=="},"kind":"ConfigMap"}`, Actions{}},
		{"authorization header", `{"Authorization":"Bearer abc","proxy-authorization":["Basic YTpi"]}`, `{"Authorization":"Bearer [REDACTED]","proxy-authorization":["Basic [REDACTED]"]}`, Actions{ActionBearer: 1, ActionBasic: 1}},
		{"keys are cleaned and stay apart", `{"a":1,"a\u0000":2,"\u0000a":3}`, `{"a":1,"a~2":3,"a~3":2}`, Actions{ActionControlRemoved: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			actions := Actions{}
			tree := parse(t, tt.in)
			once := Tree(tree, actions)
			got, err := jcs.Format(once)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.actions, actions); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(parse(t, tt.in), tree); diff != "" {
				t.Errorf("the argument was changed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(once, Tree(once, Actions{})); diff != "" {
				t.Errorf("sanitised twice (-once +twice):\n%s", diff)
			}
		})
	}
}

func parse(t testing.TB, text string) any {
	t.Helper()
	tree, err := decode(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tree
}

func decode(text string) (tree any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&tree)
	return tree, err
}

// TestAllActions checks that AllActions lists every constant, in order.
func TestAllActions(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("sanitize.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []Action
	for _, match := range regexp.MustCompile(`Action\w+ +Action = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, Action(match[1]))
	}
	if diff := cmp.Diff(want, AllActions()); diff != "" {
		t.Errorf("actions (-constants +list):\n%s", diff)
	}
}

// TestActionsAreCovered checks that the corpus has a sample for every action that redacts free
// text.
func TestActionsAreCovered(t *testing.T) {
	t.Parallel()
	seen := map[Action]int{}
	for _, s := range readSamples(t, "secrets.jsonl") {
		seen[s.Action]++
	}
	for _, action := range []Action{
		ActionAWSKey, ActionBearer, ActionBasic, ActionPrivateKey, ActionConnectionString, ActionPassword, ActionToken, ActionKubernetesSecret,
	} {
		if seen[action] == 0 {
			t.Errorf("no sample for %s", action)
		}
		delete(seen, action)
	}
	if len(seen) > 0 {
		t.Errorf("samples for unknown actions: %v", seen)
	}
}

func FuzzText(f *testing.F) {
	for _, name := range []string{"secrets.jsonl", "innocents.jsonl"} {
		for _, s := range readSamples(f, name) {
			f.Add(s.Text)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		actions := Actions{}
		once := Text(s, actions)
		if !utf8.ValidString(once) {
			t.Errorf("not UTF-8: %q", once)
		}
		if strings.ContainsFunc(once, isRemovedControl) {
			t.Errorf("control character left: %q", once)
		}
		if len(actions) == 0 && once != s {
			t.Errorf("changed without a count: %q to %q", s, once)
		}
		again := Actions{}
		if twice := Text(once, again); twice != once || len(again) > 0 {
			t.Errorf("not idempotent, %v:\n%q\n%q", again, once, twice)
		}
	})
}

func FuzzTree(f *testing.F) {
	f.Add(`{"kind":"Secret","data":{"a":"b"},"token":[1],"x":"password=1","name":"TOKEN","value":"v"}`)
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := decode(text)
		if err != nil {
			return
		}
		once := Tree(tree, Actions{})
		if diff := cmp.Diff(once, Tree(once, Actions{})); diff != "" {
			t.Errorf("sanitised twice (-once +twice):\n%s", diff)
		}
		out, err := jcs.Format(once)
		if err != nil || !json.Valid(out) {
			t.Errorf("not JSON: %v: %s", err, out)
		}
	})
}

// noisyText returns size bytes of log lines with two secrets after every tenth: a realistic worst
// case.
func noisyText(size int) string {
	var text strings.Builder
	for n := 0; text.Len() < size; n++ {
		text.WriteString("2026-01-01T00:00:00Z level=error msg=\"dial tcp 10.0.0.5:5432: connection refused\" pod=api-5d8f9c7b6d-x2k4j\n")
		if n%10 == 0 {
			text.WriteString("env: DB_PASSWORD=hunter2 url=postgres://app:hunter2@db/orders\n")
		}
	}
	return text.String()[:size]
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"log 64KiB":    noisyText(64 << 10),
		"log 256KiB":   noisyText(256 << 10),
		"prose 64KiB":  strings.Repeat("the deployment was rolled back because its pods kept crashing ", 1100)[:64<<10],
		"base64 64KiB": strings.Repeat("c29tZSBjb25maWd1cmF0aW9uIHRoYXQgaXMgbm90IHNlY3JldA", 1500)[:64<<10],
		"colons 64KiB": strings.Repeat(":", 64<<10),
		"quotes 64KiB": strings.Repeat(`{"kind":"Secret","data":{`, 3000)[:64<<10],
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Text(text, Actions{})
			}
		})
	}
}
