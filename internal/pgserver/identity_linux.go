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

// identity is the user that PostgreSQL runs as. It refuses to be root.
type identity struct {
	attributes syscall.SysProcAttr
	// chown is set when files must belong to uid and gid rather than to the caller.
	chown    bool
	uid, gid int
}

// attr is how a process of this identity is started.
func (i identity) attr() *syscall.SysProcAttr { return program.ChildAttr(i.attributes) }

// findIdentity finds a user as whom executable can run and who can enter dir. An ordinary user stays what he is. Root becomes nobody in a user
// namespace of the child's own, where nobody's files are root's outside, so nothing need be given away; where the kernel
// refuses that, root truly becomes nobody. Both are tried out by asking executable for its version.
func findIdentity(ctx context.Context, executable, dir string) (identity, error) {
	try := func(i identity) error { return i.try(ctx, executable, dir) }
	if os.Geteuid() != 0 {
		return identity{}, try(identity{})
	}
	return rootIdentity(dir, try)
}

func rootIdentity(dir string, try func(identity) error) (identity, error) {
	uid, gid, err := nobody()
	if err != nil {
		return identity{}, err
	}
	mapped := identity{attributes: syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: 0, Size: 1}},
	}}
	namespaceErr := try(mapped)
	if namespaceErr == nil {
		return mapped, nil
	}
	other := identity{chown: true, uid: uid, gid: gid, attributes: syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}}
	if err := try(other); err != nil {
		return identity{}, &program.Problem{
			What: "PostgreSQL cannot run here as root",
			Why: fmt.Sprintf("it refuses root; a user namespace is refused (%v), and so is the user nobody, who must be able to enter %s (%v)",
				namespaceErr, dir, err),
			Next: "run this as an ordinary user, or in a directory that every user may enter (chmod a+x, its parents too)",
			Err:  errors.Join(namespaceErr, err),
		}
	}
	return other, nil
}

// nobody is the uid and gid of the user without rights. initdb demands that its user has a name, so the number must be known
// to the system.
func nobody() (uid, gid int, err error) {
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

// try runs executable --version, which PostgreSQL's programs answer before they look who asks.
func (i identity) try(ctx context.Context, executable, dir string) error {
	cmd := exec.CommandContext(ctx, executable, "--version")
	cmd.Dir = dir
	cmd.SysProcAttr = i.attr()
	cmd.SysProcAttr.Pdeathsig = 0 // it ends by itself
	out, err := cmd.CombinedOutput()
	if err == nil || len(out) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, program.LastLines(string(out), 2))
}

// give makes everything under dir belong to the identity.
func (i identity) give(dir string) error {
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
