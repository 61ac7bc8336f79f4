package scan_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/datastorage-service/datastorage/internal/sam"
	"github.com/datastorage-service/datastorage/internal/scan"
)

// templates are the CloudFormation templates of the repository.
var templates = []string{"../../template.yaml", "../../deploy/edge.yaml", "../../deploy/oidc.yaml"}

func installScanners(t *testing.T) *scan.Scanners {
	t.Helper()
	if testing.Short() {
		t.Skip("runs checkov")
	}
	scanners, err := scan.Install(t.Context(), "", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return scanners
}

// readFile returns a file. Go repeats a cached result until a file that the test itself has read changes, so a file
// that only a scanner reads is read too.
func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestLint checks that cfn-lint reports nothing, in large regions and in one with fewer resource types.
func TestLint(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs cfn-lint")
	}
	tool, err := sam.Install(t.Context(), "", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		_ = readFile(t, template)
		found, err := tool.Lint(t.Context(), template, "us-east-1", "eu-central-1", "eu-west-3")
		if err != nil || found != "" {
			t.Errorf("cfn-lint: %v\n%s", err, found)
		}
	}
	// A template with an error of each set of rules proves that they run.
	broken := filepath.Join(t.TempDir(), "template.yaml")
	writeFile(t, broken, "Resources:\n  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: [1]}}\n")
	found, err := tool.Lint(t.Context(), broken, "eu-central-1")
	if err != nil || !strings.Contains(found, ":E3012:") || !strings.Contains(found, ":ES6000:") {
		t.Errorf("cfn-lint does not report a queue with a list as its name and without dead letters: %v\n%s", err, found)
	}
}

// TestCheckov checks that checkov reports nothing that is not suppressed.
func TestCheckov(t *testing.T) {
	t.Parallel()
	for _, template := range templates {
		_ = readFile(t, template)
	}
	found, err := installScanners(t).CheckTemplates(t.Context(), templates...)
	if err != nil || found != "" {
		t.Errorf("checkov: %v\n%s", err, found)
	}
}

// suppression is a check of checkov that is suppressed for a resource.
type suppression struct{ check, resource string }

// readSuppressions returns the suppressions of a template, each of which must have a reason.
func readSuppressions(t *testing.T, template string) []suppression {
	t.Helper()
	var document struct {
		Resources map[string]struct {
			Metadata struct {
				Checkov struct {
					Skip []struct{ ID, Comment string }
				}
			} `yaml:"Metadata"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, template)), &document); err != nil {
		t.Fatal(err)
	}
	var found []suppression
	for _, id := range slices.Sorted(maps.Keys(document.Resources)) {
		for _, skip := range document.Resources[id].Metadata.Checkov.Skip {
			found = append(found, suppression{skip.ID, id})
			if len(strings.Fields(skip.Comment)) < 5 {
				t.Errorf("%s: %s is suppressed for %s for the reason %q", template, skip.ID, id, skip.Comment)
			}
		}
	}
	return found
}

// findings matches a finding in the output of checkov: its check and the resource.
var findings = regexp.MustCompile(`Check: (CKV\w+):.*\n\s+FAILED for resource: [\w:]+\.(\w+)`)

// TestSuppressions checks that every suppression has a reason and is of a check that fails without it, which
// also proves that checkov finds something.
func TestSuppressions(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var bare []string
	var want, got []suppression
	for _, template := range templates {
		want = append(want, readSuppressions(t, template)...)
		bare = append(bare, filepath.Join(folder, filepath.Base(template)))
		writeFile(t, bare[len(bare)-1], strings.ReplaceAll(readFile(t, template), "checkov:", "no-checkov:"))
	}
	output, err := installScanners(t).CheckTemplates(t.Context(), bare...)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range findings.FindAllStringSubmatch(output, -1) {
		got = append(got, suppression{match[1], match[2]})
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			t.Errorf("%s does not fail for %s: the suppression is not needed", s.check, s.resource)
		}
	}
	if len(got) != len(want) || len(want) < 20 {
		t.Errorf("checkov has %d findings, %d are suppressed", len(got), len(want))
	}
}

// TestGitLab checks the pipeline against GitLab's schema.
func TestGitLab(t *testing.T) {
	t.Parallel()
	scanners := installScanners(t)
	const pipeline = "../../deploy/gitlab/deploy.yml"
	_ = readFile(t, pipeline)
	if found, err := scanners.CheckGitLab(t.Context(), pipeline); err != nil || found != "" {
		t.Errorf("check-jsonschema: %v\n%s", err, found)
	}
	broken := filepath.Join(t.TempDir(), "broken.yml")
	writeFile(t, broken, "job: {script: true, when: sometime}\n")
	if found, err := scanners.CheckGitLab(t.Context(), broken); err != nil || found == "" {
		t.Errorf("check-jsonschema accepts a job that runs sometime: %v", err)
	}
}
