package datastorage_test

import (
	"go/ast"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are the Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, matches...)
	}
	return pages
}

// TestPlaceholders checks that no placeholder is left in the documents.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`@@|\b(TODO|TBD|XXX)\b`)
	for _, page := range documents(t) {
		for number, line := range strings.Split(read(t, page), "\n") {
			if found := placeholder.FindString(line); found != "" {
				t.Errorf("%s:%d has the placeholder %s", page, number+1, found)
			}
		}
	}
}

// TestDecisions checks the form of decision records: a title with the record's number, the decision in one
// sentence, the context. Each record cites a command or a test; in its measurements, every paragraph and table
// with a figure names the command or test that prints it.
func TestDecisions(t *testing.T) {
	t.Parallel()
	records, err := filepath.Glob("docs/decisions/*.md")
	if err != nil || len(records) < 18 {
		t.Fatalf("found %d decision records: %v", len(records), err)
	}
	opening := regexp.MustCompile(`^# DD-STORAGE-(\d{3}): .+\n\n\*\*Decision\.\*\* (?:[^\n]+\n)+\n## Context\n`)
	evidence := regexp.MustCompile("make (bench|eval|test|check)|go test|`[^`]*\\b(Test|Fuzz)[A-Z]\\w+`|performance\\.md|testing\\.md|_test\\.go")
	tests := testsByPackage(t)
	for _, record := range records {
		text := read(t, record)
		match := opening.FindStringSubmatch(text)
		if match == nil || !strings.HasPrefix(filepath.Base(record), match[1]+"-") {
			t.Errorf("%s does not open with its number and title, its decision and its context", record)
		}
		for _, cite := range citedTests(text) {
			if !tests[cite] {
				t.Errorf("%s names %s, which does not exist", record, cite)
			}
		}
		if !evidence.MatchString(text) {
			t.Errorf("%s cites no command and no test", record)
		}
		_, measurements, _ := strings.Cut(text, "\n## Measurements\n")
		measurements, _, _ = strings.Cut(measurements, "\n## ")
		for _, paragraph := range strings.Split(strings.ReplaceAll(measurements, "\n\n|", "\n|"), "\n\n") {
			if strings.ContainsAny(paragraph, "0123456789") && !evidence.MatchString(paragraph) {
				t.Errorf("%s has figures without the command or test that shows them:\n%s", record, paragraph)
			}
		}
	}
}

// TestReadmeListsEveryPackage checks that README's table lists every package, by its path
// or by its name in the row of its folder.
func TestReadmeListsEveryPackage(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "README.md"), "## Packages")
	table, _, _ = strings.Cut(table, "\n## ")
	listed := map[string]bool{}
	for _, row := range strings.Split(table, "\n") {
		folder := ""
		for _, name := range regexp.MustCompile("`([a-z0-9/]+)`").FindAllStringSubmatch(row, -1) {
			if parent, _, nested := strings.Cut(name[1], "/"); nested {
				folder = parent
			}
			listed[name[1]], listed[folder+"/"+name[1]] = true, true
		}
	}
	for _, f := range parse(t) {
		folder := filepath.ToSlash(filepath.Dir(f.path))
		if parts := strings.Split(folder, "/"); len(parts) > 2 {
			folder = strings.Join(parts[:2], "/")
		}
		if folder != "." && !listed[folder] {
			t.Errorf("README.md does not list %s", folder)
			listed[folder] = true
		}
	}
}

// discouraged maps patterns of words that docs/style.md's glossary replaces to what to write instead.
func discouraged() map[string]string {
	return map[string]string{
		`answers?`:                "return, respond, response",
		`answered`:                "returned, responded",
		`anew`:                    "again",
		`somebody|nobody|anybody`: "the writer, the reader, the caller",
		`upkeep`:                  "maintenance run",
		`crosswise`:               "deadlock",
		`told`:                    "reported, returned",
		`shall`:                   "must",
		`re-?sign(s|ed|ing)?`:     "renormalize",
		`in good order`:           "cleanly",
		`stands (in|beside)`:      "is in, is",
		`became`:                  "outcome",
		`is to be had`:            "is available",
		`does not work`:           "fails",
	}
}

// TestWordList rejects discouraged words in comments of Go and SQL and in the documents, except in quotations.
func TestWordList(t *testing.T) {
	t.Parallel()
	prose := map[string]string{}
	for _, f := range parse(t) {
		if ast.IsGenerated(f.ast) || strings.Contains(f.path, "dbsqlc") {
			continue
		}
		for _, group := range f.ast.Comments {
			prose[f.path] += group.Text() + "\n"
		}
	}
	for _, pattern := range []string{"queries/*.sql", "migrations/*.sql", "migrations/*/*.sql"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			prose[file] = strings.Join(regexp.MustCompile(`--.*`).FindAllString(read(t, file), -1), "\n")
		}
	}
	for _, page := range documents(t) {
		if page != "docs/style.md" {
			prose[page] = read(t, page)
		}
	}
	quoted := regexp.MustCompile("`[^`]*`|\"[^\"]*\"")
	for file, text := range prose {
		prose[file] = quoted.ReplaceAllString(text, "")
	}
	words := discouraged()
	pattern := regexp.MustCompile(`(?i)\b(?:` + strings.Join(slices.Collect(maps.Keys(words)), "|") + `)\b`)
	for file, text := range prose {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			found, around := text[at[0]:at[1]], text[max(at[0]-40, 0):min(at[1]+30, len(text))]
			for word, instead := range words {
				if regexp.MustCompile(`^(?i:` + word + `)$`).MatchString(found) {
					t.Errorf("%s: %q: write %s (docs/style.md)", file, strings.Join(strings.Fields(around), " "), instead)
				}
			}
		}
	}
}
