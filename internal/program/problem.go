package program

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// sqlstateDiskFull is PostgreSQL's code for a write that found no space (its manual, appendix A).
const sqlstateDiskFull = "53100"

// Problem is an error that a person can mend: what does not work, why, and the next thing to type.
type Problem struct {
	What string
	Why  string
	Next string
	// Err is the cause for errors.Is and errors.As; nil when Why says all.
	Err error
}

// Error is three lines: what, why, and the next command.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s\n  why: %s\n  try: %s", p.What, p.Why, p.Next)
}

// Unwrap is the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Explain makes a Problem of a full disk, leaves another Problem as it is, and wraps every other error in what was being done.
func Explain(act string, err error, dir string) error {
	if errors.As(err, new(*Problem)) && !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if isDiskFull(err) || isNearlyFull(dir) {
		return &Problem{
			What: act + ": the disk is full",
			Why:  "no space is left on the device that holds " + dir,
			Next: "df -h " + dir,
			Err:  err,
		}
	}
	return fmt.Errorf("%s: %w", act, err)
}

func isDiskFull(err error) bool {
	var answer *pgconn.PgError
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &answer) && answer.Code == sqlstateDiskFull
}

// isNearlyFull tells whether the device of dir has less room than PostgreSQL takes in one go, a segment of its log: 16 MiB. Many
// of its errors on a full disk do not say what they come from.
func isNearlyFull(dir string) bool {
	var device syscall.Statfs_t
	if err := syscall.Statfs(dir, &device); err != nil {
		return false
	}
	const segment = 16 << 20
	return uint64(device.Bavail)*uint64(device.Bsize) < segment //nolint:gosec,unconvert // signs and sizes differ between systems
}

// OutputError makes an error of what a program printed before it gave up. A full disk it reports in words only: those of the system,
// or PostgreSQL's hint after a write that stopped half-way.
func OutputError(out string) error {
	words := strings.ToLower(out)
	if strings.Contains(words, syscall.ENOSPC.Error()) || strings.Contains(words, "hint:  check free disk space") {
		return fmt.Errorf("%w: %s", syscall.ENOSPC, LastLines(out, 4))
	}
	return errors.New(LastLines(out, 4))
}

// LastLines is the end of a program's output, on one line.
func LastLines(out string, n int) string {
	lines := strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
	lines = lines[max(0, len(lines)-n):]
	for at, line := range lines {
		lines[at] = strings.TrimSpace(line)
	}
	if len(lines) == 0 {
		return "it said nothing"
	}
	return strings.Join(lines, " · ")
}
