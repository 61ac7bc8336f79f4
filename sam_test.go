package datastorage_test

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/sam"
)

// maxZip is the maximum size of a zipped function, in bytes. Without grpcnotrace in the Makefile they are larger.
const maxZip = 7_000_000

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
	if err := sam.Stamp(filepath.Join(dir, "template.yaml"), "release"); err != nil {
		t.Error(err)
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

// versionsOf transforms templates as CloudFormation does, each with its parameters, and returns the logical ids of the published
// versions by function.
func versionsOf(t *testing.T, deployments []deployed) []map[string]string {
	t.Helper()
	input, err := json.Marshal(deployments)
	if err != nil {
		t.Fatal(err)
	}
	transform := samCLI(t).Python(t.Context(), `
import json, sys
from boto3 import Session
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
for deployed in json.load(sys.stdin):
    template = yaml_parse(open(deployed["Template"]).read())
    for resource in template["Resources"].values():
        for uri in ("CodeUri", "ContentUri"):
            if uri in resource.get("Properties", {}):
                resource["Properties"][uri] = "s3://bucket/key" # as sam deploy does
    translator = Translator({}, Parser(), boto_session=Session(region_name="eu-central-1"))
    resources = translator.translate(template, deployed["Parameters"])["Resources"]
    print(json.dumps({r["Properties"]["FunctionName"]["Ref"]: id for id, r in resources.items() if r["Type"] == "AWS::Lambda::Version"}))
`)
	transform.Stdin = bytes.NewReader(input)
	out, err := transform.Output()
	if err != nil {
		t.Fatal(err)
	}
	versions := make([]map[string]string, len(deployments))
	decoder := json.NewDecoder(bytes.NewReader(out))
	for i := range versions {
		if err := decoder.Decode(&versions[i]); err != nil {
			t.Fatal(err)
		}
	}
	return versions
}

// deployed is a template that was deployed with parameters.
type deployed struct {
	Template   string
	Parameters map[string]string
}

// TestEveryParameterPublishes checks that another value of any parameter, or other code, publishes a new version of each function that
// has an alias, and that the same content publishes none.
func TestEveryParameterPublishes(t *testing.T) {
	t.Parallel()
	var deployments []deployed
	deploy := func(code, certificates, parameter string) {
		folder := t.TempDir()
		layer := filepath.Join(folder, "functions", "migrate", "certificates")
		d := deployed{Template: filepath.Join(folder, "template.yaml"), Parameters: map[string]string{"Stage": "dev"}}
		overrides := []string{"Stage=dev"}
		if parameter != "" {
			d.Parameters[parameter] = "other"
			overrides = append(overrides, parameter+"=other")
		}
		err := errors.Join(os.MkdirAll(layer, 0o700), os.WriteFile(filepath.Join(layer, "rds.pem"), []byte(certificates), 0o600), os.WriteFile(d.Template, []byte(read(t, "template.yaml")), 0o600),
			os.WriteFile(filepath.Join(folder, "bootstrap"), []byte(code), 0o600))
		release, releaseErr := sam.Release(d.Template, overrides)
		if err := errors.Join(err, releaseErr, sam.Stamp(d.Template, release)); err != nil {
			t.Fatal(err)
		}
		deployments = append(deployments, d)
	}
	deploy("code", "certificates", "")
	deploy("code", "certificates", "")
	changes := []string{"nothing"}
	for _, parameter := range slices.Sorted(maps.Keys(readTemplate(t)["Parameters"].(tree))) {
		deploy("code", "certificates", parameter)
		changes = append(changes, parameter)
	}
	deploy("other code", "certificates", "")
	deploy("code", "other certificates", "")
	changes = append(changes, "code", "certificates")

	versions := versionsOf(t, deployments)
	aliases := 0
	for id, function := range resourcesOfType(readTemplate(t), "AWS::Serverless::Function") {
		if function["AutoPublishAlias"] == nil {
			continue
		}
		aliases++
		for i, changed := range changes {
			before, after := versions[0][id], versions[i+1][id]
			if before == "" || (before == after) != (changed == "nothing") {
				t.Errorf("%s changes: %s has version %q after %q", changed, id, after, before)
			}
		}
	}
	if aliases < 4 {
		t.Errorf("%d functions have an alias", aliases)
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
