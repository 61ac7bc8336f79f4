package telemetry

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// daemon is the way to the X-Ray daemon: datagrams, which nobody waits for. Nil has nobody at its end.
type daemon struct{ conn net.Conn }

// daemonHeader goes before each document (X-Ray developer guide, "Sending segment documents to the X-Ray daemon").
const daemonHeader = `{"format": "json", "version": 1}` + "\n"

// daemonTime bounds the look-up of a daemon's name, and how long a full socket may hold up an invocation.
const (
	lookupTime = 500 * time.Millisecond
	sendTime   = 10 * time.Millisecond
)

// newDaemon reads an address. One that cannot be reached is as good as none.
func newDaemon(address string) (*daemon, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	for part := range strings.FieldsSeq(address) {
		if udp, found := strings.CutPrefix(part, "udp:"); found {
			address = udp
		}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("the X-Ray daemon's address: %w", errors.New("must be host:port"))
	}
	conn, err := (&net.Dialer{Timeout: lookupTime}).Dial("udp", address)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // traces are not worth a function that does not start
	}
	return &daemon{conn: conn}, nil
}

// send gives a document away. That nobody takes it is no fault: the next one may be taken.
func (d *daemon) send(document []byte) {
	_ = d.conn.SetWriteDeadline(time.Now().Add(sendTime))
	_, _ = d.conn.Write(append([]byte(daemonHeader), document...))
}

func (d *daemon) close() {
	if d != nil {
		_ = d.conn.Close()
	}
}
