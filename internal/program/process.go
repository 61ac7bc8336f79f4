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
	// Command is the program and its arguments, as far as the process has not rewritten them.
	Command string
}

// Children are the processes that pid started and that still run.
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

// IsRunning tells whether pid is a running process whose command holds words, so that a number the system gave to another program
// in the meantime is not taken for it.
func IsRunning(ctx context.Context, pid int, words string) (bool, error) {
	all, err := Processes(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if p.PID == pid {
			return strings.Contains(p.Command, words), nil
		}
	}
	return false, nil
}

// AwaitExit waits until pid no longer runs, at most for the given time, and tells whether it is gone.
func AwaitExit(ctx context.Context, pid int, words string, atMost time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for {
		alive, err := IsRunning(context.WithoutCancel(ctx), pid, words)
		if err != nil || !alive {
			return err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// KillTree sends SIGKILL to pid and to the processes that it started. A process that has already ended is not an error.
func KillTree(ctx context.Context, pid int) error {
	started, err := Children(ctx, pid)
	if err != nil {
		return err
	}
	// The parent first: PostgreSQL would take the death of a backend for a crash and restart.
	for _, each := range append([]int{pid}, started...) {
		if err := syscall.Kill(each, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// Spawn starts cmd and returns once it runs. The channel is closed after it has ended and everybody has closed its output;
// cmd.ProcessState is set by then.
//
// Linux sends the parent-death signal when the thread that forked ends, not the process, so that thread is held until the
// child has ended.
func Spawn(cmd *exec.Cmd) (<-chan struct{}, error) {
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
		}
	}()
	return ended, <-started
}
