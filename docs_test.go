package datastorage_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestMatrix checks docs/testing.md against the code: every test it names exists in the package it names, and
// every business requirement has at least one test.
func TestMatrix(t *testing.T) {
	t.Parallel()
	matrix := citesTests(t, "docs/testing.md", 40)
	for _, id := range requirementIDs() {
		row := regexp.MustCompile(`(?m)^\| ` + id + ` \|.*$`).FindString(matrix)
		if !strings.Contains(row, "`") && !strings.Contains(row, "not yet") {
			t.Errorf("docs/testing.md has no test for %s", id)
		}
	}
}

// TestReadiness counts the points of docs/production-readiness.md: each part has as many as the requirements
// list, a row may have several points, and each row cites a row of the test matrix, a test, a command or a document, or is marked as a gap.
func TestReadiness(t *testing.T) {
	t.Parallel()
	const page = "docs/production-readiness.md"
	text := citesTests(t, page, 40)
	matrix := read(t, "docs/testing.md")
	for _, row := range regexp.MustCompile(`\[([^\]]+)\]\(testing\.md\)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(matrix, "\n| "+row[1]+" | ") {
			t.Errorf("%s names the row %s, which the matrix does not have", page, row[1])
		}
	}
	var gaps []string
	last := 0
	for _, group := range strings.Split(text, "\n### ")[1:] {
		title, rows, _ := strings.Cut(group, "\n")
		before := last
		for _, point := range regexp.MustCompile(`(?m)^\| (\d+)(?:–(\d+))? \| .+ \| (.+) \|$`).FindAllStringSubmatch(rows, -1) {
			if point[1] != strconv.Itoa(last+1) {
				t.Errorf("point %s follows point %d", point[1], last)
			}
			last, _ = strconv.Atoi(cmp.Or(point[2], point[1]))
			if strings.HasPrefix(point[3], "gap: ") {
				gaps = append(gaps, point[1])
			} else if !strings.Contains(point[3], "`") && !strings.Contains(point[3], "](") {
				t.Errorf("point %s has no evidence", point[1])
			}
		}
		if !strings.HasSuffix(title, fmt.Sprintf("(%d)", last-before)) {
			t.Errorf("%s has %d points", title, last-before)
		}
	}
	counted := fmt.Sprintf("%d are shown, %d are gaps: %s.", last-len(gaps), len(gaps), strings.Join(gaps, ", "))
	if last != 109 || !strings.Contains(text, counted) {
		t.Errorf("%d points; the page does not say %q", last, counted)
	}
}

// testCitation is a list of tests of one package named in a document, as `package TestName, TestName`.
var testCitation = regexp.MustCompile("`([a-z0-9_./]+) ((?:Test|Fuzz|Example|Benchmark)[A-Za-z0-9_]*(?:, (?:Test|Fuzz|Example|Benchmark)[A-Za-z0-9_]*)*)`")

// citedTests returns the tests that a document names, each as "package TestName".
func citedTests(text string) []string {
	var cited []string
	for _, list := range testCitation.FindAllStringSubmatch(text, -1) {
		for name := range strings.SplitSeq(list[2], ", ") {
			cited = append(cited, list[1]+" "+name)
		}
	}
	return cited
}

// citesTests checks that every test named on the page exists, and that the page names at least this many.
func citesTests(t *testing.T, page string, least int) string {
	t.Helper()
	tests := testsByPackage(t)
	text := read(t, page)
	cited := citedTests(text)
	if len(cited) < least {
		t.Errorf("%s names %d tests only", page, len(cited))
	}
	for _, cite := range cited {
		if !tests[cite] {
			t.Errorf("%s names %s, which does not exist", page, cite)
		}
	}
	return text
}

// testsByPackage holds every test as "package TestName", where package is its folder.
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	for _, f := range parse(t) {
		if !strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[filepath.ToSlash(filepath.Dir(f.path))+" "+fn.Name.Name] = true
			}
		}
	}
	return tests
}

// requirementIDs are the business requirements BR-STORAGE-001 to 035, without the unused numbers.
func requirementIDs() []string {
	var ids []string
	for n := 1; n <= 35; n++ {
		if n != 29 {
			ids = append(ids, "BR-STORAGE-0"+string(rune('0'+n/10))+string(rune('0'+n%10)))
		}
	}
	return ids
}

// functionVariables returns the variables that a function reads when it starts.
func functionVariables(t *testing.T) []string {
	t.Helper()
	asked := map[string]bool{}
	_, _ = function.Load(func(name string) string { // fails without variables, but only after it has asked for all of them
		asked[name] = true
		if name == "DATASTORAGE_EMBEDDING_NEXT_PROVIDER" {
			return "hashing" // so that the settings of the second provider are read
		}
		return ""
	})
	return slices.Sorted(maps.Keys(asked))
}

// TestSettingsAreDocumented compares docs/configuration.md with the variables that a function reads.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`DATASTORAGE_[A-Z_]+`)
	documented := name.FindAllString(read(t, "docs/configuration.md"), -1)
	variables := functionVariables(t)
	if len(variables) < 25 {
		t.Errorf("a function reads %d variables only", len(variables))
	}
	for _, setting := range variables {
		// The page has one row for a setting of the first and the second provider.
		row := "| `" + strings.Replace(setting, "EMBEDDING_NEXT_", "EMBEDDING_", 1) + "` |"
		if !strings.Contains(read(t, "docs/configuration.md"), row) {
			t.Errorf("docs/configuration.md has no row for %s", setting)
		}
	}
	var code strings.Builder
	for _, f := range parse(t) {
		code.WriteString(read(t, f.path))
	}
	for _, setting := range documented {
		if !slices.Contains(variables, setting) && !strings.Contains(code.String(), `"`+setting+`"`) {
			t.Errorf("docs/configuration.md has %s, which nothing reads", setting)
		}
	}
}

// TestMetricsAreDocumented checks docs/observability.md against the metrics: name, dimensions, unit, and the
// closed sets that openapi.yaml does not define.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/observability.md")
	rows := regexp.MustCompile("(?m)^\\| `datastorage_.*$").FindAllString(page, -1)
	if len(rows) != len(telemetry.Metrics()) {
		t.Errorf("docs/observability.md has %d metrics, the code %d", len(rows), len(telemetry.Metrics()))
	}
	sets := local.ClosedSets()
	for _, metric := range telemetry.Metrics() {
		start := "| `" + metric.Name()
		if dimensions := metric.Dimensions(); len(dimensions) > 0 {
			start += "{" + strings.Join(dimensions, ",") + "}"
		}
		at := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, start+"` | "+metric.Unit()+" | ") })
		if at < 0 {
			t.Errorf("docs/observability.md has no row %s` | %s", start, metric.Unit())
			continue
		}
		for _, dimension := range []string{"status", "reason", "action"} {
			for _, value := range sets.Values(metric, dimension) {
				if !strings.Contains(rows[at], "`"+value+"`") {
					t.Errorf("docs/observability.md: %s has no %s %s", metric.Name(), dimension, value)
				}
			}
		}
	}
}

// TestLinks checks that every relative link between documents has a target.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob("docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	for _, page := range append(append(pages, decisions...), "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), match[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, match[1])
			}
		}
	}
}
