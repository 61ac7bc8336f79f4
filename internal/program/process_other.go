//go:build !linux

package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Processes reads the process table from ps(1).
func Processes(ctx context.Context) ([]Process, error) {
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pid=,ppid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	var all []Process
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
		all = append(all, Process{PID: pid, Parent: parent, Command: strings.Join(fields[2:], " ")})
	}
	return all, nil
}

// ChildAttributes puts a child process into its own process group, so that Ctrl-C on a terminal
// reaches only its parent.
func ChildAttributes(attr syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Setpgid = true
	return &attr
}
