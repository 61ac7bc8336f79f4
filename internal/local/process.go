package local

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a row of the process table.
type process struct {
	PID, Parent int
	// Command is the program and its arguments, as far as the process has not rewritten them.
	Command string
}

// children are the processes that pid started and that still run.
func children(ctx context.Context, pid int) ([]int, error) {
	all, err := processes(ctx)
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

// runs tells whether pid is a running process whose command holds words, so that a number the system gave to another program
// in the meantime is not taken for it.
func runs(ctx context.Context, pid int, words string) (bool, error) {
	all, err := processes(ctx)
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

// awaitExit waits until pid no longer runs, at most for the given time, and tells whether it is gone.
func awaitExit(ctx context.Context, pid int, words string, atMost time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for {
		alive, err := runs(context.WithoutCancel(ctx), pid, words)
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

// killAll sends SIGKILL to each; one that is gone already is no error.
func killAll(pids []int) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// spawn starts cmd and returns once it runs. The channel is closed after it has ended and everybody has closed its output;
// cmd.ProcessState is set by then.
//
// Linux sends the parent-death signal when the thread that forked ends, not the process, so that thread is held until the
// child has ended.
func spawn(cmd *exec.Cmd) (<-chan struct{}, error) {
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
