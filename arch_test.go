// Package datastorage_test checks the repository as a whole: which package may import
// which, and that every package has a comment.
package datastorage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/datastorage-service/datastorage"

// allowedImports lists the packages of this module that each package may import. A key is a folder; the longest matching
// prefix applies. Add a new package here with its reason.
var allowedImports = map[string][]string{
	// ascii has the character classes that redact and signature share.
	"internal/ascii":     {},
	"internal/jcs":       {},
	"internal/redact":    {"internal/ascii"},
	"internal/signature": {"internal/ascii"},
	"internal/audit":     {"internal/ascii", "internal/jcs", "internal/lexical", "internal/redact", "internal/signature"},
	"client":             {},
	// client/sigv4 links the AWS SDK, which callers with tokens do not need.
	"client/sigv4":       {},
	"internal/telemetry": {},
	"internal/config":    {},
	"migrations":         {},
	// secrets reads what access and embedding authenticate with.
	"internal/secrets": {},
	// access authenticates connections to the database. It is separate from the store because migrate needs it
	// alone. It imports audit for audit.ErrUnavailable.
	"internal/access": {"internal/audit", "internal/config", "internal/secrets"},
	// lexical splits text into terms. The store, the query function and the hashing model all use it.
	"internal/lexical":   {},
	"internal/embedding": {"internal/audit", "internal/config", "internal/lexical", "internal/secrets", "internal/telemetry"},
	"internal/postgres":  {"internal/access", "internal/audit", "internal/lexical", "internal/telemetry", "internal/postgres/internal/dbsqlc", "internal/signature"},
	// search ranks incidents for the query function and for cmd/eval.
	"internal/search": {"internal/audit", "internal/embedding", "internal/lexical", "internal/postgres"},
	// api starts and ends the telemetry of an invocation, because only api sees every request and response and
	// the validation errors of a response.
	"internal/api": {"internal/audit", "internal/search", "internal/telemetry", "client", "internal/redact", "internal/signature"},
	// function is the wiring that all functions share. It must not import the store, which migrate does not link.
	"internal/function": {"internal/access", "internal/config", "internal/embedding", "internal/telemetry"},
	"internal/write":    {"internal/api", "internal/audit", "internal/function", "internal/embedding", "internal/postgres", "internal/telemetry", "internal/redact"},
	"internal/query":    {"internal/api", "internal/audit", "internal/function", "internal/embedding", "internal/postgres", "internal/search", "internal/telemetry"},
	"internal/health":   {"internal/api", "internal/function", "internal/embedding", "internal/postgres", "internal/telemetry", "migrations"},
	"internal/migrate":  {"internal/function", "internal/embedding", "internal/telemetry", "migrations"},
	"internal/maintain": {"internal/audit", "internal/function", "internal/embedding", "internal/postgres", "internal/signature", "internal/telemetry"},

	// functions/<name> opens what internal/<name> needs, and starts it.
	"functions": {"internal"},

	// program installs and runs third-party programs: PostgreSQL, LocalStack, SAM CLI and checkov. The packages of these
	// four do not import each other.
	"internal/program":    {},
	"internal/pgserver":   {"internal/program", "migrations"},
	"internal/localstack": {"internal/program"},
	"internal/sam":        {"internal/program"},
	// cloudformation evaluates templates, for what they cost and for their tests.
	"internal/sam/cloudformation": {},
	// scan scans the templates. It is a package of its own so that make lint repeats it only if one has changed.
	"internal/scan":    {"internal/program"},
	"internal/gateway": {},
	// postgrestest uses program to kill servers and to start PgBouncer.
	"internal/postgrestest": {"internal/pgserver", "internal/program", "migrations"},

	// functiontest runs a function on golden events. It links no function, so a change to one function does not
	// re-run the tests of the others.
	"internal/functiontest": {"internal/postgrestest", "internal/sam"},
	// secretstest serves what secrets reads.
	"internal/secretstest": {},
	// telemetrytest reads what telemetry writes.
	"internal/telemetrytest": {"internal/telemetry"},
	// sigv4test checks signatures without what makes them.
	"internal/sigv4test": {},

	// The local stack and the programs may import everything.
	"internal/local": nil,
	"cmd":            nil,
	// endtoend starts the whole service for tests that call it as a client does.
	"internal/endtoend": nil,
}

// notShipped are packages that a function must never link.
var notShipped = []string{
	"testing", "github.com/spf13/cobra", "github.com/schollz/progressbar/v3", "github.com/rogpeppe/go-internal", "github.com/google/go-cmp",
}

type file struct {
	path string // from the module's root folder
	ast  *ast.File
}

