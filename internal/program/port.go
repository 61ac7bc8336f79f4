package program

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// CheckPort returns an error if no program can listen on the port of 127.0.0.1.
func CheckPort(ctx context.Context, port int) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}

// FreePort returns a free port of 127.0.0.1 below the ranges for outgoing connections (from 32768 on Linux, from 49152
// elsewhere): otherwise a client that reconnects while the server is down could be given the server's own port.
func FreePort(ctx context.Context) (int, error) {
	const first, count = 20000, 10000
	for range 100 {
		port := first + rand.IntN(count)
		if CheckPort(ctx, port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port between %d and %d: a hundred were in use", first, first+count-1)
}
