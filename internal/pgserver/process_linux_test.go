package pgserver

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datastorage-service/datastorage/internal/program"
)

// startOwner runs this test binary as the owner of a server on data.
func startOwner(t *testing.T, data string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func killOwner(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the error is the kill
}

func TestPostgresEndsWithItsOwner(t *testing.T) {
	t.Parallel()
	data := newDataDir(t)
	cmd, out := startOwner(t, data)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if running, err := program.IsRunning(t.Context(), pid, data); err != nil || !running {
		t.Fatalf("process %d is not the server: %v", pid, err)
	}
	killOwner(t, cmd)
	if ended, err := program.AwaitExit(t.Context(), pid, data, 30*time.Second); err != nil || !ended {
		t.Errorf("the server outlives its owner: %v", err)
	}
	startPostgres(t, testConfig(data))
}

func TestPostgresKilledInSetUp(t *testing.T) {
	t.Parallel()
	data := newDataDir(t)
	cmd, out := startOwner(t, data)
	ready := make(chan string)
	go func() {
		line, _ := out.ReadString('\n')
		ready <- line
	}()
	for {
		started, err := filepath.Glob(data + ".unfinished-*/data/cluster/base")
		if err != nil {
			t.Fatal(err)
		}
		if len(started) > 0 {
			break
		}
		select {
		case line := <-ready:
			t.Fatalf("the set-up finished: %s", line)
		case <-time.After(time.Millisecond):
		}
	}
	killOwner(t, cmd)
	<-ready
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("a run killed in initdb left data: %v", err)
	}
	s := startPostgres(t, testConfig(data))
	if got := queryValue[int](t, s, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestFindUserForRoot(t *testing.T) {
	t.Parallel()
	refused := func(serverUser) error { return syscall.EPERM }
	granted := func(serverUser) error { return nil }
	namespaceRefused := func(u serverUser) error {
		if u.base.Cloneflags != 0 {
			return syscall.EPERM
		}
		return nil
	}

	mapped, err := findUserForRoot("/data", granted)
	if err != nil || mapped.base.Cloneflags != syscall.CLONE_NEWUSER || mapped.chown {
		t.Errorf("with namespaces: %+v, %v", mapped, err)
	}
	other, err := findUserForRoot("/data", namespaceRefused)
	if err != nil || other.base.Credential == nil || other.base.Credential.Uid == 0 || !other.chown {
		t.Errorf("without namespaces: %+v, %v", other, err)
	}
	_, err = findUserForRoot("/data", refused)
	var problem *program.Problem
	if !errors.As(err, &problem) || !errors.Is(err, syscall.EPERM) {
		t.Errorf("with neither: %v", err)
	}
}
