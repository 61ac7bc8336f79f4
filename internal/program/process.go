package program

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a row of the process table.
type Process struct {
	PID, Parent int
	// Command is the program with its arguments, unless the process has rewritten them.
	Command string
}

// Children returns the running processes that pid started.
func Children(ctx context.Context, pid int) ([]int, error) {
	all, err := Processes(ctx)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, p := range all {
		if p.Parent == pid {
			found = append(found, p.PID)
		}
	}
	return found, nil
}

// IsRunning reports whether pid is a running process whose command contains the given string: the
// system may have reused the process id.
func IsRunning(ctx context.Context, pid int, command string) (bool, error) {
	all, err := Processes(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if p.PID == pid {
			return strings.Contains(p.Command, command), nil
		}
	}
	return false, nil
}

// AwaitExit waits until IsRunning returns false for pid, and returns false if it still runs after
// the timeout.
func AwaitExit(ctx context.Context, pid int, command string, timeout time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		running, err := IsRunning(context.WithoutCancel(ctx), pid, command)
		if err != nil || !running {
			return err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// KillTree sends SIGKILL to pid and to the processes that it started. A process that has already
// ended is not an error.
func KillTree(ctx context.Context, pid int) error {
	started, err := Children(ctx, pid)
	if err != nil {
		return err
	}
	// The parent goes first: PostgreSQL treats the death of a backend as a crash and restarts the
	// others.
	for _, each := range append([]int{pid}, started...) {
		if err := syscall.Kill(each, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// Spawn starts cmd and returns once it runs. The channel is closed when cmd.ProcessState is set:
// the process has ended and all its children have closed the output they inherited.
//
// Linux sends the parent-death signal when the thread that forked ends, not when the process does,
// so Spawn keeps that thread until the child has ended.
func Spawn(cmd *exec.Cmd) (<-chan struct{}, error) {
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // cmd.ProcessState has the result
		}
	}()
	return ended, <-started
}
