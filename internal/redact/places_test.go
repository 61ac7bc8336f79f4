package redact

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// alphabets are those of generated passwords.
var alphabets = []struct{ name, chars string }{
	{"digits", "0123456789"},
	{"lower", "abcdefghijklmnopqrstuvwxyz"},
	{"hex", "0123456789abcdef"},
	{"alnum", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"},
	{"base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"},
	{"printable", printableASCII()},
}

func printableASCII() string {
	var chars strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		chars.WriteByte(c)
	}
	return chars.String()
}

func quoteJSON(v string) string {
	text := new(strings.Builder)
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func escapeXML(v string) string {
	text := new(strings.Builder)
	if err := xml.EscapeText(text, []byte(v)); err != nil {
		panic(err)
	}
	return text.String()
}

// places write a password where passwords stand. Each escapes what its format must escape, and
// nothing else.
var places = []struct {
	name  string
	write func(password string) (text, written string)
}{
	{"env line", func(p string) (string, string) { return "HOME=/root\nDB_PASSWORD=" + p + "\nPATH=/bin", p }},
	{"YAML scalar", func(p string) (string, string) {
		quoted := "'" + strings.ReplaceAll(p, "'", "''") + "'"
		return "db:\n  host: db\n  password: " + quoted + "\n  port: 5432", quoted[1 : len(quoted)-1]
	}},
	{"JSON", func(p string) (string, string) {
		quoted := quoteJSON(p)
		return `{"host":"db","password":` + quoted + `,"port":5432}`, quoted[1 : len(quoted)-1]
	}},
	{"JSON in JSON", func(p string) (string, string) {
		inner := quoteJSON(`{"password":` + quoteJSON(p) + `}`)
		escaped := quoteJSON(quoteJSON(p))
		return `{"level":"error","msg":` + inner + `}`, escaped[3 : len(escaped)-3]
	}},
	{"logfmt", func(p string) (string, string) {
		if strings.ContainsAny(p, `"= `) {
			quoted := quoteJSON(p)
			return `level=info password=` + quoted + ` user=app`, quoted[1 : len(quoted)-1]
		}
		return "level=info password=" + p + " user=app", p
	}},
	{"URL user", func(p string) (string, string) {
		escaped := strings.TrimPrefix(url.UserPassword("", p).String(), ":")
		return "dial postgres://app:" + escaped + "@db.prod:5432/orders?sslmode=require failed", escaped
	}},
	{"URL query", func(p string) (string, string) {
		escaped := url.QueryEscape(p)
		return "GET https://x.example/login?user=app&password=" + escaped + "&next=home 401", escaped
	}},
	{"flag", func(p string) (string, string) {
		quoted := "'" + strings.ReplaceAll(p, "'", `'\''`) + "'"
		return "tool --user app --password " + quoted + " --verbose", quoted[1 : len(quoted)-1]
	}},
	{"SQL", func(p string) (string, string) {
		quoted := strings.ReplaceAll(p, "'", "''")
		return "ALTER ROLE app WITH LOGIN PASSWORD '" + quoted + "' VALID UNTIL 'infinity';", quoted
	}},
	{"table", func(p string) (string, string) { return "| host | db |\n| password | " + p + " |\n| port | 5432 |", p }},
	{"diff", func(p string) (string, string) {
		quoted := quoteJSON(p)
		return `  ~ password = "Old8kxQw1" -> ` + quoted, quoted[1 : len(quoted)-1]
	}},
	{"header", func(p string) (string, string) {
		return "> GET / HTTP/1.1\n> X-Auth-Password: " + p + "\n> Accept: */*", p
	}},
	{"struct", func(p string) (string, string) { return "&{Host:db Password:" + p + " Port:5432}", p }},
	{"CSV", func(p string) (string, string) {
		quoted := strings.ReplaceAll(p, `"`, `""`)
		return "host,user,password\ndb,app,\"" + quoted + "\"\n", quoted
	}},
	{"XML", func(p string) (string, string) {
		return "<db><user>app</user><password>" + escapeXML(p) + "</password></db>", escapeXML(p)
	}},
	{"connection string", func(p string) (string, string) {
		if strings.ContainsAny(p, `;"'{}`) {
			quoted := "{" + strings.ReplaceAll(p, "}", "}}") + "}"
			return "Server=db;Uid=app;Pwd=" + quoted + ";Encrypt=true", quoted[1 : len(quoted)-1]
		}
		return "Server=db;Uid=app;Pwd=" + p + ";Encrypt=true", p
	}},
}

// TestPasswordsAreGoneWhole generates passwords of 16 characters with a fixed seed, and checks that
// of each place and alphabet 99.5 % leave nothing behind. It prints the table.
func TestPasswordsAreGoneWhole(t *testing.T) {
	t.Parallel()
	const length, draws, goal = 16, 2000, 0.995
	random := rand.New(rand.NewPCG(14, 2))
	table := fmt.Sprintf("%-18s", "")
	for _, alphabet := range alphabets {
		table += fmt.Sprintf(" %9s", alphabet.name)
	}
	for _, place := range places {
		table += fmt.Sprintf("\n%-18s", place.name)
		for _, alphabet := range alphabets {
			whole, example := 0, ""
			for range draws {
				password := make([]byte, length)
				for i := range password {
					password[i] = alphabet.chars[random.IntN(len(alphabet.chars))]
				}
				text, written := place.write(string(password))
				clean := Text(text, Actions{})
				if leavesNothing(text, written, clean) {
					whole++
				} else if example == "" {
					example = clean + "\nof " + text
				}
			}
			share := float64(whole) / draws
			table += fmt.Sprintf(" %9.4f", share)
			if share < goal {
				t.Errorf("%s, %s: %.4f are gone whole, want %.3f; left: %s", place.name, alphabet.name, share, goal, example)
			}
		}
	}
	t.Logf("share of passwords that are gone whole\n%s", table)
}

// leavesNothing reports whether clean is text with the secret, and at most quotation marks or
// brackets around it, replaced.
func leavesNothing(text, secret, clean string) bool {
	before, after, _ := strings.Cut(text, secret)
	const tolerated = `"'{}`
	start, rest, found := strings.Cut(clean, redacted)
	if strings.Contains(before, "Old8kxQw1") { // the old value of a diff
		before = strings.Replace(before, "Old8kxQw1", redacted, 1)
		var next string
		next, rest, found = strings.Cut(rest, redacted)
		start += redacted + next
	}
	return found && strings.TrimRight(start, tolerated) == strings.TrimRight(before, tolerated) && strings.TrimLeft(rest, tolerated) == strings.TrimLeft(after, tolerated)
}
