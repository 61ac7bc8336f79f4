// Package doctor checks the parts that the local stack needs on this machine and suggests a command for each missing one. It changes
// nothing, and leaves the display of its findings to the caller.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// State is the state of a part.
type State string

// The states of a part.
const (
	// OK means present and working.
	OK State = "ok"
	// Later means not present yet; make run installs or starts it.
	Later State = "later"
	// Missing means that the user must install or repair it.
	Missing State = "missing"
)

// Finding is the result of one check.
type Finding struct {
	Part  string `json:"part"`
	State State  `json:"state"`
	// Found is what is present, or what is wrong.
	Found string `json:"found"`
	// Mend is the command to run; empty if there is nothing to do.
	Mend string `json:"mend,omitempty"`
}

// Machine has the settings of the checks.
type Machine struct {
	// Root is the folder of go.mod.
	Root string
	// Local is the folder of the local stack's downloads and data. It need not exist.
	Local string
	// Addr is where the local stack would listen.
	Addr string
	// URL is the service whose readiness is checked.
	URL string
	// DatabaseURL is the PostgreSQL to use instead of a private one; empty if there is none. A secret.
	DatabaseURL string
}

// checkTimeout bounds the check of one part. Most take milliseconds; on a busy machine a new Python needs seconds.
const checkTimeout = 30 * time.Second

// Examine checks every part in sequence.
func (m Machine) Examine(ctx context.Context) []Finding {
	parts := []func(context.Context) Finding{
		m.examineGo, m.examineMake, m.examinePython, m.examineDisk, m.examinePort, m.examinePostgres, m.examineService,
	}
	findings := make([]Finding, len(parts))
	for i, check := range parts {
		findings[i] = runCheck(ctx, checkTimeout, check)
	}
	return findings
}

// runCheck runs a check. What it finds missing after the timeout is not known to be missing, so the finding says that time ran out.
func runCheck(ctx context.Context, timeout time.Duration, check func(context.Context) Finding) Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	finding := check(ctx)
	if finding.State == Missing && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return newMissingFinding(finding.Part, fmt.Sprintf("the check did not end within %v", timeout), "datastorage doctor   # again, when the machine is less busy")
	}
	return finding
}

func newOKFinding(part, format string, args ...any) Finding {
	return Finding{Part: part, State: OK, Found: fmt.Sprintf(format, args...)}
}

func newLaterFinding(part, found, mend string) Finding {
	return Finding{Part: part, State: Later, Found: found, Mend: mend}
}

func newMissingFinding(part, found, mend string) Finding {
	return Finding{Part: part, State: Missing, Found: found, Mend: mend}
}
