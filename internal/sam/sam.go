package sam

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/datastorage-service/datastorage/internal/program"
)

// requirements has the packages of SAM CLI with their hashes.
//
//go:embed requirements.txt
var requirements []byte

// rules has the package with cfn-lint's rules for serverless applications.
//
//go:embed rules.txt
var rules []byte

// rulesVersion is that of the package in rules.
const rulesVersion = "0.3.6"

// The minor versions of Python for which requirements was made.
const oldestPython, newestPython = 10, 14

// FindPython returns an interpreter that SAM CLI runs on. If there is none, the error is a
// *program.Problem.
func FindPython(ctx context.Context) (program.Python, error) {
	return program.FindPython(ctx, "SAM CLI", oldestPython, newestPython)
}

// CLI is the SAM CLI of AWS, which checks, builds and deploys template.yaml.
type CLI struct {
	python string
	folder string
	rules  string
}

// Install returns SAM CLI, after downloading it to dir if it is missing; an empty dir is
// program.DefaultDir. Progress receives a line for the download. An error that the user can fix is
// a *program.Problem.
func Install(ctx context.Context, dir string, progress io.Writer) (*CLI, error) {
	python, folders, err := program.Installer{Dir: dir, Progress: progress}.InstallPackages(ctx, FindPython, program.Packages{
		Name: emulatorWheel().Name, Version: emulatorWheel().Version, Holds: "SAM CLI and cfn-lint", Megabytes: 90, Requirements: requirements,
	}, program.Packages{
		Name: "cfn-lint-serverless", Version: rulesVersion, Holds: "rules of cfn-lint", Megabytes: 1, Requirements: rules,
	})
	if err != nil {
		return nil, err
	}
	return &CLI{python: python, folder: folders[0], rules: folders[1]}, nil
}

// Command returns sam with arguments, in this process's environment. Unlike the AWS CLI, sam does not
// read AWS_REGION, so it is passed as AWS_DEFAULT_REGION. Usage statistics are disabled.
func (c *CLI) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := c.pythonCommand(ctx, append([]string{"-m", "samcli"}, args...))
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if len(args) > 0 && slices.Contains(offlineCommands, args[0]) {
		cmd.Env = append(cmd.Env, "AWS_EC2_METADATA_DISABLED=true")
		region = cmp.Or(region, defaultRegion)
	}
	if region != "" {
		cmd.Env = append(cmd.Env, "AWS_DEFAULT_REGION="+region)
	}
	return cmd
}

// offlineCommands are commands that need a region but nothing in an account.
var offlineCommands = []string{"build", "validate"}

// defaultRegion is the region of an offline command without another.
const defaultRegion = "eu-central-1"

// Lint runs cfn-lint, with its rules for serverless applications, on a template and returns its findings,
// one line each, or nothing.
func (c *CLI) Lint(ctx context.Context, template string, regions ...string) (string, error) {
	args := append([]string{
		filepath.Join(c.folder, "bin", "cfn-lint"), "--format=parseable", "--append-rules=cfn_lint_serverless.rules", "--template", template, "--regions",
	}, regions...)
	out, err := c.pythonCommand(ctx, args).CombinedOutput()
	if found := bytes.TrimSpace(out); err != nil && len(found) > 0 && errors.As(err, new(*exec.ExitError)) {
		return string(found), nil
	}
	return "", err
}

// Python returns the interpreter with a script that can import the packages of SAM CLI.
func (c *CLI) Python(ctx context.Context, script string, args ...string) *exec.Cmd {
	return c.pythonCommand(ctx, append([]string{"-c", script}, args...))
}

func (c *CLI) pythonCommand(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.python, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+c.folder+string(os.PathListSeparator)+c.rules, "PYTHONDONTWRITEBYTECODE=1", "SAM_CLI_TELEMETRY=0", "SAM_CLI_CHECK_FOR_UPDATES=0")
	return cmd
}
