package scan_test

import (
	"maps"
	"os"
	"os/exec"
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
var templates = []string{"../../template.yaml", "../../deploy/oidc.yaml"}

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

// runScript runs a script of a copy of deploy/ in which go and aws are a program that prints its arguments, then
// output. It returns the folder and what was printed.
func runScript(t *testing.T, output string, exit string, environment []string, script string, args ...string) (folder, printed string, err error) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"deploy", "bin"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "deploy", script)
	writeFile(t, path, readFile(t, "../../deploy/"+script))
	for _, program := range []string{"go", "aws"} {
		writeFile(t, filepath.Join(folder, "bin", program), "#!/bin/sh\necho \"$(basename \"$0\") $*\" >&2\ncat <<'END'\n"+output+"\nEND\n"+exit)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	return folder, string(out), err
}

// TestChangeSet checks how change-set.sh calls cmd/sam, and which change set it finds in what SAM CLI prints.
func TestChangeSet(t *testing.T) {
	t.Parallel()
	environment := []string{"STAGE=prod", "ARTIFACTS_BUCKET=bucket", "CLOUDFORMATION_ROLE=arn:role"}
	const arn = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/samcli-deploy1764313200/0f4e1d2c"
	for output, want := range map[string]string{
		"Initiating deployment\n\nChangeset created successfully. " + arn + "\n": arn + "\n",
		"No changes to deploy. Stack datastorage-prod is up to date":             "",
	} {
		folder, printed, err := runScript(t, output, "", environment, "change-set.sh", "review/datastorage-prod")
		if err != nil {
			t.Errorf("%v: %s", err, printed)
		}
		if got := readFile(t, filepath.Join(folder, "change-set.txt")); got != want {
			t.Errorf("the change set is %q, want %q", got, want)
		}
		call := "go run ./cmd/sam deploy --config-env prod --no-execute-changeset --no-confirm-changeset --no-fail-on-empty-changeset " +
			"--no-resolve-s3 --s3-bucket bucket --s3-prefix review/datastorage-prod --role-arn arn:role\n"
		if !strings.Contains(printed, call) {
			t.Errorf("it calls\n%s\nwant\n%s", printed, call)
		}
	}
	if _, printed, err := runScript(t, "error", "exit 3\n", environment, "change-set.sh", "review"); err == nil {
		t.Errorf("a failure of sam deploy is ignored: %s", printed)
	}
	if _, printed, err := runScript(t, "", "", nil, "change-set.sh", "review"); err == nil || !strings.Contains(printed, "STAGE") {
		t.Errorf("a missing setting is not named: %v %s", err, printed)
	}
}

// TestExecute checks that execute.sh waits for the kind of deployment that the change set is.
func TestExecute(t *testing.T) {
	t.Parallel()
	for kind, waiter := range map[string]string{"CREATE": "stack-create-complete", "UPDATE": "stack-update-complete"} {
		_, printed, err := runScript(t, kind, "", nil, "execute.sh", "datastorage-prod", "arn:change-set")
		if err != nil || !strings.Contains(printed, "aws cloudformation execute-change-set --change-set-name arn:change-set\n") ||
			!strings.Contains(printed, "aws cloudformation wait "+waiter+" --stack-name datastorage-prod\n") {
			t.Errorf("%s: %v\n%s", kind, err, printed)
		}
	}
	rolledBack := "case \"$*\" in *wait*) exit 255;; esac\n"
	_, printed, err := runScript(t, "UPDATE", rolledBack, nil, "execute.sh", "datastorage-prod", "arn:change-set")
	if err == nil || !strings.Contains(printed, "describe-stack-events") {
		t.Errorf("a deployment that is rolled back succeeds, or its events are not printed: %v\n%s", err, printed)
	}
}

// TestPullRequestsCannotExecute checks the trust between jobs and roles in oidc.yaml: only the role of an approved
// job may execute a change set, and the role of a pull request cannot write what the branch deploys.
func TestPullRequestsCannotExecute(t *testing.T) {
	t.Parallel()
	template := readFile(t, "../../deploy/oidc.yaml")
	role := func(name string) string {
		_, rest, found := strings.Cut(template, "\n  "+name+":\n")
		if !found {
			t.Fatalf("oidc.yaml has no %s", name)
		}
		return regexp.MustCompile(`(?m)^  \S`).Split(rest, 2)[0]
	}
	for name, has := range map[string][]string{
		"ReviewRole":  {"repo:${Repository}:pull_request", `"${Artifacts.Arn}/review/*"`},
		"PlanRole":    {"repo:${Repository}:ref:refs/heads/${Branch}", `"${Artifacts.Arn}/deploy/*"`},
		"ExecuteRole": {"repo:${Repository}:environment:${Environment}", "cloudformation:ExecuteChangeSet"},
	} {
		for _, text := range append(has, "PermissionsBoundary: !Ref Boundary", "gitlab.com:aud: https://gitlab.com") {
			if !strings.Contains(role(name), text) {
				t.Errorf("%s has no %s", name, text)
			}
		}
	}
	for _, name := range []string{"ReviewRole", "PlanRole", "ChangeSets"} {
		if strings.Contains(role(name), "ExecuteChangeSet") {
			t.Errorf("%s may execute a change set", name)
		}
	}
	if strings.Contains(role("ReviewRole"), "/deploy/") {
		t.Error("a pull request may write what the branch deploys")
	}
}
