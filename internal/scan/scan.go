// Package scan installs checkov, which looks for insecure settings in CloudFormation templates, and
// check-jsonschema, which checks GitLab's CI files against their schema. Both run offline.
//
// Its tests scan the templates and the CI files of this repository; cfn-lint is in internal/sam.
package scan

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/datastorage-service/datastorage/internal/program"
)

// requirements has the packages of the scanners with their hashes.
//
//go:embed requirements.txt
var requirements []byte

// version is that of checkov in requirements.
const version = "3.3.30"

// The minor versions of Python for which all of requirements have wheels.
const oldestPython, newestPython = 11, 14

// Scanners are the installed programs.
type Scanners struct {
	python string
	folder string
}

// Install returns the scanners, after downloading them to dir if they are missing; an empty dir is
// program.DefaultDir. Progress receives a line for the download. An error that the user can fix is
// a *program.Problem.
func Install(ctx context.Context, dir string, progress io.Writer) (*Scanners, error) {
	find := func(ctx context.Context) (program.Python, error) {
		return program.FindPython(ctx, "checkov", oldestPython, newestPython)
	}
	python, folders, err := program.Installer{Dir: dir, Progress: progress}.InstallPackages(ctx, find, program.Packages{
		Name: "checkov", Version: version, Holds: "checkov and check-jsonschema", Megabytes: 74, Requirements: requirements,
	})
	if err != nil {
		return nil, err
	}
	return &Scanners{python: python, folder: folders[0]}, nil
}

// CheckTemplates runs checkov on CloudFormation templates and returns its findings, or nothing. A
// finding is suppressed by Metadata of its resource: checkov: {skip: [{id: …, comment: reason}]}.
func (s *Scanners) CheckTemplates(ctx context.Context, templates ...string) (string, error) {
	args := append([]string{"--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "--file"}, templates...)
	return s.runModule(ctx, "checkov.main", args...)
}

// CheckGitLab checks a CI file of GitLab against GitLab's schema and returns the errors, or nothing.
func (s *Scanners) CheckGitLab(ctx context.Context, file string) (string, error) {
	return s.runModule(ctx, "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", file)
}

// runModule runs a Python module. It returns the output if the program ended with 1, as both do for findings.
func (s *Scanners) runModule(ctx context.Context, module string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.python, append([]string{"-m", module}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+s.folder, "PYTHONDONTWRITEBYTECODE=1", "LOG_LEVEL=ERROR")
	out, err := cmd.CombinedOutput()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && ended.ExitCode() == 1 {
		return string(bytes.TrimSpace(out)), nil
	}
	if err != nil {
		return "", errors.Join(err, errors.New(program.LastLines(string(out), 4)))
	}
	return "", nil
}
