package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/datastorage-service/datastorage/internal/program"
)

// serverUser is the user that PostgreSQL runs as; it refuses to run as root.
type serverUser struct {
	base syscall.SysProcAttr
	// chown is set if the files must belong to uid and gid instead of the caller.
	chown    bool
	uid, gid int
}

// processAttributes returns the attributes of a process that runs as this user.
func (u serverUser) processAttributes() *syscall.SysProcAttr { return program.ChildAttributes(u.base) }

// findServerUser returns a user who can run the executable and enter dir: the caller, unless that
// is root. For root it is the user "nobody" in a new user namespace, where the files of root appear
// as those of "nobody"; if the kernel refuses that, it is "nobody" outside a namespace, who must
// then own the files. Each is tried by running the executable with --version.
func findServerUser(ctx context.Context, executable, dir string) (serverUser, error) {
	try := func(u serverUser) error { return u.tryExecutable(ctx, executable, dir) }
	if os.Geteuid() != 0 {
		return serverUser{}, try(serverUser{})
	}
	return findUserForRoot(dir, try)
}

func findUserForRoot(dir string, try func(serverUser) error) (serverUser, error) {
	uid, gid, err := lookUpNobody()
	if err != nil {
		return serverUser{}, err
	}
	mapped := serverUser{base: syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: 0, Size: 1}},
	}}
	namespaceErr := try(mapped)
	if namespaceErr == nil {
		return mapped, nil
	}
	other := serverUser{chown: true, uid: uid, gid: gid, base: syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}}
	if err := try(other); err != nil {
		return serverUser{}, &program.Problem{
			What: "PostgreSQL cannot run here as root",
			Why: fmt.Sprintf("it refuses root; a user namespace is refused (%v), and so is the user nobody, who must be able to enter %s (%v)",
				namespaceErr, dir, err),
			Next: "run this as an ordinary user, or in a directory that every user may enter (chmod a+x, its parents too)",
			Err:  errors.Join(namespaceErr, err),
		}
	}
	return other, nil
}

// lookUpNobody returns the ids of the user "nobody". They must be known to the system, because
// initdb requires a user with a name.
func lookUpNobody() (uid, gid int, err error) {
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, fmt.Errorf("find a user other than root to run PostgreSQL: %w", err)
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// tryExecutable runs the executable with --version, which PostgreSQL's programs support even for root.
func (u serverUser) tryExecutable(ctx context.Context, executable, dir string) error {
	cmd := exec.CommandContext(ctx, executable, "--version")
	cmd.Dir = dir
	cmd.SysProcAttr = u.processAttributes()
	cmd.SysProcAttr.Pdeathsig = 0 // it is short-lived, and its thread may end first
	out, err := cmd.CombinedOutput()
	if err == nil || len(out) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, program.LastLines(string(out), 2))
}

// takeOwnership makes the user the owner of everything under dir, if that is necessary.
func (u serverUser) takeOwnership(dir string) error {
	if !u.chown {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, u.uid, u.gid)
	})
}
