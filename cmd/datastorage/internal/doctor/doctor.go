// Package doctor looks for the parts that the local stack needs on this machine: each is there or not, and there is a line
// that mends it. It changes nothing and knows nothing of how findings are shown.
package doctor

import (
	"context"
	"fmt"
	"time"
)

// State says how a part was found.
type State string

// The states of a part.
const (
	// OK is there and works.
	OK State = "ok"
	// Later is not there yet and comes by itself with make run.
	Later State = "later"
	// Missing has to be mended by hand.
	Missing State = "missing"
)

// Finding is what is known of one part.
type Finding struct {
	Part  string `json:"part"`
	State State  `json:"state"`
	// Found is what is there, or what is wrong.
	Found string `json:"found"`
	// Mend is a line to type; empty when nothing is to be done.
	Mend string `json:"mend,omitempty"`
}

// Machine is what is looked at.
type Machine struct {
	// Root is the folder of go.mod.
	Root string
	// Local is the folder of the local stack's downloads and data. It need not exist.
	Local string
	// Addr is where the local stack would listen.
	Addr string
	// URL is the service that is asked.
	URL string
	// DatabaseURL is the PostgreSQL to use in place of a private one; empty when there is none. A secret.
	DatabaseURL string
}

// patience bounds the look at one part.
const patience = 10 * time.Second

// Examine looks at every part, one after the other.
func (m Machine) Examine(ctx context.Context) []Finding {
	parts := []func(context.Context) Finding{
		m.examineGo, m.examineMake, m.examinePython, m.examineDisk, m.examinePort, m.examinePostgres, m.examineService,
	}
	findings := make([]Finding, len(parts))
	for i, look := range parts {
		ctx, cancel := context.WithTimeout(ctx, patience)
		findings[i] = look(ctx)
		cancel()
	}
	return findings
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
