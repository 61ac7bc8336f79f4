//go:build !linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processes asks ps(1) for the process table.
func processes(ctx context.Context) ([]process, error) {
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pid=,ppid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		pid, pidErr := strconv.Atoi(fields[0])
		parent, parentErr := strconv.Atoi(fields[1])
		if err := errors.Join(pidErr, parentErr); err != nil {
			return nil, fmt.Errorf("read process table: %w", err)
		}
		all = append(all, process{PID: pid, Parent: parent, Command: strings.Join(fields[2:], " ")})
	}
	return all, nil
}

// identity is the user that PostgreSQL runs as: here always the caller.
type identity struct{}

// attr is how a process of this identity is started: in a process group of its own, so that Ctrl-C on a terminal reaches it
// only through us.
func (identity) attr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// findIdentity refuses root, as PostgreSQL does.
func findIdentity(ctx context.Context, program, _ string) (identity, error) {
	if os.Geteuid() == 0 {
		return identity{}, &Problem{
			What: "PostgreSQL cannot run here as root",
			Why:  "it refuses root, and this system has no user namespaces",
			Next: "run this as an ordinary user",
		}
	}
	if out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput(); err != nil {
		return identity{}, fmt.Errorf("run %s: %w: %s", program, err, lastLines(string(out), 2))
	}
	return identity{}, nil
}

// give has nothing to do: files belong to the caller already.
func (identity) give(string) error { return nil }
