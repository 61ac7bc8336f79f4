package program

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// CheckPort returns an error if no program can listen on the port of 127.0.0.1.
func CheckPort(ctx context.Context, port int) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}

// FreePort returns a free port of 127.0.0.1 below the ranges for outgoing connections (from 32768
// on Linux, from 49152 elsewhere): otherwise a client that reconnects while the server is down
// could be given the server's own port.
func FreePort(ctx context.Context) (int, error) {
	const first, count = 20000, 10000
	for range 100 {
		port := first + rand.IntN(count)
		if CheckPort(ctx, port) == nil && reserve(ctx, port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port between %d and %d: a hundred were in use", first, first+count-1)
}

// reserved are UDP sockets with the numbers of the ports that FreePort has returned. They are held
// until the process ends: until the program listens on its port, no other process's FreePort can be
// given the same one.
var reserved struct {
	sync.Mutex
	sockets []net.PacketConn
}

func reserve(ctx context.Context, port int) bool {
	socket, err := new(net.ListenConfig).ListenPacket(ctx, "udp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.sockets = append(reserved.sockets, socket)
	return true
}
