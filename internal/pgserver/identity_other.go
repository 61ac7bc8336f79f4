//go:build !linux

package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// identity is the user that PostgreSQL runs as: here always the caller.
type identity struct{}

// attr is how a process of this identity is started.
func (identity) attr() *syscall.SysProcAttr { return ChildAttr(syscall.SysProcAttr{}) }

// findIdentity refuses root, as PostgreSQL does.
func findIdentity(ctx context.Context, executable, _ string) (identity, error) {
	if os.Geteuid() == 0 {
		return identity{}, &Problem{
			What: "PostgreSQL cannot run here as root",
			Why:  "it refuses root, and this system has no user namespaces",
			Next: "run this as an ordinary user",
		}
	}
	if out, err := exec.CommandContext(ctx, executable, "--version").CombinedOutput(); err != nil {
		return identity{}, fmt.Errorf("run %s: %w: %s", executable, err, lastLines(string(out), 2))
	}
	return identity{}, nil
}

// give has nothing to do: files belong to the caller already.
func (identity) give(string) error { return nil }
