package telemetry

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// daemon sends UDP datagrams to the X-Ray daemon without waiting. A nil daemon drops them.
type daemon struct {
	conn net.Conn
	raw  syscall.RawConn
}

// daemonHeader precedes each document (X-Ray developer guide, "Sending segment documents to the
// X-Ray daemon").
const daemonHeader = `{"format": "json", "version": 1}` + "\n"

// lookupTimeout bounds the DNS lookup of the daemon's host.
const lookupTimeout = 500 * time.Millisecond

// connectDaemon returns nil without an error if no daemon is configured or its host is unknown.
func connectDaemon(address string) (*daemon, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // nil is a daemon that drops
	}
	for part := range strings.FieldsSeq(address) {
		if udp, found := strings.CutPrefix(part, "udp:"); found {
			address = udp
		}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("the X-Ray daemon's address: %w", errors.New("must be host:port"))
	}
	conn, err := (&net.Dialer{Timeout: lookupTimeout}).Dial("udp", address)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // a function must start without traces
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

// sendDocument never blocks: if the socket buffer is full or no daemon listens, the document is
// dropped. It does not use a write deadline, because on a busy processor the deadline may pass
// before the first attempt.
func (d *daemon) sendDocument(document []byte) {
	datagram := append([]byte(daemonHeader), document...)
	_ = d.raw.Write(func(socket uintptr) bool {
		_, _ = syscall.Write(int(socket), datagram)
		return true
	})
}

func (d *daemon) closeConnection() {
	if d != nil {
		_ = d.conn.Close()
	}
}
