package sam

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/datastorage-service/datastorage/internal/program"
)

// requirements has the packages of SAM CLI with their hashes.
//
//go:embed requirements.txt
var requirements []byte

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
}

// Install returns SAM CLI, after downloading it to dir if it is missing; an empty dir is
// program.DefaultDir. Progress receives a line for the download. An error that the user can fix is
// a *program.Problem.
func Install(ctx context.Context, dir string, progress io.Writer) (*CLI, error) {
	if dir == "" {
		var err error
		if dir, err = program.DefaultDir(); err != nil {
			return nil, err
		}
	}
	python, err := FindPython(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := program.Installer{Dir: dir, Progress: progress}.InstallPackages(ctx, program.Packages{
		Name: emulatorWheel().Name, Version: emulatorWheel().Version, Holds: "SAM CLI and cfn-lint", Megabytes: 90, Requirements: requirements,
	}, python)
	if err != nil {
		return nil, err
	}
	return &CLI{python: python.Executable, folder: folder}, nil
}

// Command returns sam with arguments. Usage statistics and queries of the EC2 metadata service are
// disabled.
func (c *CLI) Command(ctx context.Context, args ...string) *exec.Cmd {
	return c.pythonCommand(ctx, append([]string{"-m", "samcli"}, args...))
}

// Lint runs cfn-lint on a template and returns its findings, one line each, or nothing.
func (c *CLI) Lint(ctx context.Context, template string, regions ...string) (string, error) {
	args := append([]string{filepath.Join(c.folder, "bin", "cfn-lint"), "--format=parseable", "--template", template, "--regions"}, regions...)
	out, err := c.pythonCommand(ctx, args).CombinedOutput()
	if found := bytes.TrimSpace(out); err != nil && len(found) > 0 && errors.As(err, new(*exec.ExitError)) {
		return string(found), nil
	}
	return "", err
}

func (c *CLI) pythonCommand(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.python, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+c.folder, "PYTHONDONTWRITEBYTECODE=1", "SAM_CLI_TELEMETRY=0", "SAM_CLI_CHECK_FOR_UPDATES=0",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_DEFAULT_REGION=eu-central-1")
	return cmd
}
