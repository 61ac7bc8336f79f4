// Package doctor checks the components that the local stack needs on this machine and suggests a command for each missing one. It changes
// nothing, and leaves the display of its findings to the caller.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datastorage-service/datastorage/client"
)

// State is the state of a component.
type State string

// The states of a component.
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
	Component string `json:"component"`
	State     State  `json:"state"`
	// Found is what is present, or what is wrong.
	Found string `json:"found"`
	// Fix is the command to run; empty if there is nothing to do.
	Fix string `json:"fix,omitempty"`
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
	// Sign adds the identity to requests to URL; nil if they have none.
	Sign client.Signer
	// DatabaseURL is the PostgreSQL to use instead of a private one; empty if there is none. A secret.
	DatabaseURL string
}

// checkTimeout bounds the check of one component. Most take milliseconds; on a busy machine a new Python needs seconds.
const checkTimeout = 30 * time.Second

// Examine checks every component in sequence.
func (m Machine) Examine(ctx context.Context) []Finding {
	components := []func(context.Context) Finding{
		m.examineGo, m.examineMake, m.examinePython, m.examineDisk, m.examinePort, m.examinePostgres, m.examineService,
	}
	findings := make([]Finding, len(components))
	for i, check := range components {
		findings[i] = runCheck(ctx, checkTimeout, check)
	}
	return findings
}

// runCheck runs a check. A component that it reports as missing after the timeout may exist, so the finding says that the check timed out.
func runCheck(ctx context.Context, timeout time.Duration, check func(context.Context) Finding) Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	finding := check(ctx)
	if finding.State == Missing && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return newMissingFinding(finding.Component, fmt.Sprintf("the check did not end within %v", timeout), "datastorage doctor   # again, when the machine is less busy")
	}
	return finding
}

func newOKFinding(component, format string, args ...any) Finding {
	return Finding{Component: component, State: OK, Found: fmt.Sprintf(format, args...)}
}

func newLaterFinding(component, found, fix string) Finding {
	return Finding{Component: component, State: Later, Found: found, Fix: fix}
}

func newMissingFinding(component, found, fix string) Finding {
	return Finding{Component: component, State: Missing, Found: found, Fix: fix}
}