func parse(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "tools" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		files = append(files, file{path: filepath.ToSlash(path), ast: parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func packageOf(path string) (string, bool) {
	for folder := path; folder != "."; folder = filepath.ToSlash(filepath.Dir(folder)) {
		if _, ok := allowedImports[folder]; ok {
			return folder, true
		}
	}
	return "", false
}

func imports(t *testing.T, f file) []string {
	t.Helper()
	var paths []string
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// TestStoreTestsDoNotLinkTheFunctions checks the imports of these packages and of their tests, because go test
// re-runs them whenever a package they link has changed.
func TestStoreTestsDoNotLinkTheFunctions(t *testing.T) {
	t.Parallel()
	shipped, tests := map[string][]string{}, map[string][]string{}
	for _, f := range parse(t) {
		graph := shipped
		if strings.HasSuffix(f.path, "_test.go") {
			graph = tests
		}
		folder := filepath.ToSlash(filepath.Dir(f.path))
		for _, path := range imports(t, f) {
			if own, inModule := strings.CutPrefix(path, module+"/"); inModule {
				graph[folder] = append(graph[folder], own)
			}
		}
	}
	for _, tested := range []string{"migrations", "internal/access", "internal/postgres"} {
		linked := map[string]bool{}
		follow(shipped, append(tests[tested], tested), linked)
		if len(linked) < 4 {
			t.Fatalf("the tests of %s link %v only: the walk is wrong", tested, linked)
		}
		for _, foreign := range []string{"client", "functions", "internal/api", "internal/local", "internal/query", "internal/write"} {
			if linked[foreign] {
				t.Errorf("the tests of %s link %s", tested, foreign)
			}
		}
	}
}

// follow adds the folders and everything they import to the set.
func follow(graph map[string][]string, folders []string, linked map[string]bool) {
	for _, folder := range folders {
		if !linked[folder] {
			linked[folder] = true
			follow(graph, graph[folder], linked)
		}
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, f := range parse(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		folder, ok := packageOf(f.path)
		if !ok {
			t.Errorf("%s: add its package to allowedImports", f.path)
			continue
		}
		for _, path := range imports(t, f) {
			checked++
			own, inModule := strings.CutPrefix(path, module+"/")
			if !inModule || allowedImports[folder] == nil || strings.HasPrefix(own+"/", folder+"/") {
				continue
			}
			if !slices.ContainsFunc(allowedImports[folder], func(allowed string) bool { return strings.HasPrefix(own+"/", allowed+"/") }) {
				t.Errorf("%s: %s may not import %s", f.path, folder, own)
			}
		}
	}
	if checked < 100 {
		t.Fatalf("looked at %d imports only: the walk is wrong", checked)
	}
}

// jsontext is the standard library's encoding/json/jsontext from Go 1.27 on (docs/decisions/020-json.md).
const jsontext = "github.com/go-json-experiment/json/jsontext"

// TestPurePackagesImportTheStandardLibraryOnly checks that the client and the packages of the domain import only those
// third-party packages that are named here.
func TestPurePackagesImportTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"client":             {},
		"internal/ascii":     {},
		"internal/jcs":       {},
		"internal/redact":    {},
		"internal/signature": {"golang.org/x/text/unicode/norm"},
		"internal/lexical":   {"github.com/cespare/xxhash/v2", "github.com/blevesearch/snowballstem", "github.com/blevesearch/snowballstem/english", "golang.org/x/text/cases", "golang.org/x/text/unicode/norm"},
		"internal/audit":     {jsontext},
	}
	for _, f := range parse(t) {
		outside, pure := allowed[filepath.ToSlash(filepath.Dir(f.path))]
		if !pure || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, path := range imports(t, f) {
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(path, module+"/") && !slices.Contains(outside, path) {
				t.Errorf("%s imports %s", f.path, path)
			}
		}
	}
}

func TestFunctionsLinkNoTestsOrTools(t *testing.T) {
	t.Parallel()
	for _, f := range parse(t) {
		folder, _ := packageOf(f.path)
		if strings.HasSuffix(f.path, "_test.go") || strings.HasSuffix(folder, "test") || allowedImports[folder] == nil {
			continue
		}
		for _, path := range imports(t, f) {
			if slices.Contains(notShipped, path) {
				t.Errorf("%s imports %s", f.path, path)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	comments := map[string]int{}
	for _, f := range parse(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		folder := filepath.Dir(f.path)
		comments[folder] += 0
		if f.ast.Doc != nil && !strings.Contains(folder, "dbsqlc") && len(strings.Fields(f.ast.Doc.Text())) > 5 {
			comments[folder]++
		}
	}
	for folder, n := range comments {
		if n != 1 && !strings.HasSuffix(folder, "dbsqlc") {
			t.Errorf("%s has %d package comments, wanted one", folder, n)
		}
	}
}
