package sam

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/program"
)

// samRequirements are CLI CLI's packages, with their hashes.
//
//go:embed requirements.txt
var samRequirements []byte

// CLI is AWS's CLI CLI with cfn-lint: what checks and builds template.yaml.
type CLI struct {
	python string
	dir    string
}

// Install returns CLI CLI, downloading it under dir if it is not there yet; an empty dir is DefaultDir. It needs Python 3.10 or later.
// Progress receives a line for the download. What a person can mend is a *Problem.
func Install(ctx context.Context, dir string, progress io.Writer) (*CLI, error) {
	var err error
	if dir == "" {
		if dir, err = program.DefaultDir(); err != nil {
			return nil, err
		}
	}
	i := program.Installer{Dir: dir, Python: "python3", Progress: progress}
	// Some of the packages are compiled for one version of Python.
	version, err := i.Run(ctx, i.Python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	if err != nil {
		return nil, &program.Problem{
			What: "Python 3 is missing", Why: "SAM CLI is written in it, and " + i.Python + " does not run: " + program.LastLines(version, 1),
			Next: "apt-get install python3-pip   # Debian, Ubuntu; macOS: xcode-select --install", Err: err,
		}
	}
	path := filepath.Join(dir, "aws-sam-cli-"+emulatorWheel().Version+"-python"+strings.TrimSpace(version))
	if err := program.Once(ctx, path, func(staging string) (string, error) { return fetchSAM(ctx, i, staging) }); err != nil {
		return nil, program.Explain("set up SAM CLI", err, dir)
	}
	python, err := exec.LookPath(i.Python)
	return &CLI{python: python, dir: path}, err
}

// fetchSAM installs the packages into a folder inside staging, to be found by PYTHONPATH: unlike a virtual environment, a folder can be
// moved.
func fetchSAM(ctx context.Context, i program.Installer, staging string) (string, error) {
	started := time.Now()
	_, _ = fmt.Fprint(i.Progress, "Downloading SAM CLI and cfn-lint (90 MB) … ")
	packages := filepath.Join(staging, "packages")
	requirements := filepath.Join(staging, "requirements.txt")
	pip, err := i.Pip(ctx, staging)
	if err == nil {
		err = os.WriteFile(requirements, samRequirements, 0o600)
	}
	if err == nil {
		args := append(pip[1:], "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--no-compile",
			"--root-user-action=ignore", "--target="+packages, "--requirement="+requirements)
		var out string
		if out, err = i.Run(ctx, pip[0], append(args, i.Options...)...); err != nil {
			err = &program.Problem{
				What: "installing SAM CLI with pip did not work", Why: program.LastLines(out, 4),
				Next: "python3 --version   # 3.10 or later is needed; pip reaches its index?", Err: errors.Join(err, program.OutputError(out)),
			}
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(i.Progress, "failed")
		return "", err
	}
	_, _ = fmt.Fprintf(i.Progress, "done in %ds\n", int(time.Since(started).Seconds()+0.5))
	return packages, nil
}

// Command is sam with its arguments. It sends nothing about its use, and asks AWS nothing.
func (s *CLI) Command(ctx context.Context, args ...string) *exec.Cmd {
	return s.command(ctx, append([]string{"-m", "samcli"}, args...))
}

// Lint runs cfn-lint on a template and returns what it found, one line each, or nothing.
func (s *CLI) Lint(ctx context.Context, template string, regions ...string) (string, error) {
	args := append([]string{filepath.Join(s.dir, "bin", "cfn-lint"), "--format=parseable", "--template", template, "--regions"}, regions...)
	out, err := s.command(ctx, args).CombinedOutput()
	if found := bytes.TrimSpace(out); err != nil && len(found) > 0 && errors.As(err, new(*exec.ExitError)) {
		return string(found), nil
	}
	return "", err
}

func (s *CLI) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.python, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+s.dir, "PYTHONDONTWRITEBYTECODE=1", "SAM_CLI_TELEMETRY=0", "SAM_CLI_CHECK_FOR_UPDATES=0",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_DEFAULT_REGION=eu-central-1")
	return cmd
}
