package telemetry

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// daemon is the way to the X-Ray daemon: datagrams, which nobody waits for. Nil has nobody at its end.
type daemon struct {
	conn net.Conn
	raw  syscall.RawConn
}

// daemonHeader goes before each document (X-Ray developer guide, "Sending segment documents to the X-Ray daemon").
const daemonHeader = `{"format": "json", "version": 1}` + "\n"

// lookupTime bounds the look-up of a daemon's name.
const lookupTime = 500 * time.Millisecond

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
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the X-Ray daemon's connection has no socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("the X-Ray daemon's socket: %w", err)
	}
	return &daemon{conn: conn, raw: raw}, nil
}

// send gives a document away, at once or not at all: a full socket holds nobody up. That nobody takes it is no fault: the next one may be
// taken. A deadline would do that too, but it also drops what a busy processor comes to only after it.
func (d *daemon) send(document []byte) {
	datagram := append([]byte(daemonHeader), document...)
	_ = d.raw.Write(func(socket uintptr) bool {
		_, _ = syscall.Write(int(socket), datagram)
		return true
	})
}

func (d *daemon) close() {
	if d != nil {
		_ = d.conn.Close()
	}
}
