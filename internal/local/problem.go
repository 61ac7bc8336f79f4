package local

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

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

// explain makes a Problem of a full disk, leaves a Problem as it is, and wraps every other error in what was being done. A child process reports a full disk only in its words, hence the search in the text.
func explain(act string, err error, dir string) error {
	if errors.Is(err, syscall.ENOSPC) || strings.Contains(strings.ToLower(err.Error()), syscall.ENOSPC.Error()) {
		return &Problem{
			What: act + ": the disk is full",
			Why:  "no space is left on the device that holds " + dir,
			Next: "df -h " + dir,
			Err:  err,
		}
	}
	if errors.As(err, new(*Problem)) {
		return err
	}
	return fmt.Errorf("%s: %w", act, err)
}
