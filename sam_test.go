package datastorage_test

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/sam"
)

// maxZip is the maximum size of a zipped function, in bytes.
const maxZip = 6_000_000

func samCLI(t *testing.T) *sam.CLI {
	t.Helper()
	if testing.Short() {
		t.Skip("runs SAM CLI")
	}
	tool, err := sam.Install(t.Context(), "", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// TestLint checks that cfn-lint reports nothing, in large regions and in one with fewer resource types.
func TestLint(t *testing.T) {
	t.Parallel()
	tool := samCLI(t)
	found, err := tool.Lint(t.Context(), "template.yaml", "us-east-1", "eu-central-1", "eu-west-3")
	if err != nil || found != "" {
		t.Errorf("cfn-lint: %v\n%s", err, found)
	}
	// A broken template proves that cfn-lint runs.
	broken := filepath.Join(t.TempDir(), "template.yaml")
	wrong := regexp.MustCompile(`EngineFamily: POSTGRESQL`).ReplaceAllString(read(t, "template.yaml"), "EngineFamily: ORACLE")
	if err := os.WriteFile(broken, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := tool.Lint(t.Context(), broken, "eu-central-1"); err != nil || found == "" {
		t.Errorf("cfn-lint accepts a proxy for Oracle: %v", err)
	}
}

// TestSAMValidate runs sam validate --lint.
func TestSAMValidate(t *testing.T) {
	t.Parallel()
	if out, err := samCLI(t).Command(t.Context(), "validate", "--lint", "--template", "template.yaml").CombinedOutput(); err != nil {
		t.Errorf("sam validate: %v\n%s", err, out)
	}
}

// TestSAMBuild runs sam build without this machine's Go settings, and checks that each program is built for
// arm64, is within the size limit, and contains neither paths of this machine nor a version control stamp.
func TestSAMBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := samCLI(t).Command(t.Context(), "build", "--build-dir", dir)
	build.Env = slices.DeleteFunc(build.Env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "GOFLAGS" || name == "GOOS" || name == "GOARCH" || name == "CGO_ENABLED"
	})
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("sam build: %v\n%s", err, out)
	}
	functions := resourcesOfType(readTemplate(t), "AWS::Serverless::Function")
	if len(functions) == 0 {
		t.Fatal("template.yaml has no function")
	}
	for id := range functions {
		path := filepath.Join(dir, id, "bootstrap")
		checkProgram(t, path)
		if weight := zippedSize(t, path); weight > maxZip {
			t.Errorf("%s has %d bytes zipped, at most %d are allowed", id, weight, maxZip)
		}
	}
}

// checkProgram checks that a program is built for arm64, without symbols, local paths and version control stamp.
func checkProgram(t *testing.T, path string) {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = program.Close() }()
	if program.Machine != elf.EM_AARCH64 {
		t.Errorf("%s is for %v", path, program.Machine)
	}
	if _, err := program.Symbols(); !errors.Is(err, elf.ErrNoSymbols) {
		t.Errorf("%s has a symbol table: %v", path, err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	for _, setting := range info.Settings {
		if strings.HasPrefix(setting.Key, "vcs") || setting.Key == "-trimpath" && setting.Value != "true" {
			t.Errorf("%s was built with %s=%s", path, setting.Key, setting.Value)
		}
	}
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, path), directory) {
		t.Errorf("%s contains the path of the checkout", path)
	}
}

// zippedSize returns the size of the file when zipped.
func zippedSize(t *testing.T, path string) int {
	t.Helper()
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	entry, err := writer.Create("bootstrap")
	if err == nil {
		_, err = io.WriteString(entry, read(t, path))
	}
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatalf("zip %s: %v", path, err)
	}
	return archive.Len()
}
