package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Processes reads the process table from /proc, without processes that have ended but were not
// waited for.
func Processes(context.Context) ([]Process, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, entry := range entries {
		p, err := readProcessEntry(entry)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // ended since the listing
		}
		if err != nil {
			return nil, fmt.Errorf("read process table: %w", err)
		}
		all = append(all, p)
	}
	return all, nil
}

func readProcessEntry(entry string) (Process, error) {
	pid, err := strconv.Atoi(filepath.Base(entry))
	if err != nil {
		return Process{}, err
	}
	stat, err := os.ReadFile(filepath.Join(entry, "stat"))
	if err != nil {
		return Process{}, err
	}
	// "pid (name) state parent …"; the name may contain spaces and parentheses (proc(5)).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return Process{}, fs.ErrNotExist
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Process{}, err
	}
	command, err := os.ReadFile(filepath.Join(entry, "cmdline"))
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, Parent: parent, Command: string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))}, nil
}

// ChildAttributes puts a child process into its own process group, so that Ctrl-C on a terminal
// reaches only its parent, and has Linux send it SIGINT when the parent dies.
func ChildAttributes(attr syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Setpgid = true
	attr.Pdeathsig = syscall.SIGINT
	return &attr
}
