package redact

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// template is one line of testdata/templates.jsonl: a text with § in place of the secret.
type template struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	Form string `json:"form"` // of the secret: password or token
}

func drawFrom(random *rand.Rand, chars string, length int) string {
	drawn := make([]byte, length)
	for i := range drawn {
		drawn[i] = chars[random.IntN(len(chars))]
	}
	return string(drawn)
}

// drawPassword returns a password as people and generators write them: a word and digits, with or
// without punctuation, or random letters and digits.
func drawPassword(random *rand.Rand) string {
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	word := []string{"Heron", "Maple", "Basalt", "Nimbus", "Copper", "Velvet"}[random.IntN(6)]
	switch random.IntN(3) {
	case 0:
		return word + drawFrom(random, digits, 4) + drawFrom(random, lower, 3)
	case 1:
		return word + drawFrom(random, lower+digits, 4) + drawFrom(random, "!#$%*", 1) + drawFrom(random, digits, 2)
	default:
		return drawFrom(random, lower+strings.ToUpper(lower)+digits, 11) + drawFrom(random, digits, 1) + drawFrom(random, "!@%", 1)
	}
}

// TestTemplates writes secrets with a fixed seed into the texts of testdata/templates.jsonl. Nothing
// of five characters may be left of any.
func TestTemplates(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/templates.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(14, 3))
	count := 0
	for line := range strings.Lines(string(data)) {
		var one template
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			secret := drawPassword(random)
			if one.Form == "token" {
				secret = drawFrom(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 39) + "7"
			}
			if clean := Text(strings.Replace(one.Text, "§", secret, 1), Actions{}); hasPieceOf(secret, clean, one.Text) {
				t.Errorf("%s: left of %s: %s", one.Kind, secret, clean)
			}
			count++
		}
	}
	t.Logf("%d texts", count)
}

// hasPieceOf reports whether five characters in a row of the secret are left in clean that the rest
// of the text does not have.
func hasPieceOf(secret, clean, rest string) bool {
	const piece = 5
	for i := 0; i+piece <= len(secret); i++ {
		if part := secret[i : i+piece]; strings.Contains(clean, part) && !strings.Contains(rest, part) {
			return true
		}
	}
	return false
}

// structured has credentials of forms that random characters do not have, by prefix.
var structured = func() map[string]string {
	hex, mixed := strings.Repeat("0f1e2d3c", 8), strings.Repeat("aB3_", 20)
	tokens := map[string]string{
		"00D":  "00D" + strings.Repeat("a1B", 4) + "!" + strings.Repeat("aB3.", 20),
		"A3-":  "A3-A1B2C3-D4E5F6G7H8I-J9K1L-M2N3O-P4Q5R",
		"bot":  "bot123456789:AA" + mixed,
		"ewog": "ewogICJhbGciOiAiSFMyNTYiCn0.eyJzdWIiOiJhIn0." + mixed,
		"eyJ":  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0." + mixed,
		"pat":  "patAb3dEf6hIj9lMn." + hex,
		"pk_":  "pk_12345678_" + strings.Repeat("A1B2C3D4", 4),

		"LS0tLS1CRUdJTi": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ" + strings.Repeat("aB3d", 10),
	}
	for _, prefix := range []string{"0/", "1/", "2/"} {
		tokens[prefix] = prefix + "1234567890123456:" + hex[:32]
	}
	for _, prefix := range []string{"sdk-", "api-", "mob-"} {
		tokens[prefix] = prefix + "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	}
	for _, prefix := range []string{"sc_", "ext_", "scauth_", "authress_"} {
		tokens[prefix] = prefix + "a1b2c3d4e5.f6g7.acc-a1b2c3d4e5f6." + strings.Repeat("aB3-", 12)
	}
	return tokens
}()

// TestIssuers draws a credential for each prefix of each issuer, with a fixed seed, and checks that
// it is redacted in a sentence, at the end of a line and in a list.
func TestIssuers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(14, 4))
	count := 0
	for i := range issuers {
		if issuers[i].source == "" {
			t.Errorf("%s: no source of the form", issuers[i].name)
		}
		for prefix := range strings.FieldsSeq(issuers[i].prefixes) {
			token := drawToken(random, &issuers[i], prefix)
			if token == "" {
				t.Errorf("%s, %s: no credential has the form", issuers[i].name, prefix)
				continue
			}
			for _, text := range []string{"the call with § was refused", "sent §\nand stopped", `["deploy", "§"]`} {
				if clean := Text(strings.Replace(text, "§", token, 1), Actions{}); hasPieceOf(token[len(prefix):], clean, text) {
					t.Errorf("%s, %s: left of %s: %s", issuers[i].name, prefix, token, clean)
				}
			}
			count++
		}
	}
	t.Logf("%d prefixes", count)
}

func drawToken(random *rand.Rand, from *issuer, prefix string) string {
	if token, ok := structured[prefix]; ok && (from.check == nil || from.check(token)) {
		return token
	}
	chars := ""
	for c := byte('0'); c <= 'z'; c++ {
		if from.body(c) && c != '.' && c != '-' && c != ':' {
			chars += string(c)
		}
	}
	for range 1000 {
		if token := prefix + drawFrom(random, chars, from.minLength); from.check == nil || from.check(token) {
			return token
		}
	}
	return ""
}

// logs is a folder with files of JSON lines, such as logs and runbooks. Every redaction in their
// strings is listed.
var logs = flag.String("logs", "", "folder of *.jsonl whose redactions are listed")

func TestRedactionsAreListed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(*logs, "*.jsonl"))
	if *logs == "" {
		files, err = []string{"testdata/innocents.jsonl"}, nil
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", *logs, err)
	}
	texts, redactions := 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			for _, text := range stringsOf(parse(t, line)) {
				texts++
				for _, secret := range findSecrets(text) {
					redactions++
					t.Logf("%s: %s: %q in %q", file, secret.action, text[secret.start:secret.end], text)
				}
			}
		}
	}
	t.Logf("%d redactions in %d strings", redactions, texts)
	if *logs == "" && redactions > 0 {
		t.Errorf("%d innocent texts are redacted", redactions)
	}
}

// stringsOf returns the strings of a tree.
func stringsOf(tree any) (found []string) {
	switch tree := tree.(type) {
	case string:
		return []string{tree}
	case []any:
		for _, item := range tree {
			found = append(found, stringsOf(item)...)
		}
	case map[string]any:
		for _, member := range tree {
			found = append(found, stringsOf(member)...)
		}
	}
	return found
}
