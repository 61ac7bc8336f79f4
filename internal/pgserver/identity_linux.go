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

// serverUser is the user that PostgreSQL runs as. It refuses to be root.
type serverUser struct {
	base syscall.SysProcAttr
	// chown is set when files must belong to uid and gid rather than to the caller.
	chown    bool
	uid, gid int
}

// processAttributes is how a process of this identity is started.
func (i serverUser) processAttributes() *syscall.SysProcAttr { return program.ChildAttributes(i.base) }

// findServerUser finds a user as whom executable can run and who can enter dir. An ordinary user stays what he is. Root becomes nobody in a user
// namespace of the child's own, where nobody's files are root's outside, so nothing need be given away; where the kernel
// refuses that, root truly becomes nobody. Both are tried out by asking executable for its version.
func findServerUser(ctx context.Context, executable, dir string) (serverUser, error) {
	try := func(i serverUser) error { return i.tryExecutable(ctx, executable, dir) }
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

// lookUpNobody is the uid and gid of the user without rights. initdb demands that its user has a name, so the number must be known
// to the system.
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

// tryExecutable runs executable --version, which PostgreSQL's programs answer before they look who asks.
func (i serverUser) tryExecutable(ctx context.Context, executable, dir string) error {
	cmd := exec.CommandContext(ctx, executable, "--version")
	cmd.Dir = dir
	cmd.SysProcAttr = i.processAttributes()
	cmd.SysProcAttr.Pdeathsig = 0 // it ends by itself
	out, err := cmd.CombinedOutput()
	if err == nil || len(out) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, program.LastLines(string(out), 2))
}

// takeOwnership makes everything under dir belong to the identity.
func (i serverUser) takeOwnership(dir string) error {
	if !i.chown {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, i.uid, i.gid)
	})
}
