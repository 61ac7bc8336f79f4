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

// diskVariable makes the test, run again in another process, mount a small disk on the directory
// that it names.
const diskVariable = "DATASTORAGE_LOCAL_TEST_DISK"

// TestPostgresDiskFull starts a server on a disk that is too small, mounted only for its process:
// the error names the full disk, no files are left, and on a larger disk the next start succeeds.
func TestPostgresDiskFull(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(diskVariable); dir != "" {
		mountSmallDisk(t, dir)
		startOnSmallDisk(t, dir)
		return
	}
	dir := newDataDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // the user nobody may have to enter it
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPostgresDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), diskVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		const capSysAdmin = 21 // capability.h
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.AmbientCaps = []uintptr{capSysAdmin}
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), cannotMount) {
		t.Skipf("only root may mount a disk on this system: %v %s", err, out)
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
	// The first is too small for the files of a cluster, the second for the first segment of its log.
	for _, size := range []string{"size=12m", "size=30m"} {
		resizeDisk(t, dir, size)
		_, err := Start(t.Context(), testConfig(data))
		var problem *program.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.What, "the disk is full") || problem.Next != "df -h "+dir {
			t.Errorf("%s: %v", size, err)
		}
		left, err := filepath.Glob(data + "*")
		if err != nil || len(left) != 1 || left[0] != data+".lock" {
			t.Errorf("%s: left %q, %v", size, left, err)
		}
	}
	resizeDisk(t, dir, "size=300m")
	s := startPostgres(t, testConfig(data))
	if got := queryValue[int](t, s, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func resizeDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, size); err != nil {
		t.Fatal(err)
	}
}
