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

// ChildAttr completes the attributes of a child process: it gets a process group of its own, so that Ctrl-C on a terminal
// reaches it only through its parent.
func ChildAttr(attr syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Setpgid = true
	return &attr
}
