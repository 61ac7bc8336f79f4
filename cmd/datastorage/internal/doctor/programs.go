package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// examineGo runs go in the module's folder, where it also downloads the version that go.mod requires.
func (m Machine) examineGo(ctx context.Context) Finding {
	version, err := m.commandOutput(ctx, "go", "version")
	if err != nil {
		return newMissingFinding("go", err.Error(), "open https://go.dev/dl/   # Go 1.21 or later fetches the rest itself")
	}
	return newOKFinding("go", "%s", version)
}

func (m Machine) examineMake(ctx context.Context) Finding {
	version, err := m.commandOutput(ctx, "make", "--version")
	if err != nil {
		return newMissingFinding("make", err.Error(), "apt-get install make   # Debian, Ubuntu; macOS: xcode-select --install")
	}
	return newOKFinding("make", "%s", version)
}

// examinePython checks for Python with pip, or with the modules that create an environment with pip.
func (m Machine) examinePython(ctx context.Context) Finding {
	const component = "python3, pip"
	pythonVersion, err := m.commandOutput(ctx, "python3", "--version")
	if err != nil {
		return newMissingFinding(component, err.Error(), "apt-get install python3-pip   # Debian, Ubuntu; macOS: xcode-select --install")
	}
	if pip, err := m.commandOutput(ctx, "python3", "-m", "pip", "--version"); err == nil {
		pipVersion, _, _ := strings.Cut(pip, " from ")
		return newOKFinding(component, "%s, %s", pythonVersion, pipVersion)
	}
	if _, err := m.commandOutput(ctx, "python3", "-c", "import venv, ensurepip"); err == nil {
		return newOKFinding(component, "%s, pip by way of venv", pythonVersion)
	}
	return newMissingFinding(component, pythonVersion+", but neither pip nor venv works", "apt-get install python3-pip   # Debian, Ubuntu")
}

// commandOutput returns the first line of a program's output.
func (m Machine) commandOutput(ctx context.Context, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", fmt.Errorf("%s is not in PATH", name)
	}
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = m.Root
	output, err := command.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, line)
	}
	return line, nil
}
