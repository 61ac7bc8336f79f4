package datastorage_test

import (
	"archive/zip"
	"compress/flate"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/datastorage-service/datastorage/internal/sam"
)

// maxZip is what a function may weigh, zipped.
const maxZip = 6_000_000

func samCLI(t *testing.T) *sam.CLI {
	t.Helper()
	tool, err := sam.Install(t.Context(), "", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// TestLint shows that cfn-lint finds nothing: in a region of the first rank, and in one with fewer kinds of resources.
func TestLint(t *testing.T) {
	t.Parallel()
	tool := samCLI(t)
	found, err := tool.Lint(t.Context(), "template.yaml", "us-east-1", "eu-central-1", "eu-west-3")
	if err != nil || found != "" {
		t.Errorf("cfn-lint: %v\n%s", err, found)
	}
	// That it looks at all.
	broken := filepath.Join(t.TempDir(), "template.yaml")
	wrong := regexp.MustCompile(`EngineFamily: POSTGRESQL`).ReplaceAllString(read(t, "template.yaml"), "EngineFamily: ORACLE")
	if err := os.WriteFile(broken, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := tool.Lint(t.Context(), broken, "eu-central-1"); err != nil || found == "" {
		t.Errorf("cfn-lint takes a proxy for Oracle: %v", err)
	}
}

// TestSAMValidate is sam validate --lint.
func TestSAMValidate(t *testing.T) {
	t.Parallel()
	if out, err := samCLI(t).Command(t.Context(), "validate", "--lint", "--template", "template.yaml").CombinedOutput(); err != nil {
		t.Errorf("sam validate: %v\n%s", err, out)
	}
}

// TestSAMBuild builds what sam deploy uploads, as make package does: a program for arm64 for every function, within its weight.
func TestSAMBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := samCLI(t).Command(t.Context(), "build", "--parallel", "--build-dir", dir, "--template", "template.yaml")
	build.Env = append(build.Env, "CGO_ENABLED=0", "GOFLAGS="+goFlags(t))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("sam build: %v\n%s", err, out)
	}
	for id := range ofType(readTemplate(t), "AWS::Serverless::Function") {
		path := filepath.Join(dir, id, "bootstrap")
		program, err := elf.Open(path)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if program.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is for %v", id, program.Machine)
		}
		_ = program.Close()
		if weight := zipped(t, path); weight > maxZip {
			t.Errorf("%s weighs %d bytes zipped, at most %d are allowed", id, weight, maxZip)
		}
	}
}

// goFlags are those that the Makefile builds functions with.
func goFlags(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^FUNCTION_GOFLAGS := (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	if match == nil {
		t.Fatal("the Makefile does not say how functions are built")
	}
	if match[1] != sam.FunctionGOFLAGS {
		t.Errorf("the Makefile builds functions with %s, the tests with %s", match[1], sam.FunctionGOFLAGS)
	}
	return match[1]
}

// zipped is the size of an archive of the file.
func zipped(t *testing.T, path string) int64 {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var size counter
	archive := zip.NewWriter(&size)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestCompression) })
	entry, err := archive.Create("bootstrap")
	if err == nil {
		_, err = io.Copy(entry, file)
	}
	if err != nil || archive.Close() != nil {
		t.Fatalf("zip %s: %v", path, err)
	}
	return int64(size)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
