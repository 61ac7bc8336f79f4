package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// golang asks in the module, where go also fetches the version that go.mod wants.
func (m Machine) golang(ctx context.Context) Finding {
	said, err := m.run(ctx, "go", "version")
	if err != nil {
		return missing("go", err.Error(), "open https://go.dev/dl/   # Go 1.21 or later fetches the rest itself")
	}
	return ok("go", "%s", said)
}

func (m Machine) make(ctx context.Context) Finding {
	said, err := m.run(ctx, "make", "--version")
	if err != nil {
		return missing("make", err.Error(), "apt-get install make   # Debian, Ubuntu; macOS: xcode-select --install")
	}
	return ok("make", "%s", said)
}

// python needs pip, or what it takes to make an environment that has it.
func (m Machine) python(ctx context.Context) Finding {
	const part = "python3, pip"
	said, err := m.run(ctx, "python3", "--version")
	if err != nil {
		return missing(part, err.Error(), "apt-get install python3-pip   # Debian, Ubuntu; macOS: xcode-select --install")
	}
	if pip, err := m.run(ctx, "python3", "-m", "pip", "--version"); err == nil {
		version, _, _ := strings.Cut(pip, " from ")
		return ok(part, "%s, %s", said, version)
	}
	if _, err := m.run(ctx, "python3", "-c", "import venv, ensurepip"); err == nil {
		return ok(part, "%s, pip by way of venv", said)
	}
	return missing(part, said+", but neither pip nor venv works", "apt-get install python3-pip   # Debian, Ubuntu")
}

// run is the first line that a program says.
func (m Machine) run(ctx context.Context, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", fmt.Errorf("%s is not in PATH", name)
	}
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = m.Root
	said, err := command.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, line)
	}
	return line, nil
}
