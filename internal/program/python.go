package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Python is an interpreter on this machine that can download packages.
type Python struct {
	// Executable is the path of the interpreter.
	Executable string
	// Version is the minor version: 11 for Python 3.11.
	Version int
}

// describePython prints the version and path of an interpreter that can download packages: it has
// ssl, and pip or ensurepip. Debian has the last two in separate packages.
const describePython = `
import importlib.util, ssl, sys
if sys.version_info[0] != 3 or not (importlib.util.find_spec("pip") or importlib.util.find_spec("ensurepip")):
    sys.exit("no pip")
print(sys.version_info[1], sys.executable)
`

// FindPython returns an interpreter whose minor version is between oldest and newest, for the named
// program to run on: python3, or else the newest in PATH or under ~/.pyenv. If there is none, the
// error is a *Problem.
func FindPython(ctx context.Context, program string, oldest, newest int) (Python, error) {
	for _, name := range pythonCandidates(oldest, newest) {
		// A name in PATH may be a pyenv shim that fails, so each candidate is run.
		out, err := runInterpreter(ctx, nil, name, "-c", describePython)
		if err != nil {
			continue
		}
		version, executable, _ := strings.Cut(strings.TrimSpace(out), " ")
		minor, err := strconv.Atoi(version)
		if err == nil && oldest <= minor && minor <= newest {
			return Python{Executable: executable, Version: minor}, nil
		}
	}
	return Python{}, &Problem{
		What: fmt.Sprintf("%s needs Python 3.%d to 3.%d with pip", program, oldest, newest),
		Why:  "found none as " + strings.Join(pythonCandidates(oldest, newest), ", "),
		Next: fmt.Sprintf("apt-get install python3-pip   # Debian 12, Ubuntu 24.04 or later; else pyenv install 3.%d, or brew install python@3.%[1]d", newest),
		Err:  ctx.Err(),
	}
}

// pythonCandidates returns the commands that may be a Python of these versions, in order of preference.
func pythonCandidates(oldest, newest int) []string {
	names := []string{"python3"}
	for version := newest; version >= oldest; version-- {
		names = append(names, fmt.Sprintf("python3.%d", version))
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return names
	}
	for version := newest; version >= oldest; version-- {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", fmt.Sprintf("3.%d.*", version), "bin", "python3"))
		names = append(names, found...)
	}
	return names
}

// runInterpreter returns the output of an interpreter, with pip set not to prompt and not to
// require a virtual environment.
func runInterpreter(ctx context.Context, env []string, executable string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, executable, args...)
	cmd.Env = append(os.Environ(), "PIP_NO_INPUT=1", "PIP_REQUIRE_VIRTUALENV=0", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_USER=0")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

// findPipCommand returns a command line that runs pip: the interpreter's own, or one in a virtual
// environment below staging.
func findPipCommand(ctx context.Context, python, staging string) ([]string, error) {
	if _, err := exec.LookPath(python); err != nil {
		return nil, &Problem{
			What: "Python 3 is missing",
			Why:  "its pip downloads PostgreSQL and other programs, and " + python + " is not in PATH",
			Next: "apt-get install python3-pip   # Debian, Ubuntu; macOS: xcode-select --install",
			Err:  err,
		}
	}
	if _, err := runInterpreter(ctx, nil, python, "-m", "pip", "--version"); err == nil {
		return []string{python, "-m", "pip"}, nil
	}
	venv := filepath.Join(staging, "venv")
	if out, err := runInterpreter(ctx, nil, python, "-m", "venv", venv); err != nil {
		return nil, &Problem{
			What: "Python 3 has no pip",
			Why:  "neither its pip nor its venv module works: " + LastLines(out, 2),
			Next: "apt-get install python3-pip   # Debian, Ubuntu",
			Err:  err,
		}
	}
	return []string{filepath.Join(venv, "bin", "python"), "-m", "pip"}, nil
}
