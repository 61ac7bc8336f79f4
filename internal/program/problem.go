package program

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// Problem is an error that the user can fix: what failed, why, and the next command to type.
type Problem struct {
	What string
	Why  string
	Next string
	// Err is the cause for errors.Is and errors.As; nil if Why is complete.
	Err error
}

// Error returns three lines: what, why, and the next command.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s\n  why: %s\n  try: %s", p.What, p.Why, p.Next)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Explain converts a full-disk error into a Problem that names the device of dir, returns any other
// Problem unchanged, and adds act, which says what failed, to every other error.
func Explain(act string, err error, dir string) error {
	if errors.As(err, new(*Problem)) && !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || isNearlyFull(dir) {
		return &Problem{
			What: act + ": the disk is full",
			Why:  "no space is left on the device that holds " + dir,
			Next: "df -h " + dir,
			Err:  err,
		}
	}
	return fmt.Errorf("%s: %w", act, err)
}

// isNearlyFull reports whether the device of dir has less than 16 MiB left, the size of one segment
// of PostgreSQL's log. Many errors on a full disk do not name their cause.
func isNearlyFull(dir string) bool {
	var device syscall.Statfs_t
	if err := syscall.Statfs(dir, &device); err != nil {
		return false
	}
	const least = 16 << 20
	return uint64(device.Bavail)*uint64(device.Bsize) < least //nolint:gosec,unconvert // signs and sizes differ between systems
}

// OutputError returns the end of a failed program's output as an error, which wraps syscall.ENOSPC
// if the output contains the system's message for a full disk.
func OutputError(out string) error {
	if strings.Contains(strings.ToLower(out), syscall.ENOSPC.Error()) {
		return fmt.Errorf("%w: %s", syscall.ENOSPC, LastLines(out, 4))
	}
	return errors.New(LastLines(out, 4))
}

// LastLines returns the last n lines of a program's output, joined into one.
func LastLines(out string, n int) string {
	lines := strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	if len(lines) == 0 {
		return "it printed nothing"
	}
	return strings.Join(lines, " · ")
}
