package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/datastorage-service/datastorage/internal/program"
)

// diskVariable names the directory on which the test, run again in a process of its own, mounts a small disk.
const diskVariable = "DATASTORAGE_LOCAL_TEST_DISK"

// TestPostgresDiskFull makes a server on a disk that is too small, which is a mount that only its process sees: the message says
// so, nothing is left, and with more room the next start works.
func TestPostgresDiskFull(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(diskVariable); dir != "" {
		mountSmallDisk(t, dir)
		startOnSmallDisk(t, dir)
		return
	}
	dir := newDataDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // root's server may have to pass as nobody
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPostgresDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), diskVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		const mayMount = 21 // CAP_SYS_ADMIN of capability.h
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.AmbientCaps = []uintptr{mayMount}
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), cannotMount) {
		t.Skipf("this system lets nobody but root mount a small disk: %v %s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

const cannotMount = "cannot mount"

func mountSmallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m,mode=0755"); err != nil {
		t.Fatal(cannotMount, err)
	}
}

func startOnSmallDisk(t *testing.T, dir string) {
	t.Helper()
	data := filepath.Join(dir, "server")
	// The first has no room for the files of a cluster, the second none for the first segment of its log.
	for _, size := range []string{"size=12m", "size=30m"} {
		resizeDisk(t, dir, size)
		_, err := Start(t.Context(), testConfig(data))
		var problem *program.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.What, "the disk is full") || problem.Next != "df -h "+dir {
			t.Errorf("%s: %v", size, err)
		}
		left, err := filepath.Glob(data + "*")
		if err != nil || len(left) != 1 || left[0] != data+".lock" {
			t.Errorf("%s: it left %q, %v", size, left, err)
		}
	}
	resizeDisk(t, dir, "size=300m")
	p := startPostgres(t, testConfig(data))
	if got := queryValue[int](t, p, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func resizeDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, size); err != nil {
		t.Fatal(err)
	}
}
