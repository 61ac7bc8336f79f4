//go:build !linux

package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/datastorage-service/datastorage/internal/program"
)

// serverUser is the user that PostgreSQL runs as: on this system always the caller.
type serverUser struct{}

// processAttributes returns the attributes of a process that runs as this user.
func (serverUser) processAttributes() *syscall.SysProcAttr {
	return program.ChildAttributes(syscall.SysProcAttr{})
}

// findServerUser refuses root, as PostgreSQL does.
func findServerUser(ctx context.Context, executable, _ string) (serverUser, error) {
	if os.Geteuid() == 0 {
		return serverUser{}, &program.Problem{
			What: "PostgreSQL cannot run here as root",
			Why:  "it refuses root, and this system has no user namespaces",
			Next: "run this as an ordinary user",
		}
	}
	if out, err := exec.CommandContext(ctx, executable, "--version").CombinedOutput(); err != nil {
		return serverUser{}, fmt.Errorf("run %s: %w: %s", executable, err, program.LastLines(string(out), 2))
	}
	return serverUser{}, nil
}

// takeOwnership does nothing: the files belong to the caller already.
func (serverUser) takeOwnership(string) error { return nil }
